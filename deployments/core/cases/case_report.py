"""A simulation in Astute's words, so that it can be compared with what Astute itself did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployments.core.errors import CriticalNodesOffline
from deployments.core.plan import SYNC_NODE, node_order
from deployments.core.simulation.bounds import critical_path, lower_bound, lower_bounds
from deployments.core.simulation.durations import Durations
from deployments.core.simulation.simulate import SimulationResult

WORDS = {"ready": "successful", "error": "failed", "skipped": "skipped", "pending": "skipped"}
"""Our stored states → Astute's. A run that a stop or an exceeded tolerance kept from starting is `skipped`."""

SUCCESS = {"stopped": None, "error": False}
"""Astute calls whatever was not broken off a success, whichever nodes were left undone."""


def case_report(result: SimulationResult, durations: Durations, node_words: Mapping[str, str] | None = None) -> dict[str, Any]:
    """`{success, tasks, nodes, failed_nodes, skipped_nodes, failed_tasks, emergency_brake, reason, makespan, starts, finishes,
    critical_path, lower_bound}`.

    Raises:
        CriticalNodesOffline: a critical node was offline, so there was no run to tell about.
    """
    refuse_critical_offline(result)
    runs = result.plan.runs
    nodes = _nodes(result, node_words or {})
    return {
        "success": SUCCESS[result.finish.status] if result.drained else True,
        "tasks": {run.name: "dep_failed" if index in result.blocked else WORDS[result.status[index]] for index, run in enumerate(runs)},
        "nodes": nodes,
        "failed_nodes": [uid for uid, word in nodes.items() if word == "failed"],
        "skipped_nodes": [uid for uid, word in nodes.items() if word == "skipped"],
        "failed_tasks": [run.name for index, run in enumerate(runs) if result.status[index] == "error"],
        "emergency_brake": result.drained,
        "reason": result.finish.reason or None,
        "makespan": result.makespan,
        "starts": {runs[run].name: at for run, at in result.starts.items()},
        "finishes": {runs[run].name: at for run, at in result.finishes.items()},
        "critical_path": [runs[run].name for run in critical_path(result.plan, durations)],
        "lower_bound": lower_bound(result.plan, durations),
    }


def _nodes(result: SimulationResult, node_words: Mapping[str, str]) -> dict[str, str]:
    names = sorted({*result.plan.nodes, SYNC_NODE}, key=node_order)
    usual = {uid: "skipped" if result.drained else node_words.get(uid, "online") for uid in names}
    return {uid: "failed" if uid in result.failed_nodes else word for uid, word in usual.items()}


def refuse_critical_offline(result: SimulationResult) -> None:
    """Let a simulation pass in which anything could start.

    Raises:
        CriticalNodesOffline: names the nodes.
    """
    if result.critical_offline:
        raise CriticalNodesOffline(result.finish.reason, node=result.critical_offline[0])


def summary(result: SimulationResult, durations: Durations) -> dict[str, Any]:
    """The figures of a simulation, without its lists."""
    runs = range(len(result.plan.runs))
    bound = lower_bounds(result.plan, durations)[0]
    return {
        "status": result.finish.status,
        "reason": result.finish.reason or None,
        "makespan": result.makespan,
        "lower_bound": bound.seconds,
        "bound_by": bound.what,
        "counts": {
            "tasks": len(runs),
            "ready": sum(result.status[run] == "ready" for run in runs),
            "skipped": sum(result.status[run] == "skipped" for run in runs),
            "error": sum(result.status[run] == "error" for run in runs),
            "blocked": len(result.blocked),
            "not_started": sum(result.status[run] == "pending" and run not in result.blocked for run in runs),
            "nodes": len(result.plan.nodes),
        },
    }
