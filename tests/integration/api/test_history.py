"""Deployment history by the rules of the specification."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import yaml
from django.utils import timezone
from rest_framework.test import APIClient

from deployments.models import Cluster
from history import recorder
from history.models import Attempt, Snapshot, TaskRun, Transaction
from tests.integration.api.conftest import body, data

START, END = datetime(2026, 1, 1, 12, 0, 0, 123456, UTC), datetime(2026, 1, 1, 12, 0, 5, tzinfo=UTC)
ROWS = [
    ("first", "1", "shell", "ready"), ("first", "2", "shell", "error"), ("=1+1", "1", "shell", "pending"),
    ("sync", "null", "stage", "skipped"), ("first", "master", "shell", "running"),
]  # fmt: skip
TASKS = [
    {"id": "first", "type": "shell", "parameters": {"cmd": "true"}, "task_name": "liar"}, {"id": "=1+1", "type": "shell"},
    {"id": "sync", "type": "stage"}, {"id": "nowhere", "type": "puppet", "roles": ["nobody"]},
]  # fmt: skip


@pytest.fixture
def parent(cluster: Cluster) -> Transaction:
    """A request with two graphs; the second has one row."""
    request = recorder.Request("deploy", cluster.id, "shop", "ann", "because", graph_types=("default", "after"))
    parent = recorder.open_request(request, timezone.now())
    first, second = parent.children.order_by("position")
    for child, rows, tasks in ((first, ROWS, TASKS), (second, [("last", "1", "shell", "ready")], [])):
        Snapshot.of(child.id, "tasks", tasks).save()
        for position, (task, node, kind, status) in enumerate(rows):
            times = {"time_start": START, "time_end": END} if status in ("ready", "error") else {}
            run = TaskRun.objects.create(
                transaction=child, position=position, task_name=task, node=node, type=kind, status=status, summary={"said": task}, **times
            )
            Attempt.objects.create(run=run, attempt=1, node=node, number=run.id, status="ready", dispatched_at=START)
    Snapshot.of(first.id, "settings", {"editable": {"a": {}}}).save()
    Snapshot.of(first.id, "deployment_info", {"common": {}, "nodes": {}}).save()
    Transaction.objects.filter(parent=parent).update(recorded_at=END, status="ready")
    Transaction.objects.filter(id=parent.id).update(status="ready")
    return parent


def names(api: APIClient, transaction: Transaction, query: str = "") -> list[tuple[str, str | None]]:
    answer = api.get(f"/api/v1/transactions/{transaction.id}/deployment_history/?{query}")
    assert answer.status_code == 200, answer.content
    return [(item["task_name"], item["node_id"]) for item in data(answer)]


def test_a_request_has_the_history_of_all_its_graphs(api: APIClient, parent: Transaction) -> None:
    first = [("first", "1"), ("first", "2"), ("=1+1", "1"), ("sync", None), ("first", "master"), ("nowhere", "-")]
    assert names(api, parent) == [*first, ("last", "1")]
    assert names(api, parent.children.order_by("position")[0]) == first


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("nodes=1,2", [("first", "1"), ("first", "2"), ("=1+1", "1"), ("last", "1")]),
        ("nodes=1&nodes=2", [("first", "1"), ("first", "2"), ("=1+1", "1"), ("last", "1")]),
        ("nodes=99&nodes=2,master&statuses=error&statuses=running", [("first", "2"), ("first", "master")]),
        ("tasks_names=sync&tasks_names=last", [("sync", None), ("last", "1")]),
        ("nodes=master", [("first", "master")]),
        ("nodes=null", [("sync", None)]),
        ("nodes=1&statuses=ready,pending", [("first", "1"), ("=1+1", "1"), ("last", "1")]),
        ("statuses=skipped", [("sync", None), ("nowhere", "-")]),
        ("statuses=error", [("first", "2")]),
        ("tasks_names=nowhere", [("nowhere", "-")]),
        ("tasks_names=last,unknown", [("last", "1")]),
        ("nodes=99", []),
        ("statuses=&nodes=2", [("first", "2")]),
    ],
)
def test_filters(api: APIClient, parent: Transaction, query: str, expected: list[tuple[str, str | None]]) -> None:
    assert names(api, parent, query) == expected


def test_an_item_has_the_definition_of_its_task(api: APIClient, parent: Transaction) -> None:
    address = f"/api/v1/transactions/{parent.id}/deployment_history"
    item = data(api.get(f"{address}?nodes=1&tasks_names=first"))[0]
    assert item == {
        "task_name": "first", "node_id": "1", "status": "ready", "time_start": "2026-01-01T12:00:00.123456",
        "time_end": "2026-01-01T12:00:05", "type": "shell", "parameters": {"cmd": "true"}, "attempts": 0, "reason": "",
    }  # fmt: skip
    item = data(api.get(f"{address}?nodes=1&tasks_names=first&include_summary=1&include_attempts=1"))[0]
    assert item["summary"] == {"said": "first"}
    assert [attempt["status"] for attempt in item["tries"]] == ["ready"]


def test_without_a_version_it_is_told_in_the_words_of_the_specification(api: APIClient, parent: Transaction) -> None:
    address = f"/api/transactions/{parent.id}/deployment_history"
    first, second = parent.children.order_by("position")
    found = data(api.get(address))
    assert [(item["deployment_graph_task_name"], item["node_id"], item["task_id"]) for item in found] == [
        *((task, node, first.id) for task, node, _, _ in ROWS), ("last", "1", second.id),
    ]  # fmt: skip
    run = TaskRun.objects.get(transaction=first, task_name="first", node="2")
    assert data(api.get(f"{address}/?nodes=1&nodes=2&statuses=error,running")) == [{
        "id": run.id, "task_id": first.id, "node_id": "2", "deployment_graph_task_name": "first",
        "time_start": 1767268800, "time_end": 1767268805, "status": "error",
    }]  # fmt: skip
    (waiting,) = data(api.get(f"{address}?tasks_names==1%2B1&tasks_names=%3D1%2B1"))
    assert (waiting["time_start"], waiting["time_end"]) == (None, None)
    assert [item["node_id"] for item in data(api.get(f"{address}?nodes=null"))] == ["null"]
    lines = body(api.get(f"{address}?nodes=2", headers={"accept": "text/csv"})).decode().splitlines()
    assert lines[0] == "id,task_id,node_id,deployment_graph_task_name,time_start,time_end,status"


def test_the_specification_s_address_refuses_what_it_can_not_tell(api: APIClient, parent: Transaction) -> None:
    address = f"/api/transactions/{parent.id}/deployment_history"
    assert api.get("/api/transactions/99/deployment_history").status_code == 404
    for method in ("put", "post", "delete"):
        assert getattr(api, method)(address).status_code == 405
    assert api.get(f"{address}?statuses=stopped").status_code == 400
    said = api.get(f"{address}?include_summary=1")
    assert (said.status_code, "/api/v1/" in said.json()["message"]) == (400, True)
    assert api.get(f"{address}?include_summary=0").status_code == 200
    assert APIClient().get(address).status_code == 401


def test_long_lists_come_in_pieces_and_whole(api: APIClient, parent: Transaction) -> None:
    child = parent.children.order_by("position")[1]
    rows = [TaskRun(transaction=child, position=number + 1, task_name="many", node=f"n{number}", type="shell") for number in range(1001)]
    TaskRun.objects.bulk_create(rows)
    address = f"/api/v1/transactions/{parent.id}/deployment_history/?tasks_names=many"
    answer = api.get(address)
    pieces = list(answer.streaming_content)
    assert len(pieces) == 7
    found = json.loads(b"".join(pieces))
    assert [item["node_id"] for item in found] == [row.node for row in rows]
    assert yaml.safe_load(body(api.get(address, headers={"accept": "application/x-yaml"}))) == found
    page = body(api.get(address, headers={"accept": "text/html"})).decode()
    assert "n999&quot;" in page and "n1000&quot;" not in page


@pytest.mark.parametrize(("accept", "said"), [("application/json", b"[]"), ("application/x-yaml", b"[]\n")])
def test_an_empty_list_is_one(api: APIClient, parent: Transaction, accept: str, said: bytes) -> None:
    answer = api.get(f"/api/v1/transactions/{parent.id}/deployment_history/?nodes=99", headers={"accept": accept})
    assert body(answer) == said


def test_csv_is_safe_to_open(api: APIClient, parent: Transaction) -> None:
    answer = api.get(f"/api/v1/transactions/{parent.id}/deployment_history/", headers={"accept": "text/csv"})
    assert answer["Content-Type"].startswith("text/csv")
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert lines[:4] == [
        "task_name,node_id,status,type,time_start,time_end",
        "first,1,ready,shell,2026-01-01T12:00:00.123456,2026-01-01T12:00:05",
        "first,2,error,shell,2026-01-01T12:00:00.123456,2026-01-01T12:00:05",
        "'=1+1,1,pending,shell,,",
    ]
    assert lines[4] == "sync,,skipped,stage,,"
    assert "nowhere,-,skipped,puppet,," in lines


def test_what_can_not_be_asked(api: APIClient, parent: Transaction) -> None:
    address = f"/api/v1/transactions/{parent.id}/deployment_history/"
    assert api.put(address).status_code == 405
    answer = api.get(f"{address}?statuses=stopped")
    assert answer.status_code == 400
    assert answer.json()["message"] == "Statuses parameter could be only: pending, ready, running, error, skipped"


def test_what_it_was_planned_from(api: APIClient, parent: Transaction) -> None:
    first = parent.children.order_by("position")[0]
    assert api.get(f"/api/v1/transactions/{first.id}/settings").json() == {"editable": {"a": {}}}
    assert api.get(f"/api/v1/transactions/{first.id}/deployment_info").json() == {"common": {}, "nodes": {}}
    assert api.get(f"/api/v1/transactions/{first.id}/network_configuration/").json() is None


def test_deleting_hides_and_keeps(api: APIClient, parent: Transaction) -> None:
    assert api.delete(f"/api/v1/transactions/{parent.id}/").status_code == 204
    Transaction.objects.exclude(deleted_at=None).update(deleted_at=END)
    assert [row["id"] for row in api.get("/api/v1/tasks/").json()] == []
    missing = api.get(f"/api/v1/tasks/{parent.id}/")
    assert (missing.status_code, missing.json()["message"]) == (
        404, "Task not found: it was deleted at 2026-01-01 12:00:05 UTC; it is still among the transactions, with its history."
    )  # fmt: skip
    shown = next(row for row in api.get("/api/v1/transactions/").json() if row["id"] == parent.id)
    assert (shown["deleted"], shown["deleted_at"]) == (True, "2026-01-01T12:00:05")
    assert names(api, parent, "nodes=2") == [("first", "2")]


@pytest.mark.parametrize("version", ["", "v1/"])
def test_tasks_are_deprecated_under_both_addresses(api: APIClient, parent: Transaction, version: str) -> None:
    assert api.get(f"/api/{version}transactions/{parent.id}").json()["deleted_at"] is None
    for address in (f"/api/{version}tasks", f"/api/{version}tasks/{parent.id}/", f"/api/{version}tasks/99"):
        answer = api.get(address)
        assert answer.status_code == (404 if "99" in address else 200)
        assert answer["Deprecation"] == "@1467331200"
        assert answer["Link"] == f'<{address.replace("tasks", "transactions")}>; rel="successor-version"'
    assert not api.get(f"/api/{version}transactions/").has_header("Deprecation")


def test_what_runs_is_not_deleted_without_force(api: APIClient, parent: Transaction) -> None:
    Transaction.objects.filter(id=parent.id).update(status="running")
    answer = api.delete(f"/api/v1/transactions/{parent.id}/?force=0")
    assert (answer.status_code, answer.json()["message"]) == (400, "You cannot delete running task manually")
    assert api.delete(f"/api/v1/transactions/{parent.id}/?force=1").status_code == 204
