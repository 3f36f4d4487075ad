"""Whatever is sent, to whatever address and by whomever, is answered by a sentence: nothing of this list gives 500."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from deployments.models import Cluster, Graph, Node
from tests.integration.api.conftest import body
from tests.integration.api.test_rights import routes

JSON, YAML = "application/json", "application/x-yaml"
MB = 1024 * 1024
HUGE, LONG, DIGITS = 10**400, "9" * 5000, "9" * 400

BODIES: dict[str, tuple[str, bytes]] = {
    "broken JSON": (JSON, b'{"name": '), "no JSON": (JSON, b"\xff\xfe"), "NaN": (JSON, b'{"progress": NaN, "timeout": Infinity}'),
    "infinite JSON": (JSON, b'{"progress": 1e999, "tasks": [{"id": "a", "type": "shell", "parameters": {"timeout": 1e999}}]}'),
    "NUL": (JSON, b'{"name": "\\u0000"}'), "half a character": (JSON, b'{"name": "\\ud800"}'), "a text": (JSON, b'"x"'),
    "a number": (JSON, b"7"), "nothing": (JSON, b"null"), "a list": (JSON, b"[1, null, {}]"), "deep": (JSON, b"[" * 50_000),
    "a huge number": (JSON, json.dumps({"id": HUGE, "progress": HUGE, "cluster": HUGE, "release": HUGE, "nodes": [HUGE]}).encode()),
    "long digits": (JSON, json.dumps({"id": LONG, "cluster": LONG, "release": LONG, "nodes": [LONG], "mac": LONG}).encode()),
    "a list of huge numbers": (JSON, json.dumps([{"id": HUGE, "roles": ["web"]}]).encode()),
    "a list of long digits": (JSON, json.dumps([{"id": LONG, "roles": ["web"]}]).encode()),
    "wrong kinds": (JSON, json.dumps(dict.fromkeys(
        ("name", "id", "cluster", "release", "nodes", "tasks", "graphs", "editable", "labels", "meta", "status", "roles", "auth",
         "mac", "cluster_id", "ui_settings", "on_error", "node_filter", "progress", "online", "mode", "type"), [[{}]]
    )).encode()),
    "infinite": (YAML, b"progress: .inf\ntasks: [{id: a, type: shell, parameters: {timeout: .inf}}]\n"),
    "not a number": (YAML, b"tasks: [{id: a, type: shell, parameters: {timeout: .nan}}]\neditable: {a: {b: .nan}}\n"),
    "infinite in a list": (YAML, b"[{id: a, type: shell, parameters: {timeout: .inf}}]"),
    "strange keys": (YAML, b"{1: a, null: b, 2.5: c, editable: {1: {2: 3}}, labels: {1: x, true: y}, tasks: [{1: 2}]}"),
    "the same key twice": (YAML, b"{1: a, '1': b}"), "broken YAML": (YAML, b"a: [\n- {"), "a date": (YAML, b"name: 2020-01-01"),
    "an alias of itself": (YAML, b"&a [*a]"), "text": ("text/plain", b"hello"),
    "a form": ("application/x-www-form-urlencoded", b"a=1&" * 2000),
    "half a form": ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n"),
    "no boundary": ("multipart/form-data", b"x"), "no type": ("nonsense;;=", b"x"),
}  # fmt: skip
QUERIES = (
    f"limit={DIGITS}", f"offset={LONG}", "limit=-1", "limit=NaN", "order_by=,,-", f"cluster_id={DIGITS}", "x=%00", "x=%ff%fe", "nodes=%00",
    f"nodes={LONG},{DIGITS}", f"ids={LONG}", f"cursor={DIGITS}", "cursor=e30", f"after={'9' * 18}", f"release={DIGITS}", "format=nothing",
    "statuses=%F0%9F%92%A9", "force=maybe", "split=2", f"node=1&task={'x' * 5000}", "reason=" + "%F0%9F%92%A9" * 900, "x=%ED%A0%80",
)  # fmt: skip


@pytest.fixture
def askers(api: APIClient, cluster: Cluster) -> list[APIClient]:
    """Who may everything, by a token and in a browser's session; and nobody."""
    browser = APIClient(headers={"accept": "application/json"}, enforce_csrf_checks=True)
    browser.force_login(User.objects.get(username="ann"))
    api.raise_request_exception = browser.raise_request_exception = False
    return [api, browser, APIClient(headers={"accept": "application/json"}, raise_request_exception=False)]


def addresses(cluster: Cluster, methods: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Each method of each address, about what is there as far as that is known."""
    known = {"cluster_id": cluster.id, "release_id": cluster.release_id, "node_id": "1", "graph_type": "default"}
    known["graph_id"] = Graph.objects.get().id
    for route in routes():
        if route.method in methods:
            filled = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)", lambda found: str(known.get(found[1], 99)), route.pattern)
            yield route.method, "/" + filled.rstrip("$").removesuffix("/?").replace("\\", "")


@pytest.mark.usefixtures("clean_redis")
@pytest.mark.parametrize("name", BODIES)
def test_no_body_gives_500(askers: list[APIClient], cluster: Cluster, name: str) -> None:
    kind, sent = BODIES[name]
    # Forms are read before it is known who asks.
    asking = askers if "form" in name else askers[:1]
    for method, address in addresses(cluster, ("post", "put", "patch", "delete")):
        for asker in asking:
            answer = asker.generic(method.upper(), address, sent, content_type=kind)
            assert answer.status_code < 500, (method, address, body(answer)[:500])
            assert answer.status_code < 400 or (b'"message"' in body(answer)), (method, address, body(answer)[:500])


@pytest.mark.usefixtures("clean_redis")
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query[:30])
def test_no_parameter_gives_500(askers: list[APIClient], cluster: Cluster, query: str) -> None:
    for method, address in addresses(cluster, ("get", "put", "delete")):
        if "serialized_tasks" not in address and "docs" not in address:
            answer = askers[0].generic(method.upper(), f"{address}?{query}")
            assert answer.status_code < 500, (method, address, query, body(answer)[:500])


@pytest.mark.parametrize("part", [DIGITS, "0", "%00", "%ff", "1%00", "-1", "%2e%2e", "x" * 5000, "%F0%9F%92%A9", "½", "１"])
def test_no_address_gives_500(askers: list[APIClient], cluster: Cluster, part: str) -> None:
    nouns = ("clusters", "nodes", "releases", "transactions", "tasks", "graphs", "sequences", "notifications")
    for noun in (*nouns, "releases/1/deployment_graphs", "clusters/1/deployment_graphs"):
        for tail in ("", "/", "/deployment_history", "/history", "/attributes"):
            answer = askers[0].generic("GET", f"/api/v1/{noun}/{part}{tail}")
            assert answer.status_code in (200, 400, 404), (noun, part, tail, body(answer)[:500])


@pytest.mark.parametrize("megabytes", [3, 9])
def test_large_bodies_are_read_where_they_are_needed_and_refused_elsewhere(
    askers: list[APIClient], cluster: Cluster, megabytes: int
) -> None:
    sent = json.dumps({"x": "y" * megabytes * MB}).encode()
    for method, address in addresses(cluster, ("post", "put", "patch")):
        for asker in askers:
            answer = asker.generic(method.upper(), address, sent, content_type=JSON)
            assert answer.status_code < 500, (method, address, body(answer)[:500])
            large = any(word in address for word in ("graph", "deployment_tasks", "attributes")) or address.endswith("/nodes")
            if megabytes == 9 or not (large and "defaults" not in address and "execute" not in address):
                assert answer.status_code == 413, (method, address, body(answer)[:500])
                assert answer.json()["message"].startswith("The body is larger than the "), address


def test_a_graph_of_three_megabytes_is_taken(api: APIClient, cluster: Cluster) -> None:
    task = {"id": "a", "type": "shell", "version": "2.1.0", "roles": ["*"], "parameters": {"cmd": "#" * 3 * MB}}
    answer = api.put(f"/api/v1/clusters/{cluster.id}/deployment_graphs/default", {"tasks": [task]}, format="json")
    assert answer.status_code == 200, answer.content
    assert len(Graph.objects.get().tasks[0]["parameters"]["cmd"]) == 3 * MB


def test_the_pages_refuse_as_well(admin_client: Client, client: Client, cluster: Cluster) -> None:
    nine = {"tasks": "x" * 9 * MB}
    for who, address in ((admin_client, "/admin/deployments/graph/add/"), (client, "/admin/login/"), (client, "/"), (client, "/nothing")):
        answer = who.post(address, nine)
        assert (answer.status_code, answer["Content-Type"].split(";")[0]) == (413, "text/plain")
    assert client.post("/admin/login/", {"username": "x" * MB}).status_code == 413
    assert admin_client.post("/admin/deployments/graph/add/", {"tasks": "x" * 3 * MB}).status_code == 200
    for address in (
        "/admin/deployments/node/?status__exact=%00",
        "/admin/deployments/node/%00/change/",
        "/admin/%00",
        "/admin/login/?next=%00",
    ):
        assert admin_client.get(address).status_code == 400
    assert admin_client.get(f"/admin/deployments/node/{DIGITS}/change/").status_code in (302, 404)
    assert Node.objects.count() == 3
