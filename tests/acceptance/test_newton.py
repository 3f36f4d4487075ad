"""The main job: a real graph of 200 tasks on 3 controllers and 10 computes, rehearsed through real Celery workers."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import pytest
from django.core.management import call_command

from deployments.core.plan import ENGINE_TYPES, Plan
from deployments.models import Cluster
from fuelweb.supervisor import Supervisor
from history import queries as history
from history.models import Attempt, Event, TaskRun, Transaction

SPEED = 3000


def wait_until_over(seconds: float = 120) -> Transaction:
    """The newest request, once it is over."""
    deadline = time.monotonic() + seconds
    while (parent := Transaction.objects.filter(parent=None, name="deploy").latest("id")).status in ("pending", "running"):
        assert time.monotonic() < deadline, f"{parent} is not over after {seconds} s"
        time.sleep(0.2)
    return parent


@pytest.fixture
def newton(shared: Path) -> Cluster:
    """The cluster of the conformance case, with the newton library as its graph."""
    call_command("load_cluster", str(shared / "cases/planning/c05-3ctl-10cmp.input.json"), name="newton")
    call_command("graph", "upload", "--cluster", "newton", str(shared / "graphs/fuel-library-newton-tasks.yaml"))
    return Cluster.objects.get(name="newton")


def test_newton_on_thirteen_nodes(running_system: Supervisor, newton: Cluster, shared: Path) -> None:
    durations = shared / "cases/traversal/durations.json"
    call_command("deploy", "newton", rehearse=SPEED, durations=durations, reason="acceptance")

    parent = wait_until_over()

    assert parent.status == "ready", parent.message
    child = history.children(parent)[0]
    rows = list(TaskRun.objects.filter(transaction=child).order_by("position"))
    assert len(rows) == 910
    assert {row.status for row in rows} <= {"ready", "skipped"}
    plan = Plan.from_data(history.snapshot(child.id, "plan"))
    times = _times(rows)
    _order_holds(plan, times)
    _one_at_a_time(plan, rows)
    _limits_hold(plan, rows)
    _took_as_long_as_asked(plan, rows, json.loads(durations.read_text()))
    assert Attempt.objects.filter(run__transaction=child).count() == sum(run.type not in ENGINE_TYPES for run in plan.runs)
    assert list(Event.objects.filter(transaction=parent).values_list("seq", flat=True)) == list(range(1, parent.event_seq + 1))
    call_command("verify", parent.id)


def _times(rows: list[TaskRun]) -> list[tuple[datetime, datetime]]:
    for row in rows:
        assert row.time_start is not None and row.time_end is not None, f"{row} has no times"
    return [(row.time_start, row.time_end) for row in rows]


def _order_holds(plan: Plan, times: list[tuple[datetime, datetime]]) -> None:
    wrong = [(plan.runs[before].name, plan.runs[after].name) for before, after in plan.edges() if times[before][1] > times[after][0]]
    assert not wrong


def _one_at_a_time(plan: Plan, rows: list[TaskRun]) -> None:
    by_node = defaultdict(list)
    for row in rows:
        if plan.runs[row.position].type not in ENGINE_TYPES:
            by_node[row.node].append((row.time_start, row.time_end, row.task_name))
    for node, spans in by_node.items():
        spans.sort()
        overlaps = [(a[2], b[2]) for a, b in zip(spans, spans[1:], strict=False) if a[1] > b[0]]
        assert not overlaps, f"at once on node {node}: {overlaps}"


def _limits_hold(plan: Plan, rows: list[TaskRun]) -> None:
    for task, limit in plan.limits.items():
        spans = [row for row in rows if row.task_name == task and plan.runs[row.position].type not in ENGINE_TYPES]
        moments = sorted([(row.time_end, 0, -1) for row in spans] + [(row.time_start, 1, 1) for row in spans])
        level = most = 0
        for _, _, step in moments:
            level += step
            most = max(most, level)
        assert most <= limit, f"{most} nodes ran {task} at once; its limit is {limit}"


def _took_as_long_as_asked(plan: Plan, rows: list[TaskRun], durations: dict[str, float]) -> None:
    for row in rows:
        if plan.runs[row.position].type not in ENGINE_TYPES:
            wanted = durations[row.task_name] / SPEED
            # Times are recorded in milliseconds.
            assert (row.time_end - row.time_start).total_seconds() >= wanted - 0.002, f"{row} was too quick for {wanted} s"
