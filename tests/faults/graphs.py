"""Plans of 5 to 40 task runs over a few nodes, with everything that a plan may have."""

from __future__ import annotations

import json
import random
from dataclasses import replace

from deployments.core.plan import SYNC_NODE, Bundle, Plan, TaskRun, ToleranceGroup, node_order

SHORT = 3.0
"""Seconds below which a task that fails may be tried again within its attempt."""
PATIENT = 120.0
"""Seconds that some tasks may take longer than they do."""
ENGINE = ("stage", "skipped", "noop", "anchor")


def random_plan(chance: random.Random, nodes: tuple[str, ...], *, troubled: bool) -> Plan:
    """Runs depend on earlier ones only, so there is no circle. `troubled`: some tasks fail."""
    count = chance.randint(5, 40)
    runs = _runs(chance, nodes, count, troubled)
    runs.sort(key=lambda run: (node_order(run.node), run.task))
    order = list(range(len(runs)))
    chance.shuffle(order)
    edges = [
        Bundle((source,), (target,))
        for place, target in enumerate(order)
        for source in order[max(0, place - 6) : place]
        if chance.random() < 0.25
    ]
    if len(order) > 12 and chance.random() < 0.5:
        edges.append(Bundle(tuple(sorted(order[:4])), tuple(sorted(order[-4:]))))
    tasks = sorted({run.task for run in runs if run.type == "shell"})
    limits = {task: chance.randint(1, 2) for task in tasks if chance.random() < 0.2}
    groups = ()
    if chance.random() < 0.25:
        members = tuple(sorted(chance.sample(nodes, chance.randint(1, len(nodes)))))
        groups = (ToleranceGroup("some", members, chance.randint(0, len(members))),)
    return Plan((*nodes, SYNC_NODE), tuple(runs), tuple(edges), groups, limits, chance.choice((0, 0, 1, 2, 3)))


def _runs(chance: random.Random, nodes: tuple[str, ...], count: int, troubled: bool) -> list[TaskRun]:
    places = [(task, node) for task in range(1 + count // len(nodes)) for node in nodes]
    chosen = sorted(chance.sample(places, min(count, len(places))))
    runs = [_run(chance, f"t{task}", node, troubled) for task, node in chosen]
    for task in range(chance.randint(0, 2)):
        runs.append(TaskRun(f"point{task}", SYNC_NODE, "stage"))
    return runs


def _run(chance: random.Random, task: str, node: str, troubled: bool) -> TaskRun:
    if chance.random() < 0.12:
        return TaskRun(task, node, chance.choice(ENGINE))
    seconds = round(chance.choice((0.05, 0.5, 2.0, 6.0, 20.0)) * chance.uniform(0.5, 1.5), 3)
    fails = chance.choice((1, 1, 9)) if troubled and chance.random() < 0.2 else 0
    run = TaskRun(task, node, "shell", parameters=_parameters(chance, f"{task}/{node}", seconds, fails))
    return replace(
        run,
        idempotent=chance.random() < 0.6,
        attempts=chance.choice((1, 2, 2, 3)),
        retry_delay=chance.choice((0.0, 2.0, 6.0, 10.0)),
        fail_on_error=chance.random() < 0.85,
    )


def _parameters(chance: random.Random, run: str, seconds: float, fails: int) -> dict[str, object]:
    retries = chance.choice((0, 1, 2)) if fails and seconds < SHORT else 0
    command = json.dumps({"run": run, "seconds": seconds, "fails": fails, "tries": 1 + retries})
    # A patient one's deadline is so far away that only its lease can tell in time that it was lost.
    return {
        "cmd": command, "timeout": seconds + (PATIENT if chance.random() < 0.3 else 2.0), "retries": retries,
        "interval": chance.choice((0.0, 3.0, 8.0)) if retries else 0,
    }  # fmt: skip
