"""The scheduler's loop on newton with zero durations: how many task runs it decides a second, and how long a rebuild takes."""

from __future__ import annotations

import time
from typing import Any

from deployments.core.events import Begin, Dispatch, RunEnded, RunStarted
from deployments.core.links import link
from deployments.core.scheduling.schedule import Scheduler
from tests.benchmarks.newton import newton_plan

COMPUTES = (10, 50, 200, 1000)


def scheduling() -> list[dict[str, Any]]:
    """A row per size; the loop's decisions include the engine's own runs, and nothing is measured but `handle`."""
    rows = []
    for computes in COMPUTES:
        plan = newton_plan(computes)
        links = link(plan)
        built = time.perf_counter()
        scheduler = Scheduler(plan, links=links)
        building = time.perf_counter() - built
        seconds = _run(scheduler)
        rebuilt = time.perf_counter()
        Scheduler(plan, scheduler.snapshot())
        rebuilding = time.perf_counter() - rebuilt
        rows.append({
            "nodes": f"3+{computes}", "task_runs": len(plan.runs), "links": links.stored, "pairs": links.count(),
            "build_seconds": round(building, 3), "loop_seconds": round(seconds, 3), "runs_per_second": round(len(plan.runs) / seconds),
            "rebuild_seconds": round(rebuilding, 3),
        })  # fmt: skip
    return rows


def _run(scheduler: Scheduler) -> float:
    begun = time.perf_counter()
    instructions = scheduler.handle(Begin(), now=0.0)
    while scheduler.finished is None:
        started = [instruction.run for instruction in instructions if isinstance(instruction, Dispatch)]
        scheduler.handle(*[RunStarted(run) for run in started], now=0.0)
        instructions = scheduler.handle(*[RunEnded(run, "ready") for run in started], now=0.0)
    return time.perf_counter() - begun
