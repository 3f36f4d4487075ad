"""How long a deployment takes: task by task, against the shortest possible and against role by role."""

from __future__ import annotations

from typing import Any

from deployments.core.planning.role_based import role_based
from deployments.core.simulation.bounds import critical_path, lower_bound, path_seconds
from deployments.core.simulation.simulate import simulate
from tests.benchmarks.newton import durations, newton_plan, tasks

COMPUTES = (10, 50, 200)


def makespan() -> list[dict[str, Any]]:
    """Seconds on the virtual clock; at most 50 busy nodes."""
    times = durations()
    rows = []
    for computes in COMPUTES:
        plan = newton_plan(computes)
        task_based = simulate(plan, times).makespan
        by_role = simulate(role_based(plan, tasks()), times).makespan
        rows.append({
            "nodes": f"3+{computes}", "task_based": task_based, "lower_bound": lower_bound(plan, times),
            "critical_path": path_seconds(plan, critical_path(plan, times), times), "role_based": by_role,
            "role_to_task": round(by_role / task_based, 2),
        })  # fmt: skip
    return rows
