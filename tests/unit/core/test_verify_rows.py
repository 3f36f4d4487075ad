"""The proof: rows that say something else than the log, and what was left behind."""

from __future__ import annotations

from dataclasses import replace

from deployments.core.proof.findings import Child, Record
from deployments.core.proof.verify import verify
from tests.unit.core.logs import EVERYBODY, TWO, Log, a_log, fail, sentences
from tests.unit.core.scheduling import plan_of


def test_rows_are_as_the_log_ends() -> None:
    log = a_log(TWO).whole("a/1", "b/2").end()
    log.status["a/1"] = "error"
    log.attempts["b/2"] = ["error"]
    log.transactions[1] = "error"
    assert sentences(log) == [
        "row: The row of a/1 is error, but the log ends with ready.",
        "row: Attempt 1 of b/2 is error, but the log ends with ready.",
        "row: The transactions are error, ready, but the log ends with ready, ready.",
    ]


def test_attempts_are_neither_invented_nor_forgotten() -> None:
    log = a_log(TWO).whole("a/1", "b/2").end()
    log.attempts["a/1"] = []
    log.attempts["b/2"] = ["ready", "ready"]
    assert sentences(log) == [
        "row: The row of a/1 counts 0 attempts, but the log has 1.",
        "row: The row of b/2 counts 2 attempts, but the log has 1.",
        "row: Attempt 2 of b/2 is ready, but the log ends with none.",
        "row: Attempt 1 of a/1 is in the log, but has no row.",
    ]


def test_a_row_of_no_plan() -> None:
    log = a_log("a/1").whole("a/1").end()
    record = replace(log.record, runs=[*log.record.runs, (7, "ready", 0)])
    assert [finding.sentence for finding in verify([log.child], log.events, record)] == ["Row 7 is in no plan of this transaction."]


def test_nothing_is_left_under_way() -> None:
    log = a_log("a/1 b/2 c/3")
    log.dispatch("a/1")
    log.start("a/1")
    log.dispatch("b/2")
    log.drain()
    assert sentences(log.end("stopped")) == [
        "undone: Attempt 1 of a/1 was left started.", "undone: Attempt 1 of b/2 was left dispatched.", "undone: a/1 was left running.",
    ]  # fmt: skip


def test_a_ready_transaction_has_run_whatever_could_run() -> None:
    log = a_log(TWO).whole("a/1").end()
    assert sentences(log) == ["undone: b/2 was not run and nothing hindered it when its transaction was ready."]
    dry = replace(log.child, dry_run=True)
    assert verify([dry], log.events, log.record) == []


def test_what_is_decided_after_the_end_makes_nothing_forgotten() -> None:
    for decision in ("ready", "pending", "skipped"):
        log = a_log("a/1 b/1 c/2", "a/1 > c/2", **EVERYBODY)
        fail(log, "a/1")
        log.end()
        log.run("a/1", decision)
        assert log.verify() == []


def test_blocked_runs_are_not_forgotten_ones() -> None:
    log = a_log("a/1 b/1 c/2", "a/1 > c/2", **EVERYBODY)
    fail(log, "a/1")
    assert log.end().verify() == []


def test_a_transaction_under_way_may_have_runs_under_way() -> None:
    log = a_log(TWO)
    log.dispatch("a/1")
    log.start("a/1")
    assert log.verify() == []
    assert verify([log.child], log.events, None) == []


def test_a_request_of_two_graphs_is_one_log() -> None:
    first, second = plan_of("a/1"), plan_of("a/1 b/1", "a/1 > b/1")
    log = Log(first)
    children = [Child(first, [1]), Child(second, [2, 3])]

    def whole(number: int) -> None:
        for subject, old, new in (
            ("attempt", "", "dispatched"), ("attempt", "dispatched", "started"), ("run", "pending", "running"),
            ("attempt", "started", "ready"), ("run", "running", "ready"),
        ):  # fmt: skip
            log.add(subject, old, new, attempt=1 if subject == "attempt" else None, node="1")
            log.events[-1] = log.events[-1]._replace(run=number)

    for old, new in (("pending", "running"), ("pending", "running")):
        log.add("transaction", old, new)
    whole(1)
    for old, new in (("running", "ready"), ("pending", "running")):
        log.add("transaction", old, new)
    for number in (2, 3):
        whole(number)
    for old, new in (("running", "ready"), ("running", "ready")):
        log.add("transaction", old, new)
    record = Record(("ready",) * 3, [(n, "ready", 1) for n in (1, 2, 3)], [(n, 1, "ready") for n in (1, 2, 3)])
    assert verify(children, log.events, record) == []
    assert [f.kind for f in verify(children, log.events, replace(record, transactions=("ready", "ready", "error")))] == ["row"]
