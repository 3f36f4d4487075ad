"""The one door for writes: ownership, conditional moves, and the chain of events, on the real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from history import queries, recorder
from history.models import Attempt, Event, TaskRun, Transaction
from history.recorder.ledger import event_digest
from history.states import IllegalMove

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def a_request(**changes: object) -> Transaction:
    values = {"name": "deploy", "cluster_id": 1, "cluster_name": "c", "actor": "ann", "graph_types": ["default"], **changes}
    return recorder.open_request(recorder.Request(**values), NOW)  # type: ignore[arg-type]


def owned(runs: int = 2) -> tuple[Transaction, Transaction, int]:
    """A recorded request with its child and the owner's epoch."""
    parent = a_request()
    child = queries.children(parent)[0]
    epoch = recorder.take(parent.id, "me", 30)
    assert epoch is not None
    rows = [recorder.PlannedRun("1", f"t{i}", "shell") for i in range(runs)]
    recorder.record_plan(a_ledger(parent, epoch), child.id, rows, {"plan": {"some": "data"}}, lambda: NOW)
    return parent, child, epoch


def a_ledger(parent: Transaction, epoch: int, seconds: float = 0) -> recorder.Ledger:
    return recorder.Ledger(parent.id, epoch, "me", NOW + timedelta(seconds=seconds))


def test_a_request_is_a_parent_with_a_child_per_graph() -> None:
    parent = a_request(graph_types=["provision", "default"])
    assert [(c.position, c.name, c.graph_type, c.status) for c in queries.children(parent)] == [
        (0, "deployment", "provision", "pending"), (1, "deployment", "default", "pending"),
    ]  # fmt: skip


def test_a_cluster_has_one_unfinished_deploy() -> None:
    a_request()
    with pytest.raises(recorder.AlreadyOpen):
        a_request()
    assert Transaction.objects.filter(parent=None).count() == 1
    a_request(cluster_id=2)


def test_ownership_is_taken_once_until_it_lapses() -> None:
    parent = a_request()
    assert recorder.take(parent.id, "me", 30) == 1
    assert recorder.take(parent.id, "you", 30) is None
    Transaction.objects.filter(id=parent.id).update(owner_until=datetime(2000, 1, 1, tzinfo=UTC))
    assert recorder.take(parent.id, "you", 30) == 2
    assert not recorder.renew(parent.id, 1, 30)
    assert recorder.renew(parent.id, 2, 30)


def test_released_transactions_can_be_taken_at_once() -> None:
    parent = a_request()
    recorder.release(parent.id, recorder.take(parent.id, "me", 30) or 0)
    assert not recorder.renew(parent.id, 1, 30), "a thread that does not know of it yet holds it on"
    assert recorder.take(parent.id, "you", 30) == 2


def test_the_plan_is_recorded_whole_and_a_second_try_replaces_the_first() -> None:
    parent, child, epoch = owned(runs=3)
    recorder.record_plan(a_ledger(parent, epoch), child.id, [recorder.PlannedRun("2", "x", "shell")], {"plan": {}}, lambda: NOW)
    assert [(row.node, row.task_name) for row in TaskRun.objects.filter(transaction=child)] == [("2", "x")]
    assert queries.snapshot(child.id, "plan") == {}


def test_a_run_from_dispatch_to_its_end() -> None:
    parent, child, epoch = owned()
    row = recorder.load_rows(child.id)[0]
    ledger = a_ledger(parent, epoch, 1)
    ledger.dispatched(row, 7, "1")
    ledger.write()
    ledger = a_ledger(parent, epoch, 5)
    ledger.started(row, NOW + timedelta(seconds=2))
    ledger.ended(row, "ready", NOW + timedelta(seconds=4), reason="fine", summary={"exit": 0}, duration=2.0)
    ledger.finish_run(row, "ready", at=row.time_end, reason="fine")
    ledger.write()

    stored = TaskRun.objects.get(id=row.id)
    assert (stored.status, stored.attempts, stored.summary, stored.reason) == ("ready", 1, {"exit": 0}, "fine")
    assert (stored.time_start, stored.time_end) == (NOW + timedelta(seconds=2), NOW + timedelta(seconds=4))
    attempt = Attempt.objects.get(run=stored)
    assert (attempt.status, attempt.number, attempt.duration, attempt.time_start) == ("ready", 7, 2.0, NOW + timedelta(seconds=2))
    moves = [(e.subject, e.old, e.new) for e in Event.objects.filter(transaction=parent, run=row.id)]
    assert moves == [
        ("attempt", "", "dispatched"), ("attempt", "dispatched", "started"), ("run", "pending", "running"),
        ("attempt", "started", "ready"), ("run", "running", "ready"),
    ]  # fmt: skip


def test_a_lost_attempt_sends_its_run_back() -> None:
    parent, child, epoch = owned()
    row = recorder.load_rows(child.id)[0]
    ledger = a_ledger(parent, epoch)
    ledger.dispatched(row, 1, "1")
    ledger.started(row, NOW)
    ledger.write()
    ledger = a_ledger(parent, epoch)
    ledger.attempt_over(row, "lost", "silent")
    ledger.pending_again(row, "silent")
    ledger.dispatched(row, 2, "1")
    ledger.write()
    again = recorder.load_rows(child.id)[0]
    assert (again.status, again.attempts, again.lost, again.attempt_status, again.number) == ("pending", 2, 1, "dispatched", 2)


def test_only_the_owner_of_this_epoch_commits() -> None:
    parent, child, epoch = owned()
    row = recorder.load_rows(child.id)[0]
    ledger = a_ledger(parent, epoch)
    ledger.dispatched(row, 1, "1")
    Transaction.objects.filter(id=parent.id).update(owner_epoch=epoch + 1)
    with pytest.raises(recorder.OwnershipLost):
        ledger.write()
    assert not Attempt.objects.exists()


def test_a_row_that_somebody_moved_undoes_the_whole_commit() -> None:
    parent, child, epoch = owned()
    first, second = recorder.load_rows(child.id)
    TaskRun.objects.filter(id=second.id).update(status="skipped")
    ledger = a_ledger(parent, epoch)
    ledger.finish_run(first, "skipped")
    ledger.finish_run(second, "skipped")
    before = Event.objects.count()
    with pytest.raises(recorder.RowMoved):
        ledger.write()
    assert TaskRun.objects.get(id=first.id).status == "pending"
    assert Event.objects.count() == before


def test_an_illegal_move_names_both_states() -> None:
    parent, child, epoch = owned()
    row = recorder.load_rows(child.id)[0]
    ledger = a_ledger(parent, epoch)
    ledger.finish_run(row, "skipped")
    with pytest.raises(IllegalMove, match="skipped.*pending"):
        ledger.pending_again(row, "again")


def test_a_dispatch_number_is_never_used_twice_on_a_node() -> None:
    parent, child, epoch = owned()
    first, second = recorder.load_rows(child.id)
    ledger = a_ledger(parent, epoch)
    ledger.dispatched(first, 1, "1")
    ledger.dispatched(second, 1, "1")
    with pytest.raises(Exception, match=r"(?i)unique"):
        ledger.write()


def test_the_events_are_a_chain() -> None:
    parent, child, epoch = owned(runs=1000)
    ledger = a_ledger(parent, epoch)
    for row in recorder.load_rows(child.id):
        ledger.finish_run(row, "skipped")
    ledger.write()
    digest = ""
    for seq, event in enumerate(Event.objects.filter(transaction=parent).order_by("seq"), 1):
        digest = event_digest(digest, seq, event)
        assert (event.seq, event.digest) == (seq, digest)
    parent.refresh_from_db()
    assert (parent.event_seq, parent.event_digest) == (seq, digest)
    assert TaskRun.objects.filter(transaction=child, status="skipped").count() == 1000
