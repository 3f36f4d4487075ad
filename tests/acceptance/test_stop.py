"""The specification's acceptance: a deployment stopped in the middle waits for what runs, and the next ordinary deploy succeeds."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from deployments.models import Cluster, Node
from fuelweb.supervisor import Supervisor
from history import queries as history
from history.models import Attempt, Event, TaskRun, Transaction
from tests.acceptance.proof import verify_all
from tests.acceptance.test_newton import newton, wait_until_over

__all__ = ["newton"]

MOMENTS = int(os.environ.get("STOP_MOMENTS", "3"))
"""How many random moments; 20 for the full proof."""
SEED = int(os.environ.get("STOP_SEED", "1"))
SPEED = 3000
LASTS = 4.5
"""Seconds that the rehearsal takes at this speed."""


def test_stop_at_random_moments_and_go_on(running_system: Supervisor, newton: Cluster, shared: Path) -> None:
    chance = random.Random(SEED)
    durations = shared / "cases/traversal/durations.json"
    for turn in range(MOMENTS):
        moment = chance.uniform(0.0, LASTS)
        call_command("deploy", "newton", rehearse=SPEED, durations=durations, reason=f"turn {turn}")
        _wait_for_the_first_runs()
        time.sleep(moment)
        call_command("stop", "newton", reason="tea")
        stopped = wait_until_over(60)
        _ended_as_stopped(stopped, f"turn {turn}, stopped after {moment:.2f} s, seed {SEED}")
        assert verify_all() == turn + 1

    call_command("deploy", "newton", rehearse=SPEED, durations=durations, reason="go on")
    done = wait_until_over()

    assert done.status == "ready", done.message
    rows = history.task_runs(done)
    assert rows.count() == 910
    assert set(rows.values_list("status", flat=True)) == {"ready", "skipped"}
    assert set(Node.objects.filter(cluster=newton).values_list("status", flat=True)) == {"ready"}
    assert Cluster.objects.get(id=newton.id).status == "operational"
    assert not Transaction.objects.filter(status__in=("pending", "running")).exists()
    assert verify_all() == MOMENTS + 1


def test_a_second_stop_is_refused_and_so_is_one_of_nothing(running_system: Supervisor, newton: Cluster, shared: Path) -> None:
    with pytest.raises(CommandError, match="Nothing to stop"):
        call_command("stop", "newton")
    call_command("deploy", "newton", rehearse=100, durations=shared / "cases/traversal/durations.json")
    _wait_for_the_first_runs()
    call_command("stop", "newton")
    with pytest.raises(CommandError, match="already stopping"):
        call_command("stop", "newton")
    call_command("drain", "newton")
    assert wait_until_over(60).status == "stopped"
    assert verify_all() == 1


def _wait_for_the_first_runs() -> None:
    deadline = time.monotonic() + 60
    while not TaskRun.objects.filter(transaction__status="running").exclude(status="pending").exists():
        assert time.monotonic() < deadline, "nothing was started"
        time.sleep(0.02)


def _ended_as_stopped(parent: Transaction, when: str) -> None:
    if parent.status == "ready":
        pytest.fail(f"it was over before it was stopped ({when}): {parent.message} {parent.time_start} {parent.time_end}")
    assert parent.status == "stopped", when
    rows = history.task_runs(parent)
    assert not rows.filter(status="running").exists(), when
    assert not rows.filter(status="error").exists(), when
    assert not Attempt.objects.filter(run__in=rows, status__in=("dispatched", "started")).exists(), when
    _nothing_claimed_after_the_flag(parent, when)
    _nodes_tell_how_far_they_came(parent, when)


def _nothing_claimed_after_the_flag(parent: Transaction, when: str) -> None:
    events = list(Event.objects.filter(transaction=parent).order_by("seq").values_list("subject", "new", "run", "attempt"))
    door = next(index for index, event in enumerate(events) if event[:2] == ("transaction", "draining"))
    before = {event[2:] for event in events if event[:2] == ("attempt", "claimed")}
    late = [event for event in events[door:] if event[:2] == ("attempt", "started") and event[2:] not in before]
    assert not late, when
    assert not [event for event in events[door:] if event[:2] == ("attempt", "dispatched")], when


def _nodes_tell_how_far_they_came(parent: Transaction, when: str) -> None:
    rows = history.task_runs(parent).exclude(node="null")
    for node in Node.objects.filter(cluster_id=parent.cluster_id):
        own = rows.filter(node=node.uid)
        begun = own.filter(attempts__gt=0).exclude(time_start=None).exists()
        left = own.filter(status="pending").exists()
        if begun:
            assert node.status == ("stopped" if left else "ready"), f"node {node.uid}, {when}"
    begun = rows.filter(attempts__gt=0).exclude(time_start=None).exists()
    assert not begun or Cluster.objects.get(id=parent.cluster_id).status == "partially_deployed", when
