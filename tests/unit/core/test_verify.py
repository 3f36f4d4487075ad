"""The proof: an honest log is clean, work out of order or beyond a limit is found, and no event can be changed without a finding."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.core.plan import Plan
from deployments.core.proof.findings import NOTES
from deployments.core.proof.verify import verify
from history.states import ATTEMPT, TASK_RUN, TRANSACTION
from tests.unit.core.logs import EVERYBODY, FIRST_ROW, TWO, Log, LoggedRun, a_log, fail
from tests.unit.core.scheduling import plans, tolerant


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
        log.at = len(log.events) + 0.5
        log.add("transaction", "", "draining")
        if later:
            log.at += 0.1
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


def test_a_log_does_not_go_back_in_time() -> None:
    log = a_log("a/1")
    log.at = 2
    log.dispatch("a/1")
    log.at = None
    log.start("a/1")
    log.over("a/1")
    (finding,) = log.end().verify()
    assert (finding.kind, finding.seq) == ("time", 4)
    assert finding.sentence == "The event is dated 2, before event 3 (3)."


@pytest.mark.parametrize(
    ("times", "sentence"),
    [
        ({"run_times": [(FIRST_ROW, 5, 4)]}, "a/1 ends at 4, before it begins (5)."),
        ({"run_times": [(FIRST_ROW, 1, 4)]}, "a/1 begins at 1, before its request (2)."),
        ({"run_times": [(FIRST_ROW, 4, 10)]}, "a/1 ends at 10, after its request (9)."),
        ({"attempt_times": [(FIRST_ROW, 1, 4, 3, 5)]}, "Attempt 1 of a/1 begins at 3, before it was dispatched (4)."),
        ({"attempt_times": [(FIRST_ROW, 1, 4, 6, 5)]}, "Attempt 1 of a/1 ends at 5, before it begins (6)."),
        ({"transaction_times": [(2, 9), (5, 4)]}, "Graph 1 of the request ends at 4, before it begins (5)."),
        ({"run_times": [(FIRST_ROW, 3, 5)], "attempt_times": [(FIRST_ROW, 1, 3, 3, None)], "transaction_times": [(2, None), (3, 5)]}, ""),
    ],
)
def test_times_that_can_not_be(times: dict[str, Any], sentence: str) -> None:
    log = a_log("a/1").whole("a/1").end()
    record = replace(log.record, **{"transaction_times": [(2, 9), (2, 9)], **times})
    assert [finding.sentence for finding in verify([log.child], log.events, record)] == ([sentence] if sentence else [])
