"""What is sent means something, or is refused by its name; and a cluster's flag "task by task" can be said in two places, and is one."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from deployments.models import Cluster, Node
from deployments.services import facts
from tests.integration.api.conftest import TASK

ADDRESS = "/api/v1/clusters"


def flag(cluster: Cluster) -> bool:
    cluster.refresh_from_db()
    return cluster.task_based_deployment


def told(api: APIClient, cluster: Cluster) -> tuple[bool, bool]:
    """What both places say."""
    editable = api.get(f"{ADDRESS}/{cluster.id}/attributes").json()["editable"]
    return api.get(f"{ADDRESS}/{cluster.id}/").json()["task_based_deployment"], editable["common"]["task_deploy"]["value"]


def test_the_flag_is_a_field_of_the_cluster(api: APIClient, cluster: Cluster) -> None:
    assert told(api, cluster) == (True, True)
    answer = api.put(f"{ADDRESS}/{cluster.id}/", {"task_based_deployment": False}, format="json")
    assert (answer.status_code, answer.json()["task_based_deployment"], flag(cluster)) == (200, False, False)
    assert told(api, cluster) == (False, False)
    assert api.put(f"{ADDRESS}/{cluster.id}/", {"task_based_deployment": "no"}, format="json").status_code == 400
    made = api.post(f"{ADDRESS}/", {"name": "new", "release_id": cluster.release_id, "task_based_deployment": False}, format="json")
    assert made.json()["task_based_deployment"] is False
    Cluster.objects.update(status="deployment")
    assert api.put(f"{ADDRESS}/{cluster.id}/", {"task_based_deployment": True}, format="json").status_code == 403
    assert api.put(f"{ADDRESS}/{cluster.id}/", {"task_based_deployment": False, "name": "other"}, format="json").status_code == 200


@pytest.mark.parametrize("method", ["put", "patch"])
def test_the_flag_is_also_set_where_fuel_has_it(api: APIClient, cluster: Cluster, method: str) -> None:
    settings = f"{ADDRESS}/{cluster.id}/attributes"
    field = {"value": False, "type": "hidden", "weight": 11}
    answer = getattr(api, method)(settings, {"editable": {"common": {"task_deploy": field}}}, format="json")
    assert (answer.status_code, answer.json()["editable"]["common"]["task_deploy"], flag(cluster)) == (200, field, False)
    # Set elsewhere, it is told here too, and to graphs.
    Cluster.objects.update(task_based_deployment=True)
    assert told(api, cluster) == (True, True)
    cluster.refresh_from_db()
    assert facts.cluster_facts(cluster, [], force=False).common["task_deploy"] is True
    # Settings that are downloaded and uploaded again change nothing.
    assert api.put(settings, api.get(settings).json(), format="json").status_code == 200
    assert told(api, cluster) == (True, True)
    wrong = api.put(settings, {"editable": {"common": {"task_deploy": {"value": "off"}}}}, format="json")
    assert (wrong.status_code, wrong.json()["message"]) == (400, "common.task_deploy.value: must be true or false")


def test_a_release_s_settings_say_what_its_clusters_begin_with(api: APIClient, cluster: Cluster) -> None:
    cluster.release.attributes_metadata = {"editable": {"common": {"task_deploy": {"value": False}}}}
    cluster.release.save()
    for more, expected in (({}, False), ({"task_based_deployment": True}, True)):
        asked = {"name": f"new {expected}", "release_id": cluster.release_id, **more}
        assert api.post(f"{ADDRESS}/", asked, format="json").json()["task_based_deployment"] is expected


@pytest.mark.parametrize(
    ("method", "address", "sent", "named"),
    [
        ("post", "clusters/", {"name": "x", "release_id": 1, "task_based": False, "flag": 1}, "flag, task_based"),
        ("put", "clusters/{id}/", {"status": "operational", "name": "y"}, "status"),
        ("patch", "clusters/{id}/", {"nodes": [1]}, "nodes"),
        ("put", "clusters/{id}/attributes", {"editable": {}, "editible": {}}, "editible"),
        ("post", "clusters/{id}/assignment/", [{"id": 1, "roles": ["web"], "role": "db"}], "role"),
        ("put", "nodes/1/", {"hostnam": "x"}, "hostnam"),
        ("patch", "nodes/1/", {"fqdn": "other"}, "fqdn"),
        ("put", "nodes/", [{"id": 1, "name": "z"}, {"id": 2, "nam": "z"}], "nam"),
        ("put", "clusters/{id}/deployment_graphs/default", {"tasks": [TASK], "task": []}, "task"),
    ],
)
def test_keys_that_mean_nothing_are_named(api: APIClient, cluster: Cluster, method: str, address: str, sent: Any, named: str) -> None:
    answer = getattr(api, method)(f"/api/v1/{address.format(id=cluster.id)}", sent, format="json")
    assert answer.status_code == 400
    assert named in answer.json()["message"]
    assert Cluster.objects.get().name == "shop"
    assert Node.objects.get(uid="1").name == "node-1"


def test_what_was_shown_may_be_sent_back(api: APIClient, cluster: Cluster) -> None:
    for address in (f"clusters/{cluster.id}/", "nodes/1/", "nodes/n3/"):
        shown = api.get(f"/api/v1/{address}").json()
        answer = api.put(f"/api/v1/{address}", shown, format="json")
        assert (answer.status_code, answer.json()) == (200, shown)


def test_what_fuel_s_client_and_agents_send_passes(api: APIClient, cluster: Cluster) -> None:
    asked = {"nodes": [], "tasks": [], "name": "new", "release_id": cluster.release_id, "net_segment_type": "vlan"}
    assert api.post(f"{ADDRESS}/", asked, format="json").status_code == 201
    machine = {"mac": "00:00:00:00:00:01", "is_agent": True, "agent_checksum": "0", "online": True, "ip": "10.0.0.1"}
    assert api.put("/api/v1/nodes/", [machine], format="json").status_code == 200
    assert api.put("/api/v1/nodes/agent/", {**machine, "whatever": 1}, format="json").status_code == 200
    assert api.post("/api/v1/nodes/", {"mac": "00:00:00:00:00:09", "whatever": 1}, format="json").status_code == 201
