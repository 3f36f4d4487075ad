"""A transaction on the terminal: its progress while it runs, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from django.db.models import Count, Q
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from deployments.core.plan import SYNC_NODE
from deployments.core.wording import took
from deployments.management.console import SafeConsole
from deployments.services.standing import standing_of
from history import queries as history
from history.models import Transaction

COLOURS = {"ready": "green", "skipped": "bright_black", "running": "cyan", "error": "red", "pending": "yellow", "stopped": "yellow"}
MOST_RUNNING = 8
MOST_REASONS = 5
PATIENCE = 10.0
"""Seconds after which a request that nobody has taken is explained."""


def watch(transaction_id: int, *, good: str = "ready", every: float = 0.4) -> int:
    """Show a request until it is over; 0 if it ended as it should, 130 if nobody wants to see more (it goes on), else 1."""
    console = SafeConsole(highlight=False)
    try:
        parent = _watch(transaction_id, console, every)
    except KeyboardInterrupt:
        name = history.transaction(transaction_id).cluster_name
        console.print(
            f"Transaction {transaction_id} goes on. See it with [bold]drain {escape(name)}[/], end it with [bold]stop {escape(name)}[/]."
        )
        return 130
    summary(parent, console)
    return 0 if parent.status == good else 1


def _watch(transaction_id: int, console: Console, every: float) -> Transaction:
    progress = Progress(
        TextColumn("[bold]{task.description}"), BarColumn(bar_width=40), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
    bar = progress.add_task("waiting for a planner", total=None)
    begun = time.monotonic()
    with Live(progress, console=console, refresh_per_second=8, transient=True) as live:
        while True:
            parent = history.transaction(transaction_id)
            counts = _counts(parent)
            total = sum(counts.values())
            progress.update(bar, description=_phase(parent, history.children(parent)), total=total or None, completed=_ended(counts))
            live.update(Group(progress, *_details(parent, counts, time.monotonic() - begun)))
            if parent.status not in ("pending", "running"):
                return parent
            time.sleep(every)


def summary(parent: Transaction, console: Console) -> None:
    """What came of a request: its figures, the nodes that did not end well, and why."""
    counts = _counts(parent)
    figures = ", ".join(f"[{COLOURS[name]}]{count} {name}[/]" for name, count in counts.items() if count)
    colour = COLOURS.get(parent.status, "white")
    about = escape(f"transaction {parent.id} ({parent.cluster_name}){_took(parent)}")
    console.print(f"[bold {colour}]{parent.status}[/]: {about} — {figures or 'no task runs'}")
    if parent.message:
        console.print(Text(parent.message))
    if (order := parent.arguments.get("order", "")).startswith("role by role") and not parent.arguments.get("warning"):
        console.print(Text(f"It ran {order}."))
    for line in _skipped(parent):
        console.print(Text(line, style=COLOURS["skipped"]))
    children = history.children(parent)
    if len(children) > 1:
        console.print(Text(f"Its graphs: {', '.join(f'{child.graph_type} {child.status}' for child in children)}."))
    failed = history.task_runs(parent, statuses=["error"])[:20]
    if failed:
        table = Table("failed task", "node", "why", title="Failures", title_justify="left")
        for row in failed:
            table.add_row(Text(row.task_name), Text(row.node), Text(row.reason or "no reason was given"))
        console.print(table)
    blocked = history.task_runs(parent, statuses=["pending"]).filter(reason__startswith="Blocked").count()
    if blocked:
        console.print(f"[yellow]{blocked}[/] task runs could not start: what they need failed (history {parent.id} --statuses pending).")


def _skipped(parent: Transaction) -> list[str]:
    """Why so many were skipped, the commonest reason first."""
    reasons = history.task_runs(parent, statuses=["skipped"]).exclude(node=SYNC_NODE).order_by()
    ordered = reasons.values_list("reason").annotate(count=Count("id")).order_by("-count", "reason")[: MOST_REASONS + 1]
    lines = [f"{count} skipped: {reason or 'no reason was given'}" for reason, count in ordered]
    return (
        lines if len(lines) <= MOST_REASONS else [*lines[:MOST_REASONS], f"… and for other reasons: history {parent.id} --statuses skipped"]
    )


def _counts(parent: Transaction) -> dict[str, int]:
    names = ("ready", "skipped", "running", "error", "pending")
    rows = history.task_runs(parent).order_by()
    return dict(rows.aggregate(**{name: Count("id", filter=Q(status=name)) for name in names}))


def _ended(counts: Mapping[str, int]) -> int:
    return counts["ready"] + counts["skipped"] + counts["error"]


def _phase(parent: Transaction, children: Sequence[Transaction]) -> str:
    """What is being done, and with which of several graphs."""
    due = [child for child in children if child.status in ("pending", "running")]
    which = f" {due[0].graph_type} ({len(children) - len(due) + 1} of {len(children)})" if due and len(children) > 1 else ""
    if parent.stop_requested_at:
        return f"stopping{which}"
    if due and due[0].recorded_at is None:
        return f"planning{which}"
    return f"{'rehearsing' if parent.rehearsal else 'deploying'}{which}"


def _details(parent: Transaction, counts: Mapping[str, int], waited: float) -> list[Table | Text]:
    if parent.status == "pending" and waited > PATIENCE and not sum(counts.values()):
        return [Text("Nobody has taken it yet: is a planner running? (script/server starts everything)", style="yellow")]
    rows = history.task_runs(parent, statuses=["running"]).exclude(node=SYNC_NODE)[: MOST_RUNNING + 1]
    table = Table.grid(padding=(0, 2))
    for row in rows[:MOST_RUNNING]:
        table.add_row("[cyan]running[/]", Text(row.task_name), Text(f"on {row.node}"))
    if counts["running"] > MOST_RUNNING:
        table.add_row("", f"… and {counts['running'] - MOST_RUNNING} more", "")
    stands = standing_of(parent.id)
    said = [Text(stands, style="yellow")] if stands else []
    return [*said, table] if rows else list(said)


def _took(parent: Transaction) -> str:
    if parent.time_start is None or parent.time_end is None:
        return ""
    # The clocks of two hosts may disagree by a little.
    return f" in {took(max(0.0, (parent.time_end - parent.time_start).total_seconds()))}"
