"""The proof: every kind of broken promise is found, an honest log is clean, and no event can be changed without a finding."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.core.plan import Plan
from deployments.core.proof.findings import NOTES, Child, LogEvent, Record
from deployments.core.proof.verify import verify
from history.states import ATTEMPT, TASK_RUN, TRANSACTION
from tests.unit.core.logs import FIRST_ROW, Log, LoggedRun
from tests.unit.core.scheduling import plan_of, plans, tolerant

TWO = "a/1 b/2"
EVERYBODY = {"groups": tolerant("1 2 3 master")}


def a_log(runs: str, *edges: str, **values: object) -> Log:
    return Log(plan_of(runs, *edges, **values)).begin()  # type: ignore[arg-type]


def test_an_honest_log_is_clean() -> None:
    log = a_log("a/1 b/1 b/2 s/null", "a/1 > b/1 b/2", "b/1 b/2 > s/null", types={"s/null": "stage"})
    log.whole("a/1", "b/1", "b/2")
    log.run("s/null", "skipped")
    assert log.end().verify() == []


# -- order ----------------------------------------------------------------------------------------------------------------


def test_a_run_before_what_it_waits_for() -> None:
    log = a_log(TWO, "a/1 > b/2").whole("b/2", "a/1").end()
    (finding,) = log.verify()
    assert (finding.kind, finding.run, finding.node, finding.seq) == ("order", "b/2", "2", 4)
    assert finding.sentence == "b/2 was dispatched before a/1 (pending) was done."


def test_a_run_while_what_it_waits_for_is_running() -> None:
    log = a_log(TWO, "a/1 > b/2")
    log.dispatch("a/1")
    log.start("a/1")
    log.dispatch("b/2")
    log.over("a/1")
    log.start("b/2")
    log.over("b/2")
    assert [finding.sentence for finding in log.end().verify()] == ["b/2 was dispatched before a/1 (running) was done."]


def test_order_is_seen_through_joins() -> None:
    sources, targets = [f"a/{n}" for n in range(1, 7)], [f"b/{n}" for n in range(1, 7)]
    edge = f"{' '.join(sources)} > {' '.join(targets)}"
    assert a_log(" ".join(sources + targets), edge).whole(*sources, *targets).end().verify() == []
    log = a_log(" ".join(sources + targets), edge).whole(*sources[:-1], "b/3", sources[-1], "b/1", "b/2", *targets[3:]).end()
    assert [(finding.kind, finding.sentence) for finding in log.verify()] == [
        ("order", "b/3 was dispatched before a/6 (pending) was done.")
    ]


def test_a_sync_point_before_what_it_waits_for() -> None:
    log = a_log("a/1 s/null", "a/1 > s/null", types={"s/null": "stage"})
    log.run("s/null", "skipped")
    log.whole("a/1")
    assert log.end().kinds() == ["order"]


def fail(log: Log, name: str) -> None:
    log.dispatch(name)
    log.start(name)
    log.over(name, "error")


def test_a_sync_point_does_not_wait_for_what_failed_or_is_blocked() -> None:
    log = a_log("a/1 b/2 c/2 s/null", "a/1 > b/2", "b/2 > c/2", "a/1 c/2 > s/null", types={"s/null": "stage"}, **EVERYBODY)
    fail(log, "a/1")
    log.run("s/null", "skipped")
    assert log.end().verify() == []


def test_another_run_does_wait_for_what_failed() -> None:
    log = a_log("a/1 b/2", "a/1 > b/2", **EVERYBODY)
    fail(log, "a/1")
    assert log.whole("b/2").end().kinds() == ["order"]


def test_nothing_starts_on_a_failed_node() -> None:
    log = a_log("a/1 b/1", **EVERYBODY)
    fail(log, "a/1")
    log.whole("b/1")
    assert [finding.sentence for finding in log.end().verify()] == ["b/1 was dispatched although node 1 had failed."]


def test_nothing_starts_on_an_offline_node() -> None:
    log = a_log("a/1 b/2", **EVERYBODY)
    log.add("node", "", "offline", node="1")
    assert log.whole("a/1", "b/2").end().kinds() == ["order"]


def test_a_resolved_failure_lets_the_node_go_on() -> None:
    log = a_log("a/1 b/1 c/2", "a/1 > b/1", "b/1 > c/2", **EVERYBODY)
    fail(log, "a/1")
    log.run("a/1", "ready")
    assert log.whole("b/1", "c/2").end().verify() == []


def test_what_is_behind_an_offline_node_holds_no_sync_point() -> None:
    for under_way in (False, True):
        log = a_log("a/1 b/2 s/null", "a/1 > b/2", "b/2 > s/null", types={"s/null": "stage"}, **EVERYBODY)
        if under_way:
            log.dispatch("a/1")
            log.start("a/1")
        log.add("node", "", "offline", node="1")
        if under_way:
            log.over("a/1", "lost", "pending")
        log.run("s/null", "skipped")
        assert log.end().verify() == []


def test_a_sync_point_waits_for_a_run_on_an_offline_node_while_it_is_running() -> None:
    log = a_log("a/1 s/null", "a/1 > s/null", types={"s/null": "stage"}, **EVERYBODY)
    log.dispatch("a/1")
    log.start("a/1")
    log.add("node", "", "offline", node="1")
    log.run("s/null", "skipped")
    log.over("a/1")
    assert log.end().kinds() == ["order"]


def test_what_is_blocked_through_a_join_holds_no_sync_point() -> None:
    sources, targets = [f"a/{n}" for n in range(1, 7)], [f"b/{n}" for n in range(1, 7)]
    edges = f"{' '.join(sources)} > {' '.join(targets)}", f"{' '.join(targets)} > s/null"
    log = a_log(" ".join([*sources, *targets, "s/null"]), *edges, types={"s/null": "stage"}, groups=tolerant("1 2 3 4 5 6"))
    log.whole(*sources[1:])
    fail(log, "a/1")
    log.run("s/null", "skipped")
    assert log.end().verify() == []


def test_one_resolved_failure_leaves_the_others() -> None:
    log = a_log("a/1 b/2 c/2 d/3 s/null", "b/2 > d/3", "d/3 > s/null", types={"s/null": "stage"}, **EVERYBODY)
    fail(log, "a/1")
    fail(log, "b/2")
    log.run("a/1", "ready")
    log.run("s/null", "skipped")
    assert log.verify() == []
    log.whole("c/2")
    assert [finding.sentence for finding in log.end().verify()] == ["c/2 was dispatched although node 2 had failed."]


def test_a_resolved_failure_is_no_longer_too_much() -> None:
    log = a_log("a/1 b/2", groups=tolerant("1 2", tolerance=0))
    fail(log, "a/1")
    log.run("a/1", "ready")
    assert log.whole("b/2").end().verify() == []


# -- overlap and limits ---------------------------------------------------------------------------------------------------


def overlapping(log: Log, *names: str) -> Log:
    for name in names:
        log.dispatch(name)
        log.start(name)
    for name in names:
        log.over(name)
    return log.end()


def test_two_attempts_at_once_on_a_node() -> None:
    (finding,) = overlapping(a_log("a/1 b/1"), "a/1", "b/1").verify()
    assert (finding.kind, finding.sentence) == ("overlap", "b/1 was dispatched to node 1 while a/1 was under way there.")


def test_different_nodes_do_not_overlap() -> None:
    assert overlapping(a_log(TWO), "a/1", "b/2").verify() == []


def test_more_busy_nodes_than_allowed() -> None:
    assert overlapping(a_log("a/1 b/2 c/3", max_nodes_per_call=2), "a/1", "b/2", "c/3").kinds() == ["limit"]
    assert overlapping(a_log("a/1 b/2 c/3", max_nodes_per_call=3), "a/1", "b/2", "c/3").kinds() == []
    assert overlapping(a_log("a/1 b/2 c/3", max_nodes_per_call=0), "a/1", "b/2", "c/3").kinds() == []


def test_a_task_on_more_nodes_than_its_limit() -> None:
    (finding,) = overlapping(a_log("a/1 a/2 a/3 b/4", limits={"a": 2}), "a/1", "a/2", "a/3", "b/4").verify()
    assert (finding.kind, finding.sentence) == ("limit", "a was under way on 3 nodes at once; its limit is 2.")


def test_a_limit_is_free_again_when_an_attempt_ends() -> None:
    assert a_log("a/1 a/2", limits={"a": 1}, max_nodes_per_call=1).whole("a/1", "a/2").end().verify() == []


# -- stop -----------------------------------------------------------------------------------------------------------------


def test_nothing_is_dispatched_after_a_stop() -> None:
    log = a_log(TWO)
    log.whole("a/1")
    log.drain()
    assert log.whole("b/2").end("stopped").kinds() == ["stop", "stop"]


def test_no_sync_point_is_passed_after_a_stop() -> None:
    log = a_log("s/null", types={"s/null": "stage"})
    log.drain()
    log.run("s/null", "skipped")
    assert log.end("stopped").kinds() == ["stop"]


def test_a_claim_after_the_stop_is_found() -> None:
    log = a_log(TWO)
    for name in ("a/1", "b/2"):
        log.dispatch(name)
    log.drain("a/1")
    for name in ("a/1", "b/2"):
        log.start(name)
        log.over(name)
    (finding,) = log.end("stopped").verify()
    assert (finding.kind, finding.run) == ("stop", "b/2")
    assert "the stop (event 7) does not name it" in finding.sentence


def test_a_claim_may_be_named_in_the_commit_of_the_stop_but_not_later() -> None:
    for later, kinds in ((False, []), (True, ["stop"])):
        log = a_log("a/1")
        log.dispatch("a/1")
        log.at = 50
        log.add("transaction", "", "draining")
        if later:
            log.at = 51
        log.add("attempt", "dispatched", "claimed", "a/1", attempt=1)
        log.at = None
        log.start("a/1")
        log.over("a/1")
        assert log.end("stopped").kinds() == kinds


def test_what_runs_at_the_stop_may_end_and_what_is_recalled_goes_back() -> None:
    log = a_log("a/1 b/2 c/2")
    log.dispatch("a/1")
    log.start("a/1")
    log.dispatch("b/2")
    log.drain()
    log.attempt("b/2", "recalled")
    log.over("a/1")
    assert log.end("stopped").verify() == []


def test_nothing_starts_after_too_many_failures() -> None:
    log = a_log("a/1 b/2", groups=tolerant("1 2", tolerance=0))
    fail(log, "a/1")
    (finding,) = log.whole("b/2").end("error").verify()
    assert (finding.kind, finding.run) == ("stop", "b/2")
    assert "Fault tolerance exceeded" in finding.sentence


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


def changed(log: Log, seq: int, **values: object) -> Log:
    log.events[seq - 1] = log.events[seq - 1]._replace(**values)  # type: ignore[arg-type]
    return log


def sentences(log: Log) -> list[str]:
    return [f"{finding.kind}: {finding.sentence}" for finding in log.verify()]


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


# -- rows and what is left ------------------------------------------------------------------------------------------------


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


# -- the real scheduler ---------------------------------------------------------------------------------------------------

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=150, deadline=None)
@given(plans(), seeds)
def test_whatever_the_scheduler_does_is_clean(plan: Plan, seed: int) -> None:
    assert LoggedRun(plan, seed).go().verify() == []


@settings(max_examples=150, deadline=None)
@given(plans(), seeds)
def test_no_move_can_be_changed_without_a_finding(plan: Plan, seed: int) -> None:
    log = LoggedRun(plan, seed).go()
    dice = random.Random(seed)
    moves = [index for index, event in enumerate(log.events) if event.new not in NOTES and event.subject != "node"]
    index = dice.choice(moves)
    event = log.events[index]
    kind = dice.choice(["drop", "repeat", "new", "old", "run"])
    if kind == "drop":
        del log.events[index]
    elif kind == "repeat":
        log.events.insert(index, event)
    elif kind == "run" and event.run is not None and len(plan.runs) > 1:
        log.events[index] = event._replace(run=dice.choice([n + FIRST_ROW for n in range(len(plan.runs)) if n + FIRST_ROW != event.run]))
    else:
        table = {"run": TASK_RUN, "attempt": ATTEMPT, "transaction": TRANSACTION}[event.subject]
        field = "new" if kind == "new" else "old"
        other = dice.choice([state for state in table.states if state != getattr(event, field)])
        log.events[index] = event._replace(**{field: other})
    assert log.verify() != [], f"{kind} of {event}"
