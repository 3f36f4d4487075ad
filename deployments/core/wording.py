"""Words that several sentences need."""

from __future__ import annotations

from collections.abc import Sequence


def counted(count: int, noun: str) -> str:
    """`1 node`, `2 nodes`, `1,500 task runs`; the noun's plural has an s."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(names: Sequence[str], most: int) -> str:
    """`a`, `a and b`, `a, b and 3 more`: at most so many are named."""
    shown = [*names[:most], f"{len(names) - most:,} more"] if len(names) > most else list(names)
    return " and ".join(part for part in (", ".join(shown[:-1]), *shown[-1:]) if part)


def span(seconds: float) -> str:
    """`40 s`, `5 min 3 s`, `2 h 5 min`: the two greatest units, rounded to seconds."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    units = ((whole // 60, "min"), (whole % 60, "s")) if whole < 3600 else ((whole // 3600, "h"), (whole % 3600 // 60, "min"))
    return " ".join(f"{value:,} {unit}" for value, unit in units if value)


def took(seconds: float) -> str:
    """`0.042 s`, `4.2 s`, `75.3 s`: two significant digits below ten seconds, so that what was quick does not seem to take no time."""
    if seconds < 0.001:
        return "under 1 ms"
    return f"{seconds:.1f} s" if seconds >= 9.95 else f"{seconds:.{1 if seconds >= 0.995 else 2 if seconds >= 0.0995 else 3}f} s"
