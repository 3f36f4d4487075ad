"""Plans for people: a DOT drawing of the tasks, as Fuel's `graph.gv`, and a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from deployments.core.graph.templates import GROUP_TYPES
from deployments.core.links import Links
from deployments.core.plan import SYNC_NODE, Plan
from deployments.core.wording import counted

_STAGE = "shape=rect, style=filled, color=red"
_GROUP = "shape=box, style=filled, color=lightskyblue"
_SKIPPED = "color=gray, fontcolor=gray"
_ENDS = 5


def dot(plan: Plan, tasks: Iterable[Mapping[str, Any]]) -> str:
    """The tasks of a plan and what they wait for, on whatever nodes.

    Groups are light blue boxes, sync points red; tasks that run on no node are grey.
    """
    lines = ["digraph tasks {", "  rankdir=LR;"]
    groups = [task for task in tasks if task.get("type") in GROUP_TYPES]
    lines += [f"  {_quoted(group['id'])} [{_GROUP}];" for group in groups]
    lines += [f"  {_quoted(task)} [{style}];" if style else f"  {_quoted(task)};" for task, style in _styles(plan).items()]
    pairs = sorted(_task_pairs(plan) | _group_pairs(groups))
    lines += [f"  {_quoted(before)} -> {_quoted(after)};" for before, after in pairs]
    return "\n".join([*lines, "}"])


def table(plan: Plan, links: Links) -> str:
    """One line per task: type, nodes, how many runs are skipped."""
    rows = [("task", "type", "runs", "skipped", "nodes")]
    runs_by_task: dict[str, list[int]] = {}
    for index, run in enumerate(plan.runs):
        runs_by_task.setdefault(run.task, []).append(index)
    for task, indexes in sorted(runs_by_task.items()):
        runs = [plan.runs[index] for index in indexes]
        kind = ", ".join(sorted({run.task_type for run in runs}))
        skipped = sum(run.type == "skipped" for run in runs)
        rows.append((task, kind, str(len(runs)), str(skipped), _some([run.node for run in runs])))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    text = ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip() for row in rows]
    dependencies = f"{links.count():,} {'dependency' if links.count() == 1 else 'dependencies'}"
    return "\n".join([*text, "", f"{counted(len(plan.runs), 'task run')} on {counted(len(plan.nodes), 'node')}, {dependencies}"])


def _styles(plan: Plan) -> dict[str, str]:
    styles: dict[str, str] = {}
    for run in plan.runs:
        style = _STAGE if run.node == SYNC_NODE else _SKIPPED if run.type == "skipped" else ""
        # One node that runs the task is enough for it not to be grey.
        if run.task not in styles or not style:
            styles[run.task] = style
    return dict(sorted(styles.items()))


def _task_pairs(plan: Plan) -> set[tuple[str, str]]:
    pairs = set()
    for bundle in plan.bundles:
        before = {plan.runs[run].task for run in bundle.sources}
        after = {plan.runs[run].task for run in bundle.targets}
        pairs |= {(one, other) for one in before for other in after if one != other}
    return pairs


def _group_pairs(groups: list[Mapping[str, Any]]) -> set[tuple[str, str]]:
    known = {group["id"] for group in groups}
    pairs = {(name, group["id"]) for group in groups for name in _names(group, "requires") if name in known}
    return pairs | {(group["id"], name) for group in groups for name in _names(group, "required_for") if name in known}


def _names(group: Mapping[str, Any], key: str) -> list[str]:
    """Only what is written plainly: a drawing evaluates nothing."""
    written = group.get(key)
    return [name for name in written if isinstance(name, str)] if isinstance(written, list | tuple) else []


def _some(nodes: list[str]) -> str:
    if len(nodes) <= _ENDS:
        return " ".join(nodes)
    return f"{' '.join(nodes[: _ENDS - 1])} … {nodes[-1]}"


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
