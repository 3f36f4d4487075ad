"""`docs/lifecycle.md`, made from the tables of states, so that the page can't tell another story than the code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deployments.core.states import CLUSTER, LAUNCH, NODE
from history.states import ATTEMPT, TASK_RUN, TRANSACTION, Table

_TOP = """\
# Lifecycles

Every state there is and every move between two. Any other move of a transaction, a task run or an attempt is refused with an error that
names both states, and `manage.py verify` looks for it once more in the log. This page is printed from `history/states.py` and
`deployments/core/states.py`: change the tables, then run `python manage.py diagrams > docs/lifecycle.md`.
"""


@dataclass(frozen=True, slots=True)
class _Chapter:
    table: Table
    about: str


_CHAPTERS: Sequence[_Chapter] = (
    _Chapter(TRANSACTION, (
        "One run of one graph, or the request that asked for it. *Stopping* is `running` with `stop_requested_at`. `stopped` is only what "
        "a person asked for: a run that ends because too much failed ends in `error`."
    )),
    _Chapter(TASK_RUN, (
        "One task on one node in one transaction: a row of history. *Queued* is `pending` with `dispatched_at`, *blocked* is `pending` "
        "with the root cause in `blocked_by` and `reason`."
    )),
    _Chapter(ATTEMPT, "One try at a task run. A run has as many as its retries and losses need; at most one of a node is ever undone."),
    _Chapter(NODE, "A machine. One on which nothing was started keeps the status it had. A graph's callbacks may name other ends."),
    _Chapter(CLUSTER, "An environment. If nothing was started it gets back the status it had."),
    _Chapter(LAUNCH, "A launch of a deployable. The table is there; what launches is not, so nothing has these states yet."),
)  # fmt: skip


def lifecycle_page() -> str:
    """The whole page, as Markdown with Mermaid diagrams."""
    return "\n".join([_TOP, *map(_chapter, _CHAPTERS)])


def diagram(table: Table) -> str:
    """A table of states as a Mermaid state diagram."""
    lines = [f"[*] --> {table.initial}"]
    lines += [f"{old} --> {new}" for old, new in table.moves]
    lines += [f"{state} --> [*]" for state in table.final]
    return "\n".join(["stateDiagram-v2", *(f"    {line}" for line in lines)])


def _chapter(chapter: _Chapter) -> str:
    table = chapter.table
    rows = [f"| {old} | {new} | {when} |" for (old, new), when in table.moves.items()]
    title = table.about[0].upper() + table.about[1:]
    parts = [f"## {title}", "", chapter.about, "", "```mermaid", diagram(table), "```", "", "| from | to | when |", "|---|---|---|", *rows]
    return "\n".join(parts) + "\n"
