"""The scheduler's rules, one by one."""

from __future__ import annotations

import pytest

from deployments.core.errors import IllegalTransition, LoopDetected
from deployments.core.events import (
    Begin,
    BlockRun,
    Dispatch,
    Drain,
    EndNode,
    EndRun,
    Finish,
    NodeOffline,
    RetryRun,
    RunEnded,
    RunLost,
    RunRecalled,
    RunStarted,
    StopRequested,
    Tick,
    WakeAt,
)
from deployments.core.plan import Plan
from deployments.core.scheduling.schedule import Scheduler
from tests.unit.core.scheduling import CheckedScheduler, plan_of, tolerant


class Stage:
    """A scheduler spoken to by names."""

    def __init__(self, plan: Plan, **options) -> None:
        self.scheduler = CheckedScheduler(plan, **options)
        self.index = {run.name: number for number, run in enumerate(plan.runs)}
        self.now = 0.0

    def tell(self, *events, at: float | None = None) -> list:
        self.now = self.now if at is None else at
        return self.scheduler.handle(*events, now=self.now)

    def begin(self, *offline: str) -> list:
        return self.tell(Begin(offline))

    def start(self, *names: str) -> list:
        return self.tell(*(RunStarted(self.index[name]) for name in names))

    def end(self, name: str, outcome: str = "ready", reason: str = "", at: float | None = None) -> list:
        return self.tell(RunEnded(self.index[name], outcome, reason), at=at)

    def dispatched(self, out: list) -> list[str]:
        return [self.scheduler.plan.runs[i.run].name for i in out if isinstance(i, Dispatch)]


def of_kind(out: list, kind: type) -> list:
    return [instruction for instruction in out if isinstance(instruction, kind)]


def test_nothing_starts_before_begin_and_everything_ends_in_finish():
    stage = Stage(plan_of("a/1 b/1", "a/1 > b/1"))
    assert stage.tell(Tick()) == []
    assert stage.dispatched(stage.begin()) == ["a/1"]
    assert stage.start("a/1") == []
    assert stage.end("a/1") == [EndRun(0, "ready"), Dispatch(1, 1)]
    assert stage.end("b/1") == [EndRun(1, "ready"), EndNode("1", "ready"), Finish("ready")]
    assert stage.tell(Tick()) == []


def test_an_empty_plan_is_ready_at_once_and_its_nodes_are_untouched():
    stage = Stage(Plan(nodes=("1", "null"), runs=(), bundles=()))
    assert stage.begin() == [EndNode("1", "untouched"), Finish("ready")]


def test_a_circle_is_refused_with_its_path():
    with pytest.raises(LoopDetected, match="a/1 → b/2 → a/1"):
        CheckedScheduler(plan_of("a/1 b/2", "a/1 > b/2", "b/2 > a/1"))


def test_a_run_never_waits_for_itself():
    assert Stage(plan_of("a/1", "a/1 > a/1")).begin() == [Dispatch(0, 1)]


def test_engine_runs_take_their_turn_but_no_place_and_no_message():
    plan = plan_of("s/1 a/1 s/2 a/2", "s/1 > a/1", types={"s/1": "stage", "s/2": "noop"}, max_nodes_per_call=1, limits={"s": 1})
    stage = Stage(plan)
    out = stage.begin()
    assert [i.run for i in of_kind(out, EndRun)] == [stage.index["s/1"], stage.index["s/2"]]
    assert stage.dispatched(out) == ["a/1"]


def test_an_engine_run_waits_behind_a_heavier_run_of_its_node():
    plan = plan_of("heavy/1 s/1 x/2", "heavy/1 > x/2", types={"s/1": "skipped"})
    stage = Stage(plan)
    assert stage.begin() == [Dispatch(stage.index["heavy/1"], 1)]
    assert stage.end("heavy/1")[1] == EndRun(stage.index["s/1"], "skipped")


def test_all_ends_of_a_moment_are_taken_before_anything_starts():
    plan = plan_of("a/1 light/1 b/2 heavy/1 x/3", "b/2 > heavy/1", "heavy/1 > x/3", "a/1 > light/1")
    stage = Stage(plan)
    stage.begin()
    out = stage.tell(RunEnded(stage.index["a/1"], "ready"), RunEnded(stage.index["b/2"], "ready"))
    assert stage.dispatched(out) == ["heavy/1"]


def test_free_places_go_to_nodes_in_numeric_order_then_text_then_the_sync_node():
    stage = Stage(plan_of("a/10 a/9 a/master a/null b/9", groups=tolerant("9 10 master"), max_nodes_per_call=1))
    seen = stage.dispatched(stage.begin())
    while len(seen) < 5:
        seen += stage.dispatched(stage.end(seen[-1]))
    assert seen == ["a/9", "b/9", "a/10", "a/master", "a/null"]


def test_a_task_with_a_limit_lets_others_go_first():
    stage = Stage(plan_of("a/1 a/2 w/2 a/3 w/3", limits={"a": 1}))
    assert stage.dispatched(stage.begin()) == ["a/1", "w/2", "w/3"]
    assert stage.dispatched(stage.end("w/2")) == []
    assert stage.dispatched(stage.end("a/1")) == ["a/2"]
    assert stage.dispatched(stage.end("w/3")) == []
    assert stage.dispatched(stage.end("a/2")) == ["a/3"]


def test_a_busy_node_that_is_woken_for_a_place_does_not_keep_others_asleep():
    stage = Stage(plan_of("a/1 a/2 w/2 a/3", limits={"a": 1}))
    assert stage.dispatched(stage.begin()) == ["a/1", "w/2"]
    assert stage.dispatched(stage.end("a/1")) == ["a/3"]


def test_a_node_that_waits_for_both_kinds_of_place_takes_its_heaviest_run_when_both_come_free():
    plan = plan_of("b/3 c/3 a/3 a/4 a/5 u/5 z/6", "b/3 > c/3 u/5", "c/3 > a/3", "a/4 a/5 > z/6", limits={"a": 1}, max_nodes_per_call=2)
    stage = Stage(plan)
    assert stage.dispatched(stage.begin()) == ["b/3", "a/4"]
    assert stage.dispatched(stage.end("b/3")) == ["c/3"]
    assert stage.dispatched(stage.end("a/4")) == ["a/5"]


@pytest.mark.parametrize("limits, max_nodes", [({"a": 1}, 0), ({"a": 7}, 3), ({}, 5), ({"a": 2, "b": 1}, 50)])
def test_a_thousand_waiting_nodes_all_get_their_turn(limits, max_nodes):
    nodes = range(1, 1001)
    plan = plan_of(
        " ".join(f"{task}/{node}" for node in nodes for task in "ab"), limits=limits, max_nodes_per_call=max_nodes,
        groups=tolerant(" ".join(map(str, nodes))),
    )  # fmt: skip
    scheduler = Scheduler(plan)  # The invariants are checked on small plans; here only that nobody is left.
    waiting = [i.run for i in scheduler.handle(Begin(), now=0) if isinstance(i, Dispatch)]
    ended = 0
    while waiting:
        out = scheduler.handle(RunEnded(waiting.pop(0), "ready"), now=0)
        ended += 1
        waiting += [i.run for i in out if isinstance(i, Dispatch)]
    assert ended == 2000
    assert scheduler.finished == Finish("ready")


# -- offline nodes --------------------------------------------------------------------------------------------------------


def test_a_critical_node_that_is_offline_before_the_start_ends_it():
    stage = Stage(plan_of("a/1 a/2", groups=tolerant("2")))
    out = stage.begin("1")
    assert stage.dispatched(out) == []
    assert of_kind(out, Finish) == [Finish("error", "Critical nodes are not available for deployment: 1.")]
    assert of_kind(out, EndNode) == [EndNode("1", "error", "node 1 is offline."), EndNode("2", "untouched", out[-1].reason)]


def test_an_offline_node_blocks_its_runs_without_a_root_and_others_with_theirs():
    stage = Stage(plan_of("a/1 b/2 c/2", "a/1 > b/2", groups=tolerant("1 2")))
    out = stage.begin("1")
    assert of_kind(out, BlockRun) == [BlockRun(0, None, "Blocked: node 1 is offline."), BlockRun(1, 0, "Blocked: node 1 is offline.")]
    assert stage.dispatched(out) == ["c/2"]


def test_a_node_that_goes_offline_gives_back_what_was_queued_for_it():
    stage = Stage(plan_of("a/1 a/2 b/2", groups=tolerant("1 2"), max_nodes_per_call=1))
    assert stage.dispatched(stage.begin()) == ["a/1"]
    out = stage.tell(NodeOffline("1"))
    assert of_kind(out, BlockRun) == [BlockRun(0, None, "Blocked: node 1 is offline.")]
    assert stage.dispatched(out) == ["a/2"]
    assert stage.tell(NodeOffline("1")) == []


def test_a_node_that_is_done_may_be_switched_off():
    stage = Stage(plan_of("a/1 a/2 b/2", "a/2 > b/2"))
    stage.begin()
    assert EndNode("1", "ready") in stage.end("a/1")
    assert stage.tell(NodeOffline("1")) == []
    assert stage.scheduler.snapshot().offline == frozenset()
    stage.end("a/2")
    assert of_kind(stage.end("b/2"), Finish) == [Finish("ready")]


def test_an_offline_node_without_runs_still_counts_before_the_start():
    out = Stage(Plan(nodes=("1", "null"), runs=(), bundles=())).begin("1")
    assert of_kind(out, Finish)[0].status == "error"


def test_what_runs_on_an_offline_node_may_still_end_and_is_not_tried_again():
    stage = Stage(plan_of("a/1 b/1 a/2", "a/1 > b/1", groups=tolerant("1 2"), idempotent=True))
    stage.begin()
    stage.start("a/1")
    assert of_kind(stage.tell(NodeOffline("1")), EndNode) == []
    out = stage.tell(RunLost(0))
    assert out == [EndRun(0, "error", "lost"), EndNode("1", "error", "node 1 is offline.")]


# -- tries ----------------------------------------------------------------------------------------------------------------


def test_a_failed_run_is_tried_again_after_its_delay():
    stage = Stage(plan_of("a/1 b/1", attempts=3, retry_delay=30))
    first = stage.dispatched(stage.begin())[0]
    run, other = stage.index[first], next(name for name in stage.index if name != first)
    out = stage.end(first, "error", "exit code 1", at=100)
    assert out == [RetryRun(run, "exit code 1"), WakeAt(130), Dispatch(stage.index[other], 1)]
    stage.end(other, at=110)
    assert stage.tell(Tick(), at=129) == []
    assert stage.tell(Tick(), at=130) == [Dispatch(run, 2)]
    assert of_kind(stage.end(first, "error", at=131), RetryRun)
    stage.tell(Tick(), at=170)
    assert of_kind(stage.end(first, "error", at=171), EndRun) == [EndRun(run, "error")]


def test_a_lost_run_is_tried_again_so_many_times_if_that_does_no_harm():
    stage = Stage(plan_of("a/1", idempotent=True), lost_limit=2)
    stage.begin()
    assert stage.tell(RunLost(0)) == [RetryRun(0, "lost"), Dispatch(0, 2)]
    assert stage.tell(RunLost(0)) == [RetryRun(0, "lost"), Dispatch(0, 3)]
    assert of_kind(stage.tell(RunLost(0)), EndRun) == [EndRun(0, "error", "lost")]


def test_a_lost_run_that_may_do_harm_counts_as_failed_even_with_tries_left():
    stage = Stage(plan_of("a/1", attempts=5))
    stage.begin()
    assert of_kind(stage.tell(RunLost(0)), EndRun) == [EndRun(0, "error", "lost")]


def test_a_recalled_run_gets_a_new_attempt_and_that_counts_as_no_failure():
    stage = Stage(plan_of("a/1"))
    stage.begin()
    assert stage.tell(RunRecalled(0)) == [Dispatch(0, 2)]


# -- stops ----------------------------------------------------------------------------------------------------------------


def test_a_stop_lets_running_runs_end_and_gives_back_what_was_queued():
    stage = Stage(plan_of("a/1 b/1 a/2 a/3 a/4", "a/1 > b/1", max_nodes_per_call=3))
    stage.begin()
    stage.start("a/1", "a/2")
    out = stage.tell(StopRequested())
    assert out == [Drain("A stop was asked for.", "stop"), EndNode("4", "untouched", "A stop was asked for.")]
    assert stage.tell(StopRequested()) == []
    assert stage.tell(RunRecalled(stage.index["a/3"])) == [EndNode("3", "untouched", "A stop was asked for.")]
    assert stage.end("a/2") == [EndRun(stage.index["a/2"], "ready"), EndNode("2", "ready")]
    out = stage.end("a/1")
    assert out[1:] == [EndNode("1", "stopped", "A stop was asked for."), Finish("stopped", "A stop was asked for.")]


def test_a_stop_before_the_start_starts_nothing():
    stage = Stage(plan_of("a/1 st/null", types={"st/null": "stage"}))
    out = stage.tell(Begin(), StopRequested())
    assert not of_kind(out, EndRun) and of_kind(out, Finish) == [Finish("stopped", "A stop was asked for.")]


def test_a_failure_after_a_stop_does_not_change_what_was_asked_for():
    stage = Stage(plan_of("a/1 a/2"))
    stage.begin()
    stage.start("a/1", "a/2")
    stage.tell(StopRequested())
    stage.end("a/1", "error")
    assert of_kind(stage.end("a/2"), Finish)[0].status == "stopped"


def test_a_stop_after_an_excess_does_not_make_it_better():
    stage = Stage(plan_of("a/1 a/2"))
    stage.begin()
    stage.start("a/1", "a/2")
    stage.end("a/1", "error")
    assert stage.tell(StopRequested()) == []
    assert of_kind(stage.end("a/2"), Finish)[0].status == "error"


def test_a_run_that_fails_with_tries_left_while_stopping_stays_pending():
    stage = Stage(plan_of("a/1", attempts=2))
    stage.begin()
    stage.start("a/1")
    stage.tell(StopRequested())
    out = stage.end("a/1", "error", "exit code 1")
    assert out == [
        RetryRun(0, "exit code 1"), EndNode("1", "stopped", "A stop was asked for."), Finish("stopped", "A stop was asked for."),
    ]  # fmt: skip


# -- what does not fit ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event, states",
    [(RunStarted(0), "running to running"), (RunRecalled(0), "running to pending"), (RunEnded(1, "ready"), "pending to ready"),
     (RunLost(1), "pending to error")],
)  # fmt: skip
def test_an_event_that_does_not_fit_names_both_states(event, states):
    stage = Stage(plan_of("a/1 b/1", "a/1 > b/1"))
    stage.begin()
    stage.start("a/1")
    with pytest.raises(IllegalTransition, match=f"can't go from {states}"):
        stage.tell(event)
