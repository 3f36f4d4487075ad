"""The log says which transaction moved; logs from before it did are judged by counting."""

from __future__ import annotations

from dataclasses import replace

from deployments.core.proof.findings import Finding
from deployments.core.proof.verify import verify
from tests.unit.core.logs import Log
from tests.unit.core.scheduling import plan_of

PARENT, CHILD = 5, 6


def named() -> Log:
    """A good run of one task, with transactions named."""
    log = Log(plan_of("a/1")).begin().whole("a/1").end()
    names = {which: iter((PARENT, CHILD)) for which in ("running", "ready")}
    for index, event in enumerate(log.events):
        if event.subject == "transaction" and event.old:
            log.events[index] = event._replace(about=next(names[event.new]))
    return log


def found(log: Log, ids: tuple[int, ...] = (PARENT, CHILD), statuses: tuple[str, ...] = ("ready", "ready")) -> list[Finding]:
    return verify([log.child], log.events, replace(log.record, ids=ids, transactions=statuses))


def sentences(log: Log, **record: tuple[str, ...]) -> list[str]:
    return [f"{finding.kind}: {finding.sentence}" for finding in found(log, **record)]  # type: ignore[arg-type]


def test_named_transactions_are_followed_one_by_one() -> None:
    assert sentences(named()) == []


def test_a_log_that_names_none_is_counted() -> None:
    assert sentences(Log(plan_of("a/1")).begin().whole("a/1").end()) == []


def test_what_counting_can_not_see_is_seen() -> None:
    log = named()
    # The child ends twice, and the parent never: as many moves of each kind as in a good log.
    log.events[-1] = log.events[-1]._replace(about=CHILD)
    log.events[-2] = log.events[-2]._replace(about=CHILD)
    assert f"state: Transaction {CHILD} went from running to ready, but it was ready." in sentences(log)
    assert f"row: Transaction {PARENT} is ready, but the log ends with running." in sentences(log)


def test_a_row_that_says_something_else_is_named() -> None:
    assert f"row: Transaction {PARENT} is error, but the log ends with ready." in sentences(named(), statuses=("error", "ready"))


def test_a_strange_transaction_is_told() -> None:
    log = named()
    log.events[-1] = log.events[-1]._replace(about=99)
    assert "log: The log tells of transaction 99, which is no part of this request." in sentences(log)
