"""What holds for every address: one shape of errors, slashes, lists, formats."""

from __future__ import annotations

import pytest
import yaml
from rest_framework.test import APIClient

from deployments.models import Cluster


def test_the_version_is_told_to_everybody() -> None:
    answer = APIClient().get("/api/v1/version")
    assert (answer.status_code, answer.json()["api"], answer.json()["auth_required"]) == (200, "1", True)


@pytest.mark.parametrize(
    ("method", "address", "status", "message"),
    [
        ("get", "clusters/99/", 404, "Cluster not found"),
        ("get", "nodes/99", 404, "Node not found"),
        ("get", "transactions/99/", 404, "Transaction not found"),
        ("get", "transactions/99/deployment_history/", 404, "Transaction not found"),
        ("get", "nothing/", 404, "There is nothing at /api/v1/nothing/."),
        ("delete", "version", 405, 'Method "DELETE" not allowed.'),
        ("put", "transactions/99/deployment_history/", 405, 'Method "PUT" not allowed.'),
        ("get", "clusters/?limit=x", 400, 'Cannot convert "x" to int'),
        ("get", "clusters/?offset=5", 416, "The list has 0 objects, so it can't begin behind 5."),
        ("get", "clusters/?order_by=secret", 400, "Can't order by secret: use id, name, release_id, status."),
        ("get", "clusters/?x=%00", 400, "The parameters have characters that can't be stored."),
        ("get", "transactions/?statuses=done", 400, "Statuses parameter could only be one of: pending, ready, running, error, stopped"),
        (
            "get",
            "transactions/?statuses=ready&statuses=done",
            400,
            "Statuses parameter could only be one of: pending, ready, running, error, stopped",
        ),
        ("post", "clusters/", 400, "Release ID is required"),
    ],
)
def test_errors_have_one_shape(api: APIClient, method: str, address: str, status: int, message: str) -> None:
    answer = getattr(api, method)(f"/api/v1/{address}")
    assert (answer.status_code, answer.json()) == (status, {"message": message, "errors": []})
    assert answer["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("body", ["{", '{"name": NaN}', '"\\u0000"', '{"name": "\\ud800"}', "[" * 5000, "\xff"])
def test_bodies_that_are_none_are_refused(api: APIClient, cluster: Cluster, body: str) -> None:
    answer = api.generic("PUT", f"/api/v1/clusters/{cluster.id}/", body.encode("latin-1"), content_type="application/json")
    assert answer.status_code == 400
    assert set(answer.json()) == {"message", "errors"}


def test_who_is_nobody_is_told_nothing(cluster: Cluster) -> None:
    answer = APIClient(headers={"accept": "application/json"}).get("/api/v1/clusters/")
    assert answer.status_code == 401
    assert set(answer.json()) == {"message", "errors"}


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_slash_at_the_end_is_no_matter(api: APIClient, cluster: Cluster, slash: str) -> None:
    for address in ("version", "clusters", f"clusters/{cluster.id}", f"clusters/{cluster.id}/attributes", "nodes", "transactions"):
        assert api.get(f"/api/v1/{address}{slash}").status_code == 200
    assert api.put(f"/api/v1/nodes/1{slash}", {"name": "new"}, format="json").json()["name"] == "new"


def test_lists_come_in_pages(api: APIClient, cluster: Cluster) -> None:
    answer = api.get("/api/v1/nodes/?limit=1&offset=1&order_by=-id")
    assert ([node["uid"] for node in answer.json()], answer["Content-Range"]) == (["2"], "objects 2-2/3")
    assert api.get("/api/v1/nodes/")["Content-Range"] == "objects 1-3/3"


def test_yaml_is_read_and_written(api: APIClient, cluster: Cluster) -> None:
    address = f"/api/v1/clusters/{cluster.id}"
    answer = api.generic("PUT", address, "name: bazaar", content_type="application/x-yaml", headers={"accept": "application/x-yaml"})
    assert yaml.safe_load(answer.content)["name"] == "bazaar"
    assert api.get(address, headers={"accept": "image/png"}).status_code == 415
    assert "<html" in api.get(address, headers={"accept": "text/html"}).content.decode()


def test_no_two_nodes_have_one_number(api: APIClient, cluster: Cluster) -> None:
    numbers = {node["uid"]: node["id"] for node in api.get("/api/v1/nodes/").json()}
    assert (numbers["1"], numbers["2"]) == (1, 2)
    assert numbers["n3"] > 1_000_000_000
    for name in (numbers["n3"], "n3"):
        assert api.get(f"/api/v1/nodes/{name}/").json()["uid"] == "n3"
