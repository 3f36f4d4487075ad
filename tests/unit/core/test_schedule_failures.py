"""The scheduler's rules about failures: what they block, what is borne, and when it is too much."""

from __future__ import annotations

import pytest

from deployments.core.events import (
    BlockRun,
    Dispatch,
    Drain,
    EndNode,
    EndRun,
    Finish,
    RunEnded,
)
from deployments.core.plan import ToleranceGroup
from tests.unit.core.scheduling import plan_of, tolerant
from tests.unit.core.test_schedule import Stage, of_kind


def test_a_failure_blocks_the_rest_of_its_node_and_all_that_waits_for_any_of_it():
    plan = plan_of("a/1 rest/1 x/2 y/2 free/2 z/3 q/3", "rest/1 > x/2", "x/2 > y/2", "a/1 > z/3 q/3", groups=tolerant("1 2 3"))
    stage = Stage(plan)
    stage.begin()
    out = stage.end("a/1", "error", "exit code 1")
    assert {stage.scheduler.plan.runs[i.run].name for i in of_kind(out, BlockRun)} == {"rest/1", "x/2", "y/2", "z/3", "q/3"}
    assert {i.root for i in of_kind(out, BlockRun)} == {stage.index["a/1"]}
    assert EndNode("1", "error", "a/1 failed (exit code 1).") in out


def test_a_blocked_node_that_had_begun_ends_in_error_and_one_that_had_not_is_untouched():
    plan = plan_of("a/1 b/2 c/2 d/3", "a/1 > c/2 d/3", groups=tolerant("1 2 3", 1))
    stage = Stage(plan)
    stage.begin()
    stage.start("a/1", "b/2")
    stage.end("b/2")
    out = stage.end("a/1", "error")
    assert [(i.node, i.status) for i in of_kind(out, EndNode)] == [("1", "error"), ("2", "error"), ("3", "untouched")]
    reason = (
        "Fault tolerance exceeded: all: node 1 failed and nodes 2 and 3 are blocked by that, 3 of 3, 1 may fail. The cause: a/1 failed."
    )
    assert of_kind(out, Finish) == [Finish("error", reason)]


@pytest.mark.parametrize(
    ("tolerance", "finish"),
    [
        (2, Finish("ready", "Within fault tolerance: two/1 failed.")),
        (
            1,
            Finish(
                "error",
                "Fault tolerance exceeded: all: node 1 failed and node 2 is blocked by that, 2 of 3, 1 may fail. The cause: two/1 failed.",
            ),
        ),
    ],
)
def test_blocked_nodes_count_at_the_end_and_stop_nothing_before(tolerance, finish):
    plan = plan_of("two/1 two/2 three/2 four/3 five/3", "two/1 > three/2", "four/3 > five/3", groups=tolerant("1 2 3", tolerance))
    stage = Stage(plan)
    stage.begin()
    stage.end("two/1", "error")
    stage.end("two/2")
    assert stage.dispatched(stage.end("four/3")) == ["five/3"], "nothing is stopped for a node that is merely blocked"
    assert of_kind(stage.end("five/3"), Finish) == [finish]


def test_a_critical_node_that_is_blocked_at_the_end_is_too_much():
    stage = Stage(plan_of("a/1 b/2 c/3", "a/1 > b/2", groups=tolerant("1 3", 1)))
    stage.begin()
    stage.end("a/1", "error")
    reason = "Fault tolerance exceeded: in no group: node 2 is blocked, none may fail. The cause: a/1 failed."
    assert of_kind(stage.end("c/3"), Finish) == [Finish("error", reason)]


def test_where_no_node_came_through_nothing_is_ready_however_much_may_fail():
    stage = Stage(plan_of("a/1 a/2", groups=tolerant("1 2", 3)))
    stage.begin()
    stage.end("a/1", "error")
    out = stage.end("a/2", "error")
    assert of_kind(out, Finish) == [Finish("error", "No node came through: a/1 failed; a/2 failed.")]


def test_of_many_failures_the_first_are_named_and_the_others_counted():
    nodes = [str(node) for node in range(1, 15)]
    stage = Stage(plan_of(" ".join(f"a/{node}" for node in nodes), groups=tolerant(" ".join(nodes))))
    stage.begin()
    out = [i for node in nodes for i in stage.end(f"a/{node}", "ready" if node == "14" else "error")]
    (end,) = of_kind(out, Finish)
    assert end.reason.endswith("a/10 failed; and 3 more.")


def test_a_node_on_which_only_what_does_nothing_is_blocked_came_through():
    plan = plan_of("a/1 b/2 late/2 c/3", "a/1 > late/2", types={"late/2": "skipped"}, groups=tolerant("1 2 3", 1))
    stage = Stage(plan)
    stage.begin()
    stage.end("a/1", "error")
    assert EndNode("2", "ready") in stage.end("b/2")
    assert of_kind(stage.end("c/3"), Finish) == [Finish("ready", "Within fault tolerance: a/1 failed.")]


def test_the_sync_node_goes_on_after_failed_and_blocked_predecessors():
    plan = plan_of("a/1 b/1 a/2 st/null c/2", "a/1 b/1 a/2 > st/null", "st/null > c/2", types={"st/null": "stage"}, groups=tolerant("1 2"))
    stage = Stage(plan)
    stage.begin()
    stage.end("a/1", "error")
    assert stage.dispatched(stage.end("a/2")) == ["c/2"]


def test_many_failures_reach_a_sync_point_through_a_join():
    nodes = [str(node) for node in range(1, 8)]
    everywhere = " ".join(f"a/{node}" for node in nodes)
    plan = plan_of(
        everywhere + " st/null s2/null b/1 b/2 b/3 b/4 b/5 b/6", f"{everywhere} > st/null s2/null b/1 b/2 b/3 b/4 b/5 b/6",
        types={"st/null": "stage", "s2/null": "stage"}, groups=tolerant(" ".join(nodes)),
    )  # fmt: skip
    stage = Stage(plan)
    assert len(stage.scheduler.links.successors) > len(plan.runs)
    stage.begin()
    out = [i for node in nodes for i in stage.end(f"a/{node}", "error" if node == "7" else "ready")]
    assert {stage.scheduler.plan.runs[i.run].name for i in of_kind(out, BlockRun)} == {f"b/{node}" for node in range(1, 7)}
    assert {stage.scheduler.plan.runs[i.run].task for i in of_kind(out, EndRun) if i.outcome == "skipped"} == {"st", "s2"}


def test_a_failure_that_may_be_is_skipped_and_dependants_go_on():
    stage = Stage(plan_of("a/1 b/1", "a/1 > b/1", fail_on_error=False))
    stage.begin()
    assert stage.end("a/1", "error", "no such file") == [EndRun(0, "skipped", "no such file"), Dispatch(1, 1)]


def test_tolerance_exceeded_drains_and_ends_in_error_with_group_and_nodes():
    plan = plan_of("a/1 a/2 a/3 b/3", "a/3 > b/3", groups=tolerant("1 2 3", 1, "compute"))
    stage = Stage(plan)
    stage.begin()
    stage.start("a/1", "a/2", "a/3")
    assert of_kind(stage.end("a/1", "error"), Drain) == []
    reason = "Fault tolerance exceeded: compute: nodes 1 and 2 failed, 2 of 3, 1 may fail."
    assert Drain(reason, "tolerance") in stage.end("a/2", "error")
    out = stage.end("a/3")
    assert out == [EndRun(stage.index["a/3"], "ready"), EndNode("3", "stopped", reason), Finish("error", reason)]


@pytest.mark.parametrize(
    "groups", [(), (ToleranceGroup("ctl", ("1",), 0),), (ToleranceGroup("x", ("1",), 5), ToleranceGroup("y", ("1",), 0))]
)
def test_a_node_in_no_group_or_in_one_without_tolerance_is_critical(groups):
    stage = Stage(plan_of("a/1 b/2", groups=groups + tolerant("2")))
    stage.begin()
    out = stage.end("a/1", "error")
    assert of_kind(out, Drain)
    assert "node 1" in of_kind(out, Drain)[0].reason


def test_a_node_counts_once_and_blocked_nodes_do_not_count():
    plan = plan_of("a/1 b/2 c/3", "a/1 > b/2 c/3", groups=tolerant("1 2 3", 1))
    stage = Stage(plan)
    stage.begin()
    assert of_kind(stage.end("a/1", "error"), Drain) == []


def test_failures_of_one_moment_are_judged_together_and_nothing_starts_after_them():
    stage = Stage(plan_of("a/1 a/2 a/3 b/3", "a/3 > b/3", groups=tolerant("1 2 3", 1)))
    stage.begin()
    out = stage.tell(*(RunEnded(stage.index[name], outcome) for name, outcome in (("a/1", "error"), ("a/2", "error"), ("a/3", "ready"))))
    assert len(of_kind(out, Drain)) == 1
    assert stage.dispatched(out) == []
    assert of_kind(out, Finish)[0].status == "error"
