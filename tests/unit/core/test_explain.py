"""Why is this waiting? Every kind of answer, in one sentence."""

from __future__ import annotations

import pytest

from deployments.core.events import Begin, RunEnded, RunStarted, StopRequested
from deployments.core.scheduling.explain import FirstSign
from deployments.core.scheduling.schedule import Scheduler
from tests.unit.core.scheduling import plan_of, tolerant


def ask(plan, name: str, *moments) -> tuple[str, str]:
    scheduler = Scheduler(plan)
    index = {run.name: number for number, run in enumerate(plan.runs)}
    for moment in moments:
        scheduler.handle(*(make(index) for make in moment), now=0)
    answer = scheduler.why(index[name])
    return answer.kind, str(answer)


BEGIN = [lambda _: Begin()]
STOP = [lambda _: StopRequested()]


def started(name: str):
    return [lambda index: RunStarted(index[name])]


def ended(name: str, outcome: str = "ready", reason: str = ""):
    return [lambda index: RunEnded(index[name], outcome, reason)]


PLAN = plan_of("a/1 b/1 c/2 d/2", "a/1 > b/1 c/2", groups=tolerant("1 2"))


@pytest.mark.parametrize(
    "plan, name, moments, kind, sentence",
    [
        (PLAN, "a/1", [], "not begun", "a/1 waits for the deployment to begin."),
        (PLAN, "a/1", [BEGIN], "under way", "a/1 is queued for its node and waits for the agent to take it."),
        (PLAN, "a/1", [BEGIN, started("a/1")], "under way", "a/1 is running (attempt 1)."),
        (PLAN, "b/1", [BEGIN, started("a/1")], "predecessors", "b/1 waits for a/1 (running)."),
        (PLAN, "c/2", [BEGIN, ended("a/1")], "node busy", "c/2 waits for node 2, which is busy with d."),
        (PLAN, "a/1", [BEGIN, ended("a/1")], "done", "a/1 is over: ready."),
        (PLAN, "c/2", [BEGIN, ended("a/1", "error", "exit code 1")], "blocked",
         "c/2 can't start any more, because a/1 failed (exit code 1)."),
        (PLAN, "c/2", [BEGIN, STOP], "stopped", "c/2 is not started, because the deployment is stopping: A stop was asked for."),
        (plan_of("a/1 a/2", limits={"a": 1}), "a/2", [BEGIN], "task limit", "a/2 waits for a place: a may run on 1 node at once."),
        (plan_of("a/1 a/2 a/3", limits={"a": 2}), "a/3", [BEGIN], "task limit", "a/3 waits for a place: a may run on 2 nodes at once."),
        (plan_of("a/1 a/2 a/3", max_nodes_per_call=2), "a/3", [BEGIN], "node limit",
         "a/3 waits for a place: 2 nodes may be busy at once, and so many are."),
        (plan_of("a/1", attempts=2, retry_delay=30), "a/1", [BEGIN, ended("a/1", "error")], "retry",
         "a/1 failed and is tried again when 30 s have passed."),
        (plan_of("a/1 a/2", max_nodes_per_call=1), "a/2", [BEGIN], "node limit",
         "a/2 waits for a place: 1 node may be busy at once, and one is."),
    ],
)  # fmt: skip
def test_the_answer(plan, name, moments, kind, sentence):
    assert ask(plan, name, *moments) == (kind, sentence)


def test_many_predecessors_are_counted_and_those_behind_a_join_are_named():
    everywhere = " ".join(f"a/{node}" for node in range(1, 9))
    later = " ".join(f"b/{node}" for node in range(1, 9))
    kind, sentence = ask(plan_of(f"{everywhere} {later}", f"{everywhere} > {later}"), "b/1", BEGIN, ended("a/1"))
    assert kind == "predecessors"
    assert sentence.startswith("b/1 waits for a/2 (dispatched), a/3 (dispatched),") and sentence.endswith(" and 2 more.")


def test_a_sync_point_waits_only_for_what_has_not_ended_at_all():
    plan = plan_of("a/1 a/2 st/null", "a/1 a/2 > st/null", types={"st/null": "stage"}, groups=tolerant("1 2"))
    assert ask(plan, "st/null", BEGIN, ended("a/1", "error")) == ("predecessors", "st/null waits for a/2 (dispatched).")


@pytest.mark.parametrize(
    ("name", "silent", "sentence"),
    [
        ("a/1", ["1"], "a/1 waits for the first sign of 1's agent, until 16:40:17 UTC."),
        ("a/1", ["2", "1"], "a/1 waits for the first sign of the agents of 1 and 2, until 16:40:17 UTC."),
        ("c/2", ["1"], "c/2 waits for the deployment to begin, and that for the first sign of 1's agent, until 16:40:17 UTC."),
    ],
)
def test_before_the_start_the_first_sign_of_every_agent_is_waited_for(name: str, silent: list[str], sentence: str) -> None:
    index = {run.name: number for number, run in enumerate(PLAN.runs)}
    answer = Scheduler(PLAN).why(index[name], first_sign=FirstSign(silent, "16:40:17 UTC"))
    assert (answer.kind, str(answer)) == ("first sign", sentence)


def test_when_it_is_waited_for_no_longer_that_is_not_said() -> None:
    assert str(Scheduler(PLAN).why(0, first_sign=FirstSign(["1"], ""))) == "a/1 waits for the deployment to begin."
