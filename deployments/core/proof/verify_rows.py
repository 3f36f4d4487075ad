"""The end of a log beside the rows: they must say the same, and nothing may be left behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from deployments.core.proof.findings import Finding, Kind, Record
from deployments.core.proof.replay import Place
from deployments.core.wording import counted

Places = Mapping[int, Place]
Attempts = Mapping[tuple[int, int], str]


def compare_rows(places: Places, attempts: Attempts, record: Record) -> Iterator[Finding]:
    """Rows of task runs and attempts that are not as the log ends, and attempts without a row."""
    for number, status, count in record.runs:
        place = places.get(number)
        if place is None:
            yield _finding("row", f"Row {number} is in no plan of this transaction.")
            continue
        if place.status != status:
            yield _finding("row", f"The row of {place.name} is {status}, but the log ends with {place.status}.", place)
        if place.tries.attempts != count:
            told = counted(count, "attempt")
            yield _finding("row", f"The row of {place.name} counts {told}, but the log has {place.tries.attempts}.", place)
    left = dict(attempts)
    for number, attempt, status in record.attempts:
        told = left.pop((number, attempt), "")
        if told != status:
            about = f"Attempt {attempt} of {name_of(places, number)}"
            yield _finding("row", f"{about} is {status}, but the log ends with {told or 'none'}.", places.get(number))
    for number, attempt in left:
        yield _finding("row", f"Attempt {attempt} of {name_of(places, number)} is in the log, but has no row.", places.get(number))


def compare_transactions(told: Counter[str], named: Mapping[int, str], record: Record) -> Iterator[Finding]:
    """The parent's and the children's statuses. Older logs name them by their moves only, so they are counted; newer ones say which."""
    for number, status in zip(record.ids, record.transactions, strict=False):
        if (ends := named.get(number, status)) != status:
            yield _finding("row", f"Transaction {number} is {status}, but the log ends with {ends}.")
    for number in sorted(named.keys() - set(record.ids)):
        yield _finding("log", f"The log tells of transaction {number}, which is no part of this request.")
    if +told != Counter(record.transactions):
        ends = ", ".join(sorted(told.elements()))
        yield _finding("row", f"The transactions are {', '.join(sorted(record.transactions))}, but the log ends with {ends}.")


def left_behind(places: Places, attempts: Attempts) -> Iterator[Finding]:
    """What is still under way although the request is over."""
    for (number, attempt), state in attempts.items():
        if state in ("dispatched", "started"):
            yield _finding("undone", f"Attempt {attempt} of {name_of(places, number)} was left {state}.", places.get(number))
    for place in places.values():
        if place.status == "running":
            yield _finding("undone", f"{place.name} was left running.", place)


def name_of(places: Places, number: int | None) -> str:
    """The run's name, or its number where no plan has it."""
    place = places.get(number) if number is not None else None
    return place.name if place else f"task run {number}"


def _finding(kind: Kind, sentence: str, place: Place | None = None) -> Finding:
    return Finding(kind, sentence, None, place.name if place else None, place.node if place else None)
