"""How long tasks usually take, and how far nodes' numbers have come: both are read without reading the whole past."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from history import queries
from history.models import Attempt, TaskRun, Transaction

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def deployment(seconds: float, *, cluster: int = 1, status: str = "ready", rehearsal: object = None) -> None:
    """A finished one, in which `a` took so long on node 1."""
    common = {"cluster_id": cluster, "actor": "ann", "created_at": NOW, "status": "ready", "rehearsal": rehearsal}
    parent = Transaction.objects.create(name="deploy", **common)
    child = Transaction.objects.create(name="deployment", parent=parent, recorded_at=NOW, **common)
    run = TaskRun.objects.create(transaction=child, position=0, node="1", task_name="a", type="shell", status=status, attempts=1)
    Attempt.objects.create(run=run, attempt=1, node="1", number=run.id, status=status, dispatched_at=NOW, duration=seconds)


def test_the_latest_deployments_tell_how_long_a_task_takes() -> None:
    for seconds in range(30, 0, -1):
        deployment(seconds)
    deployment(77, cluster=2)
    deployment(88, status="error")
    deployment(99, rehearsal={"speed": 1})
    # The newest of the cluster; one of them failed.
    assert queries.durations(1, {"a"}, rehearsed=False) == {"a": [float(seconds) for seconds in range(1, 20)]}
    assert queries.durations(1, {"a"}, rehearsed=True) == {"a": [99.0]}
    assert queries.durations(1, {"b"}, rehearsed=False) == {}
    assert queries.usual_durations(2) == {"a": 77.0}


def test_the_highest_number_of_each_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "_AT_ONCE", 2)
    for seconds in (1, 2):
        deployment(seconds)
    highest = Attempt.objects.latest("number").number
    Attempt.objects.filter(number=highest).update(node="2")
    assert queries.highest_numbers(["1", "nobody", "2"]) == {"1": highest - 1, "2": highest}
    assert queries.highest_numbers([]) == {}
