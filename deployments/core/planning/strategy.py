"""How many nodes may run a task at once (`parameters.strategy`), and how many of a group's nodes may fail (`fault_tolerance`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from deployments.core.errors import InvalidData
from deployments.core.plan import TaskRun


def limit_of(parameters: Mapping[str, Any], task: str, node: str | None = None) -> int:
    """The strategy's limit; 0 = none. `one_by_one` is 1, `parallel` its `amount` (Astute).

    Raises:
        InvalidData: the strategy is unknown, or its amount is negative or no number.
    """
    strategy = parameters.get("strategy")
    if not strategy:
        return 0
    kind = strategy.get("type") if isinstance(strategy, Mapping) else strategy
    if kind in ("one_by_one", "one-by-one"):
        return 1
    if kind != "parallel":
        raise InvalidData(f"Task '{task}' has the strategy {kind!r}: it must be 'parallel' or 'one_by_one'.", task=task, node=node)
    return _amount(strategy.get("amount") if isinstance(strategy, Mapping) else 0, task, node)


def limits_of(runs: Iterable[TaskRun]) -> dict[str, int]:
    """By task id the smallest positive limit among its runs that are not skipped."""
    limits: dict[str, int] = {}
    for run in runs:
        limit = limit_of(run.parameters, run.task, run.node) if run.type != "skipped" and run.parameters else 0
        if limit:
            limits[run.task] = min(limit, limits.get(run.task, limit))
    return limits


def tolerance_of(written: Any, nodes: int) -> tuple[int, str]:
    """How many of a group's nodes may fail, and what is wrong with what was written (empty: nothing).

    `N%` is that part of the nodes, rounded down; a negative number says how many must succeed; nothing written, or nothing readable, means
    any number (one more than there are nodes).
    """
    unlimited = nodes + 1
    if written is None:
        return unlimited, ""
    try:
        if isinstance(written, str) and written.strip().endswith("%"):
            tolerance = int(written.strip()[:-1]) * nodes // 100
        else:
            tolerance = int(written)
    except (TypeError, ValueError, OverflowError):
        return unlimited, f"the fault tolerance {written!r} can't be read, so any number of nodes may fail"
    return (tolerance if tolerance >= 0 else max(0, nodes + tolerance)), ""


def _amount(amount: Any, task: str, node: str | None) -> int:
    try:
        number = int(amount or 0)
    except (TypeError, ValueError, OverflowError):
        raise InvalidData(f"Task '{task}' has a strategy with the amount {amount!r}: it must be a number.", task=task, node=node) from None
    if number < 0:
        raise InvalidData(f"Task '{task}' has a strategy with the negative amount {number}.", task=task, node=node)
    return number
