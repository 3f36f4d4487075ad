"""The tables of states: complete, connected, and strict."""

from __future__ import annotations

import pickle

import pytest

from deployments.core.errors import IllegalTransition
from deployments.core.events import Dispatch, EndRun, RetryRun, RunStarted
from deployments.core.states import CLUSTER, LAUNCH, NODE, check
from history import states as history
from tests.unit.core.scheduling import CheckedScheduler, plans
from tests.unit.core.test_schedule_properties import World, examples, given, seeds

TABLES = [NODE, CLUSTER, LAUNCH, history.TRANSACTION, history.TASK_RUN, history.ATTEMPT]
WORDS = {
    "node": "discover provisioning provisioned deploying ready error removing stopped",
    "cluster": "new deployment stopped operational error remove partially_deployed",
    "launch": "new pending running incomplete shutting_down stopped failed rollback_in_progress rollback_complete rollback_failed",
    "transaction": "pending running ready error stopped",
    "task run": "pending running ready error skipped",
    "attempt": "dispatched started ready error skipped lost recalled",
}
tables = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.about)


@tables
def test_the_words_are_the_stored_ones(table):
    assert set(table.states) == set(WORDS[table.about].split())


@tables
def test_every_state_can_be_reached(table):
    reached = {table.initial}
    for _ in table.states:
        reached |= {new for old, new in table.moves if old in reached}
    assert reached == set(table.states)


@tables
def test_every_row_says_when_and_none_leads_nowhere(table):
    assert all(when and old != new for (old, new), when in table.moves.items())


@tables
def test_what_is_not_in_the_table_is_refused_with_both_states(table):
    for old in table.states:
        for new in table.states:
            if (old, new) in table.moves:
                check(table, old, new)
                continue
            with pytest.raises(IllegalTransition, match=f"{table.about}.*{old}.*{new}"):
                check(table, old, new, node="7")


def test_the_error_crosses_process_borders_with_its_node():
    with pytest.raises(IllegalTransition) as error:
        check(NODE, "ready", "discover", node="7")
    assert pickle.loads(pickle.dumps(error.value)).node == "7"


@examples
@given(plans(), seeds)
def test_the_scheduler_only_asks_for_moves_that_history_allows(plan, seed):
    world, scheduler = World(plan, seed), CheckedScheduler(plan)
    status = ["pending"] * len(plan.runs)
    events = [world.begin]
    while not scheduler.finished:
        out = scheduler.handle(*events, now=world.now)
        for event in events:
            if isinstance(event, RunStarted):
                move(status, event.run, "running")
        for instruction in out:
            if isinstance(instruction, EndRun):
                if status[instruction.run] == "pending" and instruction.outcome == "ready":
                    move(status, instruction.run, "running")
                move(status, instruction.run, instruction.outcome)
            elif isinstance(instruction, RetryRun) and status[instruction.run] == "running":
                move(status, instruction.run, "pending")
            elif isinstance(instruction, Dispatch):
                assert status[instruction.run] == "pending"
        world.take(out)
        events = world.events()


def move(status: list[str], run: int, new: str) -> None:
    history.check(history.TASK_RUN, status[run], new)
    status[run] = new
