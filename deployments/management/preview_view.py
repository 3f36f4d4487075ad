"""A preview on the terminal: by task or by node, few lines even for hundreds of nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TextIO

from rich.table import Table
from rich.text import Text

from deployments.core.plan import SYNC_NODE, node_order
from deployments.core.planning.preview import Line, Preview
from deployments.core.wording import listed
from deployments.management.console import console
from deployments.services.due_graphs import Due
from deployments.services.preview import Shown

_COLOURS = {"run": "cyan", "reuse": "green", "new": "yellow", "gone": "red"}
_MOST_RANGES = 6
_MOST_TASKS = 4
_MOST_REASONS = 10
"""A pipe has no width: a table cut to 80 columns would lose what it is there to tell."""


def as_data(found: Due, shown: Sequence[Shown]) -> dict[str, Any]:
    """What is due, for programs; of several graphs one after the other, and without a token."""
    if len(shown) == 1:
        return {**_graph_data(shown[0]), "leaving": list(found.leaving), "token": shown[0].token}
    graphs = [{"graph": graph.type, **_graph_data(one)} for graph, one in zip(found.graphs, shown, strict=True)]
    return {"graphs": graphs, "leaving": list(found.leaving), "token": None}


def _graph_data(shown: Shown) -> dict[str, Any]:
    preview = shown.preview
    return {
        "counts": preview.counts(),
        "runs": [
            {
                "task": line.task,
                "node": _json_node(line.node),
                "type": line.type,
                "action": line.action,
                "new": line.is_new,
                "why": line.why,
            }
            for line in preview.lines
        ],  # fmt: skip
        "gone": [{"task": task, "node": _json_node(node)} for task, node in preview.gone],
        "order": shown.order,
    }


def show(preview: Preview, by: str, out: TextIO) -> None:
    """Print what would run, be kept or is gone; of what is skipped, a line for each reason."""
    screen = console(out)
    rows = list(_by_node(preview) if by == "node" else _by_task(preview))
    if rows:
        heads = ("nodes", "what", "tasks", "why") if by == "node" else ("task", "what", "nodes", "why")
        table = Table(*heads)
        for first, what, others, why in rows:
            table.add_row(Text(first), Text(what, style=_COLOURS[what.split()[-1]]), Text(others), Text(why))
        screen.print(table)
    counts = preview.counts()
    screen.print(
        f"{counts['run']} would run, {counts['reuse']} be reused, {counts['skip']} be skipped; "
        f"{counts['new']} of them are new, {counts['gone']} are gone."
    )
    for line in _skipped(preview):
        screen.print(Text(line), soft_wrap=True)


def node_ranges(nodes: Iterable[str], most: int = _MOST_RANGES) -> str:
    """`1-3, 7 (4)`: numbers in a row as ranges, the rest counted when there are too many."""
    ordered = sorted(set(nodes), key=node_order)
    if len(ordered) == 1:
        return ordered[0]
    parts = [first if first == last else f"{first}-{last}" for first, last in _ranges(ordered)]
    shown = parts if len(parts) <= most else [*parts[:most], "…"]
    return f"{', '.join(shown)} ({len(ordered)})"


def _ranges(ordered: list[str]) -> Iterator[tuple[str, str]]:
    first = last = ordered[0]
    for node in ordered[1:]:
        if node.isdecimal() and last.isdecimal() and int(node) == int(last) + 1:
            last = node
            continue
        yield first, last
        first = last = node
    yield first, last


def _skipped(preview: Preview) -> Iterator[str]:
    """`2 skipped: it is … – netconfig (puppet), hosts (shell)`, the commonest reason first."""
    by_why: dict[str, list[Line]] = {}
    for line in preview.lines:
        if line.action == "skip":
            by_why.setdefault(line.why, []).append(line)
    ordered = sorted(by_why.items(), key=lambda item: -len(item[1]))
    for why, lines in ordered[:_MOST_REASONS]:
        tasks = list(dict.fromkeys(f"{line.task} ({line.type})" for line in lines))
        yield f"{len(lines)} skipped: {why} – {listed(tasks, _MOST_TASKS)}"
    if rest := sum(len(lines) for _, lines in ordered[_MOST_REASONS:]):
        yield f"{rest} skipped for other reasons (--format json shows all)"


def _by_task(preview: Preview) -> Iterator[tuple[str, str, str, str]]:
    """A row per task, action and reason."""
    groups = _grouped(preview.lines, lambda line: (line.task, _word(line), line.why))
    for (task, word, why), lines in groups.items():
        yield task, word, node_ranges(line.node for line in lines), why
    gone: dict[str, list[str]] = {}
    for task, node in preview.gone:
        gone.setdefault(task, []).append(node)
    for task, nodes in gone.items():
        yield task, "gone", node_ranges(nodes), "the last transaction had it"


def _by_node(preview: Preview) -> Iterator[tuple[str, str, str, str]]:
    """A row per action and set of tasks: nodes for which the same would be done share one."""
    for word in ("run", "new, run", "reuse", "new, reuse"):
        lines = _grouped((line for line in preview.lines if line.action != "skip" and _word(line) == word), lambda line: line.node)
        yield from _alike(word, {node: ([line.task for line in own], [line.why for line in own]) for node, own in lines.items()})
    gone: dict[str, list[str]] = {}
    for task, node in preview.gone:
        gone.setdefault(node, []).append(task)
    yield from _alike("gone", {node: (tasks, ["the last transaction had it"]) for node, tasks in gone.items()})


def _alike(word: str, by_node: dict[str, tuple[list[str], list[str]]]) -> Iterator[tuple[str, str, str, str]]:
    groups: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for node, (tasks, reasons) in by_node.items():
        groups.setdefault((tuple(tasks), _commonest(reasons)), []).append(node)
    for (tasks, why), nodes in groups.items():
        shown = ", ".join(tasks[:_MOST_TASKS]) + (f" and {len(tasks) - _MOST_TASKS} more" if len(tasks) > _MOST_TASKS else "")
        yield node_ranges(nodes), word, shown, why


def _grouped(lines: Iterable[Line], key: Callable[[Line], Any]) -> dict[Any, list[Line]]:
    groups: dict[Any, list[Line]] = {}
    for line in lines:
        if line.action != "skip":
            groups.setdefault(key(line), []).append(line)
    return groups


def _commonest(reasons: list[str]) -> str:
    (reason, times), *others = Counter(reasons).most_common()
    return f"{reason} ({times} of {len(reasons)})" if others else reason


def _word(line: Line) -> str:
    return f"new, {line.action}" if line.is_new else line.action


def _json_node(node: str) -> str | None:
    return None if node == SYNC_NODE else node
