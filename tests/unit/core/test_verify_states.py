"""The proof: tries, moves and ends that no table or plan allows are found."""

from __future__ import annotations

import pytest

from deployments.core.proof.findings import LogEvent
from tests.unit.core.logs import EVERYBODY, Log, a_log, changed, fail, sentences

# -- tries ----------------------------------------------------------------------------------------------------------------


def again(log: Log, name: str, state: str) -> None:
    log.dispatch(name)
    log.start(name)
    log.over(name, state, "pending")


def test_a_failed_run_is_tried_as_often_as_planned() -> None:
    for failures, kinds in ((1, []), (2, ["tries"])):
        log = a_log("a/1", attempts=2)
        for _ in range(failures):
            again(log, "a/1", "error")
        assert log.whole("a/1").end().kinds() == kinds


def test_a_lost_run_is_tried_again_only_if_it_may() -> None:
    for idempotent, lost, kinds in ((True, 3, []), (True, 4, ["tries"]), (False, 1, ["tries"])):
        log = a_log("a/1", idempotent=idempotent)
        for _ in range(lost):
            again(log, "a/1", "lost")
        assert log.whole("a/1").end().kinds() == kinds


def test_recalled_attempts_are_no_tries() -> None:
    log = a_log("a/1")
    for _ in range(6):
        log.dispatch("a/1")
        log.attempt("a/1", "recalled")
    assert log.whole("a/1").end().verify() == []


def test_a_person_gives_new_tries() -> None:
    log = a_log("a/1", **EVERYBODY)
    fail(log, "a/1")
    log.run("a/1", "pending")
    assert log.whole("a/1").end().verify() == []


# -- states ---------------------------------------------------------------------------------------------------------------


def test_an_event_that_contradicts_the_state_before() -> None:
    log = changed(a_log("a/1").whole("a/1").end(), 8, old="pending")
    assert sentences(log) == ["state: a/1 was running, but the event says that it was pending."]


def test_a_move_that_no_table_has() -> None:
    log = a_log("a/1").whole("a/1")
    log.run("a/1", "error")
    log.run("a/1", "ready")
    assert "state: a/1 went from ready to error, which is not allowed." in sentences(log.end())


def test_an_attempt_begins_by_being_dispatched() -> None:
    log = a_log("a/1")
    log.attempts["a/1"] = [""]
    log.start("a/1")
    log.over("a/1")
    assert "state: Attempt 1 of a/1 went from nothing to started, which is not allowed." in sentences(log.end())


def test_an_attempt_is_started_once() -> None:
    log = a_log("a/1")
    log.dispatch("a/1")
    log.start("a/1")
    log.attempt("a/1", "started")
    log.over("a/1")
    assert sentences(log.end()) == ["state: Attempt 1 of a/1 went from started to started, which is not allowed."]


def test_attempts_are_counted_without_gaps() -> None:
    log = a_log("a/1")
    log.attempts["a/1"] = ["recalled"]
    log.whole("a/1").end()
    assert "state: a/1 got attempt 2 where attempt 1 was due." in sentences(log)


def test_only_a_pending_run_is_dispatched() -> None:
    log = a_log("a/1").whole("a/1")
    log.dispatch("a/1")
    log.attempt("a/1", "recalled")
    assert sentences(log.end()) == ["state: a/1 was dispatched although it was ready."]


def test_transactions_move_by_their_table() -> None:
    log = a_log("a/1").whole("a/1").end()
    log.transaction(0, "running")
    log.transaction(0, "ready")
    assert sentences(log) == ["state: A transaction went from ready to running, which is not allowed."]


def test_a_transaction_can_only_leave_a_state_that_one_is_in() -> None:
    log = a_log("a/1").whole("a/1").end()
    log.events.append(LogEvent(99, 99, "transaction", "pending", "running"))
    assert sentences(log)[0] == "state: A transaction went from pending to running, but none was pending."


def test_an_event_of_no_run_of_the_plan() -> None:
    log = changed(a_log("a/1").whole("a/1").end(), 8, run=7)
    assert sentences(log)[0] == "log: The event is about task run 7, which no plan of this transaction has."


def test_an_event_on_another_node() -> None:
    log = changed(a_log("a/1").whole("a/1").end(), 8, node="2")
    assert sentences(log) == ["log: The event puts a/1 on node 2."]


# -- ends -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempt", "run", "fail_on_error", "clean"),
    [
        ("ready", "ready", True, True), ("skipped", "skipped", True, True), ("error", "error", True, True), ("lost", "error", True, True),
        ("error", "skipped", False, True), ("lost", "skipped", False, True), ("error", "skipped", True, False),
        ("error", "ready", True, False), ("ready", "error", True, False), ("ready", "skipped", True, False),
        ("lost", "ready", False, False),
    ],
)  # fmt: skip
def test_a_run_ends_as_its_attempt(attempt: str, run: str, fail_on_error: bool, clean: bool) -> None:
    log = a_log("a/1", fail_on_error=fail_on_error, **EVERYBODY)
    log.dispatch("a/1")
    log.start("a/1")
    log.over("a/1", attempt, run)
    assert log.end().kinds() == ([] if clean else ["end"])


def test_a_run_does_not_end_while_its_attempt_is_under_way() -> None:
    log = a_log("a/1")
    log.dispatch("a/1")
    log.start("a/1")
    log.run("a/1", "ready")
    log.attempt("a/1", "ready")
    assert sentences(log.end()) == ["end: a/1 went from running to ready, but its attempt 1 was started."]


def test_nothing_ends_without_an_attempt_unless_it_is_no_work() -> None:
    for kind, kinds in (("shell", ["end"]), ("stage", []), ("skipped", [])):
        log = a_log("a/1", types={"a/1": kind})
        log.run("a/1", "skipped", reason="Somebody skips it.")
        assert log.end().kinds() == kinds


def test_no_work_has_no_attempt() -> None:
    log = a_log("a/1", types={"a/1": "stage"})
    log.dispatch("a/1")
    log.attempt("a/1", "recalled")
    log.run("a/1", "skipped")
    assert log.end().kinds() == ["end"]
