"""Old history goes, but never what a node's biography or a later deployment needs; and what is seeded goes as it came."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from history import past, queries
from history.models import Attempt, Event, Snapshot, TaskRun, Transaction
from history.recorder import retention, seeding

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 1, tzinfo=UTC)
CLUSTER = 1
NODES = ("1", "2")


def deployed(day: int, runs: Iterable[tuple[str, str, str]], *, dry_run: bool = False, rehearsal: object = None) -> Transaction:
    """A deployment of that day with runs (task, node, status); those that are not pending have had an attempt."""
    at = START + timedelta(days=day)
    common = {"cluster_id": CLUSTER, "actor": "ann", "created_at": at, "time_end": at, "status": "ready", "dry_run": dry_run}
    parent = Transaction.objects.create(name="deploy", rehearsal=rehearsal, **common)
    child = Transaction.objects.create(name="deployment", parent=parent, recorded_at=at, rehearsal=rehearsal, **common)
    Snapshot.of(child.id, "plan", {}).save()
    Event.objects.create(transaction=parent, seq=1, at=at, actor="me", subject="transaction", new="ready")
    for position, (task, node, status) in enumerate(runs):
        begun = at if status != "pending" else None
        run = TaskRun.objects.create(
            transaction=child, position=position, node=node, task_name=task, type="shell", status=status, inputs="x", time_start=begun,
            attempts=int(status != "pending"),
        )  # fmt: skip
        if begun:
            number = Attempt.objects.count() + 1
            Attempt.objects.create(run=run, attempt=1, node=node, number=number, status=status, dispatched_at=at)
    return parent


def needed() -> object:
    """All that later deployments and the nodes' pages ask of the past."""
    asked = set(TaskRun.objects.values_list("task_name", "node"))
    tries = past.last_tries(CLUSTER, asked)
    return (
        past.last_ready(CLUSTER, NODES),
        {name: (row.transaction_id, row.status) for name, row in tries.items()},
        queries.highest_numbers(NODES),
        {node: queries.biography(node).values_list("id", flat=True).first() for node in NODES},
    )


def forget(day: int) -> retention.Retention:
    chosen = retention.plan(START + timedelta(days=day))
    assert [*retention.forget(chosen.old)][-1:] == ([len(chosen.old)] if chosen.old else [])
    return chosen


def test_what_later_deployments_compare_with_is_kept_and_nothing_else() -> None:
    past = [
        deployed(0, [("a", "1", "ready"), ("a", "2", "ready")]),
        deployed(1, [("a", "1", "ready"), ("b", "1", "ready")]),
        deployed(2, [("a", "1", "error"), ("a", "2", "pending")]),
        deployed(3, [("a", "1", "error"), ("c", "2", "error")]),
        deployed(4, [("b", "1", "ready")], rehearsal={"speed": 1}),
        deployed(5, [("a", "1", "ready")], dry_run=True),
        deployed(6, [("c", "2", "ready")]),
    ]
    before = needed()
    chosen = forget(100)
    assert needed() == before
    # 0: a/2 ended well last; 1: a/1 and b/1 did; 2: a/2 was to run last; 3: a/1's last row; 5: node 1's last touch; 6: node 2's.
    assert chosen == retention.Retention([past[4].id], 6)
    assert retention.plan(START + timedelta(days=100)).old == []
    assert not Snapshot.objects.filter(transaction__parent=past[4]).exists()
    assert not Event.objects.filter(transaction=past[4]).exists()


def test_what_is_done_again_replaces_what_was() -> None:
    for day in range(5):
        deployed(day, [("a", "1", "ready"), ("a", "2", "ready")])
    before = needed()
    chosen = forget(100)
    assert (len(chosen.old), chosen.kept) == (4, 1)
    assert needed() == before
    assert TaskRun.objects.count() == 2
    assert Attempt.objects.count() == 2


def test_the_young_the_unfinished_and_those_with_young_requests_stay() -> None:
    old = deployed(0, [("a", "1", "ready")])
    asked = deployed(1, [("a", "1", "ready")])
    Transaction.objects.create(name="resolve", target=asked, actor="ann", created_at=START, status="running")
    running = deployed(2, [("a", "1", "ready")])
    Transaction.objects.filter(id=running.id).update(status="running", time_end=None)
    stopped = deployed(3, [("a", "1", "ready")])
    at = START + timedelta(days=3)
    Transaction.objects.create(name="stop_deployment", target=stopped, actor="ann", created_at=at, time_end=at, status="ready")
    young = deployed(9, [("a", "1", "ready")])
    assert forget(5).old == [old.id, stopped.id]
    assert set(Transaction.objects.filter(parent=None, target=None)) == {asked, running, young}


def test_seeds_are_finished_deployments_of_nobodys_clusters() -> None:
    real = deployed(0, [("a", "1", "ready")])
    ids = seeding.seed(seeding.Seeds(transactions=8, runs=60, clusters=2, nodes=7))
    assert len(ids) == 8
    assert TaskRun.objects.exclude(transaction__parent=real).count() == 480
    failed = queries.transactions(statuses=["error"], names=["deploy"]).get()
    assert dict.fromkeys(queries.task_runs(failed).values_list("status", flat=True)).keys() == {"ready", "skipped", "error", "pending"}
    runs = list(queries.task_runs(Transaction.objects.get(id=ids[0])))
    assert [run.position for run in runs] == list(range(60))
    assert runs[0].time_end - runs[0].time_start == timedelta(seconds=1)  # type: ignore[operator]
    assert queries.biography("seeded-0-3").count() > 20
    assert [*retention.forget(retention.seeded().old)] == [8]
    assert list(Transaction.objects.filter(parent=None)) == [real]
    assert TaskRun.objects.count() == 1


def test_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("seed_history", "--transactions", "3", "--runs", "4")
    said = capsys.readouterr().out
    assert said.startswith("3 deployments, 12 task runs (")
    call_command("retention", "--keep-days", "0", "--dry-run")
    assert capsys.readouterr().out.startswith("0 transactions would be forgotten. 3 that are as old are kept")
    call_command("retention", "--seeded", stderr=io.StringIO())
    assert capsys.readouterr().out == "3 transactions were forgotten.\n"
    assert not Transaction.objects.exists()
    for arguments in (["retention", "--keep-days", "-1"], ["retention", "--keep-days", "nan"], ["seed_history", "--runs", "0"]):
        with pytest.raises(CommandError):
            call_command(*arguments)
