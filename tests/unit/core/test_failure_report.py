"""Root failures are told apart from what they blocked."""

from __future__ import annotations

from deployments.core.events import Begin, RunEnded, RunStarted
from deployments.core.plan import Plan
from deployments.core.proof.failure_report import Blocked, RunFacts, failure_report
from deployments.core.scheduling.schedule import Scheduler
from tests.unit.core.scheduling import plan_of, tolerant


def played(plan: Plan, *, fail: str = "", offline: tuple[str, ...] = ()) -> list[RunFacts]:
    """The record of the plan after the real scheduler has run it; the runs in `fail` fail."""
    scheduler = Scheduler(plan)
    scheduler.handle(Begin(offline), now=0)
    while scheduler.undone:
        for run in scheduler.undone:
            outcome = "error" if plan.runs[run].name in fail.split() else "ready"
            scheduler.handle(RunStarted(run), RunEnded(run, outcome, "exit code 1"), now=0)  # type: ignore[arg-type]
    output = "\n".join(["one", "", *map(str, range(2, 9)), "  "])
    return [
        RunFacts(status, scheduler.runs.attempts[run], "exit code 1", scheduler.blocked.get(run), output if status == "error" else "")
        for run, status in enumerate(scheduler.runs.status)
    ]


BOTH = tolerant("1 2 3")


def test_nothing_failed() -> None:
    plan = plan_of("a/1 b/2", "a/1 > b/2", groups=BOTH)
    report = failure_report(plan, played(plan))
    assert report.clean
    assert report.as_dict() == {"failures": [], "offline": [], "exceeded": "", "exceeded_groups": []}


def test_what_a_failure_blocks_is_counted_by_task_and_node() -> None:
    plan = plan_of("keystone/2 nova/2 nova/1 nova/3 other/1", "keystone/2 > nova/1 nova/3", groups=BOTH)
    (failure,) = failure_report(plan, played(plan, fail="keystone/2")).failures
    assert (failure.task, failure.node, failure.reason, failure.attempts) == ("keystone", "2", "exit code 1", 1)
    assert failure.blocked == Blocked({"nova": 3}, {"1": 1, "2": 1, "3": 1})
    assert failure.consequence == "3 task runs blocked by keystone on node 2: nova (3); on nodes 1 (1), 2 (1) and 3 (1)."


def test_the_last_lines_of_the_output_are_kept() -> None:
    plan = plan_of("a/1", groups=BOTH)
    (failure,) = failure_report(plan, played(plan, fail="a/1")).failures
    assert failure.output == ("4", "5", "6", "7", "8")
    assert failure.consequence == "Nothing else is blocked by a on node 1."


def test_what_several_failures_block_is_told_of_each_of_them() -> None:
    plan = plan_of("a/1 b/1 a/2 b/2 c/3", "a/1 a/2 > c/3", groups=BOTH)
    report = failure_report(plan, played(plan, fail="a/1 a/2"))
    assert [failure.blocked for failure in report.failures] == [
        Blocked({"b": 1, "c": 1}, {"1": 1, "3": 1}, shared=1), Blocked({"b": 1, "c": 1}, {"2": 1, "3": 1}, shared=1),
    ]  # fmt: skip
    assert report.failures[1].consequence.endswith("on nodes 2 (1) and 3 (1). 1 of them is blocked by other failures too.")


def test_whoever_mends_one_of_two_learns_that_the_other_blocks_the_same() -> None:
    plan = plan_of("two/1 two/2 two/3 three/1 three/2 three/3", "two/1 two/2 two/3 > three/1 three/2 three/3", groups=BOTH)
    report = failure_report(plan, played(plan, fail="two/1 two/3"))
    assert [failure.consequence for failure in report.failures] == [
        f"3 task runs blocked by two on node {node}: three (3); on nodes 1 (1), 2 (1) and 3 (1). "
        "All of them are blocked by other failures too."
        for node in "13"
    ]


def test_roots_are_found_through_what_is_blocked_and_through_joins() -> None:
    many = [str(node) for node in range(1, 12)]
    first, second, third = (" ".join(f"{task}/{node}" for node in many) for task in "abc")
    plan = plan_of(
        f"{first} {second} {third} z/99", f"{first} > {second}", f"{second} > {third}", "z/99 > c/1", groups=tolerant(" ".join(many))
    )
    report = failure_report(plan, played(plan, fail="a/3 z/99"))
    a, z = report.failures
    assert (a.blocked.by_task, a.blocked.shared) == ({"b": 11, "c": 11}, 1)
    assert (z.blocked.by_node, z.blocked.shared) == ({"1": 1}, 1)


def test_a_sync_point_passes_no_failure_on() -> None:
    plan = plan_of("a/1 st/null b/2", "a/1 > st/null", "st/null > b/2", types={"st/null": "stage"}, groups=BOTH)
    (failure,) = failure_report(plan, played(plan, fail="a/1")).failures
    assert not failure.blocked.total


def test_an_offline_node_is_a_cause_of_its_own() -> None:
    plan = plan_of("a/1 b/2 c/3", "a/1 > b/2", groups=BOTH)
    report = failure_report(plan, played(plan, offline=("1",)), ["1"])
    assert not report.failures
    (node,) = report.offline
    assert node.consequence == "2 task runs blocked by node 1, which is offline: a (1) and b (1); on nodes 1 (1) and 2 (1)."


def test_what_waited_only_for_a_stop_is_blocked_by_nobody() -> None:
    plan = plan_of("a/1 b/2", "a/1 > b/2", groups=BOTH)
    assert failure_report(plan, [RunFacts("ready", 1), RunFacts("pending")]).clean


def test_exceeded_tolerance_is_named() -> None:
    plan = plan_of("a/1 a/2 a/3", groups=tolerant("1 2 3", tolerance=1))
    assert not failure_report(plan, played(plan, fail="a/1")).exceeded
    exceeded = failure_report(plan, [RunFacts("error", 1), RunFacts("error", 1), RunFacts("ready", 1)]).exceeded
    assert str(exceeded) == "Fault tolerance exceeded: all: nodes 1 and 2 failed, 2 of 3, 1 may fail."
    told = {"group": "all", "size": 3, "tolerance": 1, "failed": ("1", "2"), "blocked": ()}
    assert exceeded.as_list() == [told]


def test_many_names_are_counted() -> None:
    names = [f"t{n}/2" for n in range(8)]
    plan = plan_of(f"a/1 {' '.join(names)}", f"a/1 > {' '.join(names)}", groups=BOTH)
    (failure,) = failure_report(plan, played(plan, fail="a/1")).failures
    assert failure.consequence.endswith("t0 (1), t1 (1), t2 (1), t3 (1), t4 (1) and 3 more; on node 2 (8).")
