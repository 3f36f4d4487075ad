"""The admin's forms keep the rules of the API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from deployments.models import Cluster, Graph, Node, Release
from history.models import Transaction
from tests.integration.admin.conftest import NOW, TASK

pytestmark = pytest.mark.django_db


def test_a_graph_is_checked_as_an_upload_is(admin_client: Client, clusters: tuple[Cluster, Cluster]) -> None:
    address, new = "/admin/deployments/graph/add/", {"type": "new", "cluster": clusters[0].id, "tasks": json.dumps([TASK])}
    bogus = admin_client.post(address, {**new, "on_success": '{"node_attributes": {"status": "bogus"}}'})
    assert "gives nodes a `status` that can&#x27;t be" in bogus.content.decode()
    assert "can&#x27;t be a graph&#x27;s type" in admin_client.post(address, {**new, "type": "no type"}).content.decode()
    assert not Graph.objects.filter(type__in=("new", "no type")).exists()
    lonely = json.dumps([{**TASK, "id": "lonely", "role": ["nobody"]}])
    answer = admin_client.post(address, {**new, "tasks": lonely, "on_success": '{"node_attributes": {"status": "ready"}}'}, follow=True)
    assert Graph.objects.get(type="new").on_success == {"node_attributes": {"status": "ready"}}
    assert "nobody" in "".join(str(message) for message in answer.context["messages"])


def test_a_new_cluster_begins_as_by_the_api(admin_client: Client, clusters: tuple[Cluster, Cluster]) -> None:
    release = clusters[0].release
    Release.objects.filter(pk=release.pk).update(state="unavailable", attributes_metadata={"editable": {"common": {"x": {"value": 1}}}})
    new = {
        "name": "third",
        "mode": "ha_compact",
        "release": release.id,
        "max_nodes_per_call": 50,
        "fleet": "default",
        "net_provider": "neutron",
    }
    page = admin_client.get("/admin/deployments/cluster/add/")
    given = {**{k: v for k, v in page.context["adminform"].form.initial.items() if v not in (None, {}, [])}, **new, **_no_inlines(page)}
    assert "is not deployable" in admin_client.post("/admin/deployments/cluster/add/", given).content.decode()
    Release.objects.filter(pk=release.pk).update(state="available")
    answer = admin_client.post("/admin/deployments/cluster/add/", given)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    made = Cluster.objects.get(name="third")
    assert made.settings == {"common": {"x": {"value": 1}}}
    assert made.changes == [{"name": "attributes", "node_id": None}]


def _no_inlines(page: Any) -> dict[str, int]:
    sets = [inline.formset.prefix for inline in page.context["inline_admin_formsets"]]
    return {f"{name}-{what}": 0 for name in sets for what in ("TOTAL_FORMS", "INITIAL_FORMS")}


def test_a_node_is_placed_by_the_rules(admin_client: Client, clusters: tuple[Cluster, Cluster]) -> None:
    own, other = clusters
    Release.objects.filter(pk=own.release_id).update(roles_metadata={"web": {"conflicts": ["db"]}, "db": {}})
    node = Node.objects.get(uid="own-0")
    Node.objects.filter(pk=node.pk).update(status="stopped", roles=["web"])
    address, same = f"/admin/deployments/node/{node.pk}/change/", {"uid": "own-0", "roles": '["web"]', "cluster": own.pk}
    same["tags"] = json.dumps(node.tags)

    def refused(**changed: Any) -> str:
        answer = admin_client.post(address, {**same, **changed})
        assert answer.status_code == 200
        return str(answer.context["errors"])

    assert "in conflict with" in refused(roles='["web", "db"]')
    assert "not valid roles" in refused(pending_roles='["nonsense"]')
    assert "leaves it by a deployment" in refused(cluster="")
    assert "leaves it by a deployment" in refused(cluster=other.pk)
    Transaction.objects.create(name="deploy", cluster_id=own.pk, cluster_name="own", status="running", created_at=NOW)
    assert "is being deployed" in refused(roles='["db"]')
    answer = admin_client.post(address, same)
    assert answer.status_code == 302, (answer.context["adminform"].form.changed_data, answer.context["errors"])
    node.refresh_from_db()
    assert (node.roles, node.cluster_id, node.status) == (["web"], own.pk, "stopped")


def test_settings_are_not_changed_while_a_cluster_is_deployed(admin_client: Client, clusters: tuple[Cluster, Cluster]) -> None:
    Cluster.objects.filter(pk=clusters[0].pk).update(status="deployment", settings={"a": {"b": {"value": 1}}}, changes=[])
    address = f"/admin/deployments/cluster/{clusters[0].pk}/change/"
    page = admin_client.get(address)
    form = page.context["adminform"].form
    same = {
        name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in form.initial.items() if value is not None
    }
    same |= {**_no_inlines(page), "name": "renamed"}
    for switch in ("task_based_deployment", "task_based_always", "is_customized"):
        if not same.get(switch):
            same.pop(switch, None)
    assert "settings can&#x27;t be changed while" in admin_client.post(address, {**same, "settings": "{}"}).content.decode()
    answer = admin_client.post(address, same)
    assert answer.status_code == 302, answer.context["errors"]
    Cluster.objects.update(status="operational")
    assert admin_client.post(address, {**same, "settings": "{}"}).status_code == 302
    changed = Cluster.objects.get(pk=clusters[0].pk)
    assert (changed.name, changed.settings, changed.changes) == ("renamed", {}, [{"name": "attributes", "node_id": None}])
