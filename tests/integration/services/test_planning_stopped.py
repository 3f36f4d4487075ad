"""A stop while a request is planned: the planner gives up where it stands, and leaves no row behind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from deployments.core.planning import planner
from deployments.core.time_limit import no_limit
from deployments.services import planning
from history.models import Event, Snapshot, TaskRun, Transaction
from history.recorder import planned
from tests.integration.services.conftest import World


def then(what: Callable[[], object], function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, and afterwards this, once."""
    done: list[object] = []

    def both(*args: Any, **kwargs: Any) -> Any:
        answer = function(*args, **kwargs)
        if not done:
            done.append(what())
        return answer

    return both


@pytest.mark.parametrize("step", ["before", "placing", "runs", "relations", "linking", "first rows", "all rows"])
def test_nothing_is_planned_after_a_stop(world: World, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    monkeypatch.setattr(planning, "LOOK_EVERY", timedelta(0))
    monkeypatch.setattr(planned, "_CHUNK", 2)
    parent = world.deploy()
    where: dict[str, tuple[object, str]] = {
        "placing": (planner.TaskTemplate, "name"), "runs": (planner._Planner, "_run"), "relations": (planner, "lint"),
        "linking": (planner, "link"), "first rows": (TaskRun.objects, "bulk_create"),
    }  # fmt: skip
    if step == "before":
        world.stop()
    elif step == "all rows":
        # Everything is there but the last commit.
        monkeypatch.setattr(planned, "range", lambda *_: then_stop(world), raising=False)
    else:
        owner, name = where[step]
        monkeypatch.setattr(owner, name, then(world.stop, getattr(owner, name)))
    assert not planning.plan_next(parent.id, world.tools, no_limit)
    parent.refresh_from_db()
    assert (parent.status, parent.message) == ("stopped", "Stopped before anything was started.")
    assert Transaction.objects.get(parent=parent).status == "stopped"
    assert not TaskRun.objects.exists()
    assert not Snapshot.objects.exists()
    assert not Event.objects.filter(new="planned").exists()
    assert Transaction.objects.get(name="stop_deployment").status == "ready"


def then_stop(world: World) -> range:
    world.stop()
    return range(0)
