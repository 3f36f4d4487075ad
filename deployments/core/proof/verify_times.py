"""Whether the rows' times can be true: nothing ends before it begins, begins before it was dispatched, or outlives its transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deployments.core.proof.findings import Finding, Record
from deployments.core.proof.replay import Place
from deployments.core.proof.verify_rows import name_of


def compare_times(places: Mapping[int, Place], record: Record) -> Iterator[Finding]:
    """What can't have been when the rows say it was."""
    begun, over = record.transaction_times[0] if record.transaction_times else (None, None)
    for which, (begin, end) in enumerate(record.transaction_times):
        if _after(begin, end):
            about = "The request" if not which else f"Transaction {record.ids[which]}" if record.ids else f"Graph {which} of the request"
            yield _finding(f"{about} ends at {end}, before it begins ({begin}).")
    for number, begin, end in record.run_times:
        yield from _span(name_of(places, number), places.get(number), begin, end, begun, over)
    for number, attempt, dispatched, begin, end in record.attempt_times:
        name = f"Attempt {attempt} of {name_of(places, number)}"
        if _after(dispatched, begin):
            yield _finding(f"{name} begins at {begin}, before it was dispatched ({dispatched}).", places.get(number))
        yield from _span(name, places.get(number), begin, end, begun, over)


def _span(name: str, place: Place | None, begin: Any, end: Any, begun: Any, over: Any) -> Iterator[Finding]:
    if _after(begin, end):
        yield _finding(f"{name} ends at {end}, before it begins ({begin}).", place)
    if _after(begun, begin):
        yield _finding(f"{name} begins at {begin}, before its request ({begun}).", place)
    if _after(end, over):
        yield _finding(f"{name} ends at {end}, after its request ({over}).", place)


def _after(one: Any, other: Any) -> bool:
    return one is not None and other is not None and bool(one > other)


def _finding(sentence: str, place: Place | None = None) -> Finding:
    return Finding("time", sentence, None, place.name if place else None, place.node if place else None)
