"""What Fuel can't tell."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from deployments.core.plan import Bundle, Plan, TaskRun
from deployments.models import Cluster
from history.models import Transaction
from tests.integration.recorded import Recorded

PLAN = Plan(nodes=("1",), runs=(TaskRun("first", "1", "shell"), TaskRun("second", "1", "shell")), bundles=(Bundle((0,), (1,)),))


@pytest.fixture
def running(cluster: Cluster) -> Recorded:
    """A deployment in which nothing has been started yet."""
    return Recorded(PLAN, cluster.id)


def test_why_something_waits(api: APIClient, running: Recorded) -> None:
    address = f"/api/v1/transactions/{running.parent.id}/why/"
    answer = api.get(f"{address}?node=1&task=second").json()
    assert answer["why"].startswith("second/1 ")
    assert "first" in answer["why"]
    assert api.get(address).status_code == 400
    assert api.get(f"{address}?node=1&task=secnd").status_code == 404


def test_what_a_stop_waits_for(api: APIClient, running: Recorded) -> None:
    answer = api.get(f"/api/transactions/{running.parent.id}/drain/").json()
    assert (answer["over"], answer["stopping"], answer["running"], answer["waiting"]) == (False, False, [], 2)
    Transaction.objects.update(status="ready")
    assert api.get(f"/api/v1/transactions/{running.parent.id}/drain/").json()["over"] is True


def test_what_failed_and_the_log_and_its_proof(api: APIClient, running: Recorded) -> None:
    address = f"/api/v1/transactions/{running.parent.id}"
    assert api.get(f"{address}/failures/").json()[0]["graph"] == "default"
    events = api.get(f"{address}/events/?after=1").json()
    assert [event["seq"] for event in events] == list(range(2, 2 + len(events)))
    assert {event["actor"] for event in events} == {"me"}
    assert api.get(f"{address}/events/?after=999999999999").json() == []
    proof = api.get(f"{address}/verify/").json()
    assert (proof["transaction"], proof["findings"]) == (running.parent.id, [])


def test_the_biography_of_a_node(api: APIClient, running: Recorded) -> None:
    rows = running.child.rows
    Transaction.objects.get(id=running.child.id).task_runs.filter(position=0).update(
        status="ready", time_start="2026-01-01T12:00:00Z", time_end="2026-01-01T12:00:01Z"
    )
    assert len(rows) == 2
    (told,) = api.get("/api/v1/nodes/1/history/").json()
    assert (told["task_name"], told["status"], told["actor"], told["request"], told["transaction"]) == (
        "first", "ready", "ann", running.parent.id, running.child.id,
    )  # fmt: skip
    assert api.get("/api/v1/nodes/1/history/?cursor=x").status_code == 400
    assert api.get("/api/v1/nodes/2/history").json() == []
