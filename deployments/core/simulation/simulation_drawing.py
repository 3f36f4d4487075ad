"""A simulation as a DOT drawing: every task run in the colour of what became of it (Astute's colours)."""

from __future__ import annotations

from collections.abc import Iterator

from deployments.core.links import link
from deployments.core.plan import ENGINE_TYPES, SYNC_NODE
from deployments.core.simulation.bounds import critical_path
from deployments.core.simulation.durations import Durations
from deployments.core.simulation.simulate import SimulationResult

COLOURS = {"ready": "palegreen", "error": "salmon", "skipped": "plum", "pending": "white"}
BLOCKED = "orange"
SYNC_POINT = "cyan"


def dot(result: SimulationResult, durations: Durations) -> str:
    """Task runs, one cluster of them per node, and what they wait for; join vertices are points, the critical path is bold."""
    plan = result.plan
    links = link(plan)
    path = critical_path(plan, durations, links)
    bold = set(zip(path, path[1:], strict=False))
    lines = ["digraph simulation {", "  rankdir=LR;", "  node [shape=box, style=filled];"]
    for number, node in enumerate(plan.nodes):
        lines.append(f"  subgraph cluster_{number} {{ label={_quoted(f'node {node}')};")
        lines += [f"    {_vertex(result, run)}" for run, planned in enumerate(plan.runs) if planned.node == node]
        lines.append("  }")
    lines += [f"  {vertex} [shape=point];" for vertex in range(links.runs, len(links.successors))]
    for before, successors in enumerate(links.successors):
        lines += [f"  {before} -> {after}{' [penwidth=3]' if (before, after) in bold else ''};" for after in successors]
    return "\n".join([*lines, "}"])


def _vertex(result: SimulationResult, run: int) -> str:
    if result.plan.runs[run].is_barrier:
        return f"{run} [shape=point];"
    return f"{run} [label={_quoted(' '.join(_label(result, run)))}, fillcolor={_colour(result, run)}];"


def _label(result: SimulationResult, run: int) -> Iterator[str]:
    yield result.plan.runs[run].name
    if run in result.starts and result.finishes.get(run, 0) > result.starts[run]:
        yield f"{result.starts[run]:g}–{result.finishes[run]:g} s"


def _colour(result: SimulationResult, run: int) -> str:
    planned = result.plan.runs[run]
    if run in result.blocked:
        return BLOCKED
    if planned.node == SYNC_NODE and planned.type in ENGINE_TYPES and run in result.finishes:
        return SYNC_POINT
    return COLOURS.get(result.status[run], "white")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
