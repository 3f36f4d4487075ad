"""`verify` on the database: what the real ledger writes is clean, and nothing can be changed behind its back."""

from __future__ import annotations

import json
import random
import time
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments.core.events import Begin, RunEnded, RunStarted
from deployments.core.plan import Bundle, Plan, TaskRun
from deployments.services.verification import verify_transaction
from history import queries as history
from history import recorder
from history.models import Attempt, Event, Transaction
from history.models import TaskRun as Row
from history.recorder.ledger import event_digest
from tests.integration.recorded import Recorded
from tests.unit.core.scheduling import plan_of, plans, tolerant

pytestmark = pytest.mark.django_db


def a_run() -> Recorded:
    """Five runs on two nodes; one is lost and tried again, one fails and is borne."""
    plan = plan_of("a/1 b/1 c/2 d/2 s/null", "a/1 > c/2", "b/1 d/2 > s/null", types={"s/null": "stage"}, groups=tolerant("1 2"))
    run = Recorded(plan)
    run.commit(Begin())
    return run.finish({"b/1": "error:disk full"})


def findings(run: Recorded) -> list[str]:
    return [f"{finding.kind}: {finding.sentence}" for finding in verify_transaction(run.parent.id).findings]


def said(*arguments: object) -> tuple[str, int]:
    out = StringIO()
    try:
        call_command("verify", *map(str, arguments), stdout=out)
    except SystemExit as leave:
        return out.getvalue(), int(leave.code or 0)
    return out.getvalue(), 0


def test_what_the_ledger_writes_is_clean() -> None:
    run = a_run()
    assert findings(run) == []
    events = Event.objects.filter(transaction=run.parent).count()
    assert said(run.parent.id) == (f"verified: {events} events, 5 task runs, 0 findings\n", 0)
    assert said(run.child.id) == said(run.parent.id)


def test_the_log_says_which_transaction_moved() -> None:
    run = a_run()
    moves = Event.objects.filter(transaction=run.parent, subject="transaction").order_by("seq")
    assert [(event.about, event.new) for event in moves] == [
        (run.child.id, "planned"), (run.parent.id, "running"), (run.child.id, "running"), (run.child.id, "ready"), (run.parent.id, "ready"),
    ]  # fmt: skip
    last = moves.last()
    Event.objects.filter(pk=last.pk).update(about=run.child.id)
    assert f"chain: Event {last.seq} is not as it was written: its digest does not fit what it says and what came before." in findings(run)


def test_a_log_from_before_it_said_so_is_still_good() -> None:
    run = a_run()
    digest = ""
    for event in Event.objects.filter(transaction=run.parent).order_by("seq"):
        event.about = None
        event.digest = digest = event_digest(digest, event.seq, event)
        event.save()
    Transaction.objects.filter(id=run.parent.id).update(event_digest=digest)
    assert findings(run) == []


def test_json_says_the_same() -> None:
    run = a_run()
    text, code = said(run.parent.id, "--format", "json")
    told = json.loads(text)
    assert (code, told["transaction"], told["over"], told["task_runs"], told["findings"]) == (0, run.parent.id, True, 5, [])


def test_a_transaction_under_way_is_verified_so_far() -> None:
    run = Recorded(plan_of("a/1 b/2", "a/1 > b/2"))
    run.commit(Begin())
    run.start("a/1")
    assert findings(run) == []
    assert said(run.parent.id)[0].endswith(f"0 findings (so far: transaction {run.parent.id} is running)\n")


def test_a_changed_event_breaks_the_chain_once() -> None:
    run = a_run()
    seq = Event.objects.get(transaction=run.parent, reason="disk full", subject="attempt").seq
    Event.objects.filter(transaction=run.parent, seq=seq).update(reason="all is well")
    assert findings(run) == [f"chain: Event {seq} is not as it was written: its digest does not fit what it says and what came before."]
    text, code = said(run.parent.id)
    assert code == 1
    assert text.splitlines()[0].startswith(f"chain   event {seq}: ")
    assert text.splitlines()[-1].endswith("task runs, 1 finding")


def test_a_removed_event_is_missed() -> None:
    run = a_run()
    Event.objects.filter(transaction=run.parent, seq=5).delete()
    assert "chain: Before event 6, event 5 is missing." in findings(run)


def test_a_cut_off_end_is_missed() -> None:
    run = a_run()
    last = Transaction.objects.get(id=run.parent.id).event_seq
    Event.objects.filter(transaction=run.parent, seq__gte=last - 1).delete()
    assert f"chain: The log ends with event {last - 2}, but {last} were written." in findings(run)


def test_a_chain_written_anew_does_not_end_as_remembered() -> None:
    run = a_run()
    Transaction.objects.filter(id=run.parent.id).update(event_digest="0" * 64)
    last = Transaction.objects.get(id=run.parent.id).event_seq
    assert findings(run) == [f"chain: The last event ({last}) is not the one that the transaction remembers."]


def test_changed_rows_are_found() -> None:
    run = a_run()
    Row.objects.filter(transaction=run.child.id, task_name="b").update(status="ready")
    Attempt.objects.filter(run__task_name="a").update(status="error")
    assert findings(run) == [
        "row: The row of b/1 is ready, but the log ends with error.", "row: Attempt 1 of a/1 is error, but the log ends with ready.",
    ]  # fmt: skip


def test_rows_of_another_plan_are_found() -> None:
    run = a_run()
    Row.objects.filter(transaction=run.child.id, task_name="c").update(node="9")
    assert findings(run) == [f"row: The task runs of transaction {run.child.id} are not those of its plan."]


def test_rows_of_a_plan_that_was_never_wholly_written_are_no_record() -> None:
    run = a_run()
    child = Transaction.objects.create(
        parent_id=run.parent.id, position=1, name="deployment", status="pending", actor="ann", created_at=run.parent.created_at
    )
    Row.objects.create(transaction=child, position=0, node="1", task_name="a", type="shell")
    assert not [line for line in findings(run) if "in no plan" in line]


def test_a_stop_points_to_what_it_stops() -> None:
    run = a_run()
    stop = Transaction.objects.create(
        name="stop_deployment", target_id=run.parent.id, status="ready", actor="ann", created_at=run.parent.created_at
    )
    assert verify_transaction(stop.id).transaction == run.parent.id


@pytest.mark.parametrize("decision", ["ready", "pending", "skipped"])
def test_a_decision_after_the_end_is_no_finding(decision: str) -> None:
    run = a_run()
    row = next(row for row in recorder.load_rows(run.child.id) if row.task_name == "b")
    ledger = recorder.Ledger(run.parent.id, run.epoch, "ann", history.end_of_log(run.parent.id))
    if decision == "pending":
        ledger.pending_again(row, "ann: it is to run again")
    else:
        ledger.finish_run(row, decision, reason="ann: enough of it")
    ledger.write()
    assert findings(run) == []


def test_no_such_transaction() -> None:
    with pytest.raises(CommandError, match="There is no transaction 4711"):
        call_command("verify", "4711")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plans(), st.integers(0, 2**32 - 1))
def test_random_plans_through_the_real_ledger(plan: Plan, seed: int) -> None:
    dice = random.Random(seed)
    run = Recorded(plan, cluster_id=dice.randrange(2**40))
    run.commit(Begin())
    run.finish({planned.name: dice.choice(["ready", "ready", "ready", "skipped", "error:no", "lost"]) for planned in plan.runs})
    assert findings(run) == []
    assert verify_transaction(run.parent.id).over


def test_a_large_run_is_verified_in_time() -> None:
    """4,000 runs on 100 nodes; the proof must be far quicker than 15 s for 55,000."""
    runs = tuple(TaskRun(f"t{task:02}", str(node), "shell") for node in range(1, 101) for task in range(40))
    bundles = tuple(
        Bundle(tuple(range(task, 4000, 40)), tuple(range(task + 1, 4000, 40))) for task in range(39)
    )  # fmt: skip
    run = Recorded(Plan(tuple(map(str, range(1, 101))), runs, bundles, max_nodes_per_call=0))
    run.commit(Begin())
    finish_in_waves(run)
    begun = time.process_time()
    assert findings(run) == []
    assert time.process_time() - begun < 4


def finish_in_waves(run: Recorded) -> None:
    """All that is under way ends in one commit, as in a large run."""
    while under_way := list(run.child.undone.values()):
        ledger = run._ledger()
        events = []
        for row in under_way:
            ledger.started(row, ledger.at)
            ledger.ended(row, "ready", ledger.at, duration=1.0)
            run.child.undone.pop(row.position)
            events += [RunStarted(row.position), RunEnded(row.position, "ready")]
        run.commit(*events, ledger=ledger)
