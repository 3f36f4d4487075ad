"""What is known of a task run that is tried again and again: while it pauses, and what a stop still waits for."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

from django.core.management import call_command

from deployments.models import Graph
from deployments.services.clock import SystemClock
from deployments.services.drain import StillRunning, drain_view
from deployments.wire.messages import Report
from history.models import TaskRun
from tests.integration.services.conftest import World
from tests.integration.services.test_owner import rounds


def trying(world: World, pause: float) -> StillRunning:
    """Node 1 has failed the second of six tries of `first`."""
    graph = Graph.objects.get(cluster=world.cluster, type="default")
    graph.tasks[0]["parameters"] = {"cmd": "false", "timeout": 50, "retries": 5, "interval": pause}
    graph.save()
    world.beat("1", "2")
    world.plan(world.deploy())
    rounds(world)
    (order,) = [order for order in world.claim() if order.key.node == "1"]
    rounds(world)
    told = Report(order.key, "trying", "error", "The command ended with exit code 1.", {"try": 2, "tries": 6, "pause": pause})
    world.broker.tell(order.key, world.keys.seal_report(told))
    rounds(world)
    return still(world)


def still(world: World) -> StillRunning:
    view = drain_view(world.cluster.id, SystemClock().now())
    assert view is not None
    return next(run for run in view.running if run.node == "1")


def test_a_pause_between_two_tries_is_told(world: World) -> None:
    run = trying(world, 3600.0)
    assert run.tried is not None
    assert (run.tried.number, run.tried.of, run.tried.reason) == (2, 6, "The command ended with exit code 1.")
    assert run.tried.again_at - run.tried.at == timedelta(hours=1)
    assert run.ends_by == run.tried.again_at + timedelta(seconds=50)

    world.stop()
    stopped = still(world)
    assert stopped.ends_by is not None
    assert stopped.ends_by < stopped.tried.again_at  # type: ignore[union-attr]
    out = StringIO()
    call_command("drain", "c", stdout=out)
    words = " ".join(out.getvalue().replace("│", " ").split())
    for part in ("try 2", "of 6", "failed at", "pausing", "no other"):
        assert part in words
    told = StringIO()
    call_command("drain", "c", "--format", "json", stdout=told)
    (shown,) = [run for run in json.loads(told.getvalue())["running"] if run["node"] == "1"]
    assert shown["tried"]["number"] == 2


def test_the_outcome_takes_the_place_of_what_was_known_of_tries(world: World) -> None:
    trying(world, 10.0)
    row = TaskRun.objects.get(task_name="first", node="1")
    assert row.summary["try"] == 2
    assert row.status == "running"


def test_what_an_agent_says_of_tries_may_be_anything(world: World) -> None:
    trying(world, 10.0)
    TaskRun.objects.filter(task_name="first", node="1").update(summary={"at": 5, "try": [], "pause": "x"})
    assert still(world).tried is None
