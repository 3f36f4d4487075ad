"""Warnings as people read them: what is said of twenty tasks in the same words is one line."""

from __future__ import annotations

from collections.abc import Iterable

from deployments.core.plan import PlanWarning

MOST_NAMES = 5
"""Tasks that a line names; of the others it gives the number."""


def warning_lines(warnings: Iterable[PlanWarning]) -> list[str]:
    """A line for each warning; those that differ in their task alone share one, where the first of them stands."""
    tasks: dict[str, list[str]] = {}
    firsts: dict[str, str] = {}
    for warning in warnings:
        # Without the name of its task the sentence is the same for all tasks that it is said of.
        key = warning.message if warning.task is None else warning.message.replace(f"'{warning.task}'", "''", 1)
        firsts.setdefault(key, warning.message)
        tasks.setdefault(key, []).append(warning.task or "")
    return [firsts[key] + _others(names[1:]) for key, names in tasks.items()]


def _others(names: list[str]) -> str:
    if not any(names):
        return ""
    if len(names) > MOST_NAMES:
        return f" The same of {len(names)} more tasks: {', '.join(names[:MOST_NAMES])}, …"
    return f" The same of {', '.join(names)}."
