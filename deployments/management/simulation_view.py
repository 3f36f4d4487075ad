"""A simulation on the terminal: how long, why not shorter, who works most, what failed and what that kept from running."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from deployments.core.graph.warning_lines import warning_lines
from deployments.core.links import link
from deployments.core.plan import ENGINE_TYPES, SYNC_NODE
from deployments.core.simulation.bounds import critical_path, lower_bounds
from deployments.core.simulation.durations import Durations, run_durations
from deployments.core.simulation.simulate import SimulationResult

COLOURS = {"ready": "green", "error": "red", "stopped": "yellow", "untouched": "bright_black"}
MOST_NODES = 10
MOST_PATH = 15
MOST_FAILURES = 20


def show(result: SimulationResult, durations: Durations, console: Console) -> None:
    """Print all of it; parts that say nothing are left out."""
    seconds = run_durations(result.plan, durations)
    _headline(result, durations, console)
    if result.makespan:
        _path(result, durations, seconds, console)
        _nodes(result, seconds, console)
    _failures(result, console)
    if not any(seconds):
        console.print("No task takes any time here: give --durations FILE (seconds by task/node, task or *).", style="yellow")
    for line in warning_lines(result.plan.warnings)[:MOST_FAILURES]:
        console.print(Text(f"warning: {line}", style="yellow"))


def clock(seconds: float) -> str:
    """Seconds as people read them: `3:43:50`, `12:05`, `4.5 s`."""
    if seconds < 60:
        return f"{seconds:g} s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _headline(result: SimulationResult, durations: Durations, console: Console) -> None:
    colour = COLOURS[result.finish.status]
    written = [run for run, planned in enumerate(result.plan.runs) if not planned.is_barrier]
    counts = Counter("blocked" if run in result.blocked else result.status[run] for run in written)
    counts["not started"] = counts.pop("pending", 0)
    figures = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    console.print(f"[bold {colour}]{result.finish.status}[/] after [bold]{clock(result.makespan)}[/] ({result.makespan:,g} s) — {figures}")
    if result.finish.reason:
        console.print(Text(result.finish.reason))
    bound, *others = lower_bounds(result.plan, durations)
    if not bound.seconds:
        return
    over = 100 * (result.makespan / bound.seconds - 1)
    complete = not result.drained and not result.blocked
    verdict = ("; no order is faster" if over < 0.05 else f"; this order takes {over:.1f} % more") if complete else ""
    console.print(f"At best [bold]{clock(bound.seconds)}[/], decided by {escape(bound.what)}{verdict}.")
    if others:
        console.print(Text(f"Next comes {others[0].what}: {clock(others[0].seconds)}.", style="bright_black"))


def _path(result: SimulationResult, durations: Durations, seconds: list[float], console: Console) -> None:
    path = [run for run in critical_path(result.plan, durations, link(result.plan)) if seconds[run]]
    if not path:
        return
    longest = set(sorted(path, key=lambda run: -seconds[run])[:MOST_PATH])
    length = sum(seconds[run] for run in path)
    table = Table("task", "node", title=f"Critical path: {clock(length)} in {len(path)} tasks", title_justify="left")
    for column in ("takes", "starts at", "ends at"):
        table.add_column(column, justify="right")
    for run in path:
        if run in longest:
            planned = result.plan.runs[run]
            times = (clock(times[run]) if run in times else "–" for times in (result.starts, result.finishes))
            table.add_row(Text(planned.task), Text(planned.node), clock(seconds[run]), *times)
    if len(path) > MOST_PATH:
        rest = [run for run in path if run not in longest]
        table.add_row(f"… and {len(rest)} shorter ones", "", clock(sum(seconds[run] for run in rest)), "", "")
    console.print(table)


def _nodes(result: SimulationResult, seconds: list[float], console: Console) -> None:
    work: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    last: dict[str, float] = {}
    for run, end in result.finishes.items():
        planned = result.plan.runs[run]
        if planned.type not in ENGINE_TYPES:
            work[planned.node] += seconds[run]  # type: ignore[assignment]
            runs[planned.node] += 1
            last[planned.node] = max(end, last.get(planned.node, 0))
    names = [node for node, _ in work.most_common(MOST_NODES)]
    shown = "Busiest nodes" if len(work) > MOST_NODES else "Nodes"
    table = Table("node", "ends", title=shown, title_justify="left")
    for column in ("tasks", "work", "busy", "done at"):
        table.add_column(column, justify="right")
    for node in names:
        node_end = result.node_ends.get(node)
        status = Text(node_end.status, style=COLOURS[node_end.status]) if node_end else Text("–")
        busy = f"{100 * work[node] / result.makespan:.0f} %"
        table.add_row(Text(node), status, f"{runs[node]:,}", clock(work[node]), busy, clock(last[node]))
    if len(work) > MOST_NODES:
        console.print(table, f"… and {len(work) - MOST_NODES:,} more nodes")
    else:
        console.print(table)


def _failures(result: SimulationResult, console: Console) -> None:
    runs = result.plan.runs
    blocked_by = Counter(result.blocked.values())
    failed = [run for run, status in enumerate(result.status) if status == "error"]
    causes = failed + sorted(run for run in blocked_by if run is not None and run not in set(failed))
    offline = sorted(result.failed_nodes - {runs[run].node for run in failed} - {SYNC_NODE})
    if not causes and not offline:
        return
    table = Table("failed", "at", title="Failures", title_justify="left")
    table.add_column("keeps from running", justify="right")
    for node in offline:
        own = sum(root is None and runs[run].node == node for run, root in result.blocked.items())
        table.add_row(Text(f"node {node} is offline"), "start", f"{own:,} of its own")
    for run in causes[:MOST_FAILURES]:
        at = clock(result.finishes[run]) if run in result.finishes else "start"
        table.add_row(Text(runs[run].name), at, f"{blocked_by[run]:,}" + ("" if run in failed else " elsewhere"))
    if len(causes) > MOST_FAILURES:
        table.add_row(f"… and {len(causes) - MOST_FAILURES:,} more", "", "")
    console.print(table)
