"""Rows that another session has locked in PostgreSQL: whoever needs them waits for them, and nobody else does."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError, connection
from django.test import Client
from redis.exceptions import ResponseError

from deployments.models import Cluster, Graph, Node, Release
from deployments.services.explanation import why
from deployments.services.given_up import given_up
from deployments.services.orchestrator import Orchestrator
from deployments.services.owned import OwnedTransaction
from deployments.services.ownership import Keeper
from deployments.services.planning import MOST_TRIES
from deployments.services.standing import standing_of
from history import recorder
from history.models import Transaction
from tests.integration.services.conftest import PATIENCE, World

postgres = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no locks of rows")


class Two:
    """A second cluster beside the world's, with one node, and a deployment of each."""

    def __init__(self, world: World) -> None:
        self.world, first = world, world.cluster
        world.beat("1", "2", "3")
        other = Cluster.objects.create(name="other", release=first.release)
        Node.objects.create(uid="3", cluster=other, roles=["web"], status="provisioned")
        task = {"type": "shell", "version": "2.1.0", "role": ["*"], "parameters": {"cmd": "true"}}
        Graph.objects.create(cluster=other, type="default", tasks=[{**task, "id": f"t{i}"} for i in range(4)])
        self.first, self.other = self._deploy(first), self._deploy(other)

    def _deploy(self, cluster: Cluster) -> Transaction:
        self.world.cluster = cluster
        parent = self.world.deploy()
        self.world.plan(parent)
        return parent

    def play_until(self, parent: Transaction) -> str:
        """Agents do what they are told until this one is over; how it ended."""
        deadline = time.monotonic() + 60
        while parent.status in ("pending", "running"):
            assert time.monotonic() < deadline, f"{parent} is not over"
            self.world.orchestrator.round()
            self.world.end(self.world.claim())
            parent.refresh_from_db()
        return parent.status

    def play_until_told(self, words: str) -> None:
        """Until people are told this of the first one."""
        deadline = time.monotonic() + 60
        while words not in (told := standing_of(self.first.id)):
            assert time.monotonic() < deadline, f"people are told: {told}"
            self.world.orchestrator.round()
            time.sleep(0.02)


@contextmanager
def session() -> Iterator[psycopg.Connection[Any]]:
    """Another one, with a transaction of its own."""
    now = connection.settings_dict
    with psycopg.connect(
        host=now["HOST"], port=now["PORT"] or None, user=now["USER"], password=now["PASSWORD"] or None, dbname=now["NAME"],
        application_name="psql",
    ) as other:  # fmt: skip
        yield other
        other.rollback()


@pytest.fixture
def short_waits(world: World) -> Iterator[None]:
    """Sessions that wait for a lock only a fifth of a second."""
    options = connection.settings_dict["OPTIONS"]
    before = options["options"]
    connection.close()
    options["options"] = f"{before} -c lock_timeout=200ms"
    yield
    connection.close()
    options["options"] = before


@contextmanager
def hasty() -> Iterator[None]:
    """Whoever waits for a lock all the same fails."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '60s'; SET statement_timeout = '10s'")
        yield
        cursor.execute("RESET lock_timeout; RESET statement_timeout")


@postgres
def test_nothing_about_ownership_waits_for_a_lock(world: World) -> None:
    parent = world.deploy()
    with session() as other, hasty():
        other.execute("UPDATE history_transaction SET progress = progress WHERE id = %s", [parent.id])
        assert recorder.take(parent.id, "me", 10) is None
        for deed in (
            lambda: recorder.renew(parent.id, 0, 10), lambda: recorder.release(parent.id, 0), lambda: recorder.say(parent.id, 0, "so"),
        ):  # fmt: skip
            with pytest.raises(recorder.RowLocked):
                deed()
    assert recorder.take(parent.id, "me", 10) == 1


LOCKS = {
    "the request's row": "UPDATE history_transaction SET progress = progress WHERE id = %(parent)s",
    "the request's row for a key": "SELECT 1 FROM history_transaction WHERE id = %(parent)s FOR UPDATE",
    "its child's row": "UPDATE history_transaction SET progress = progress WHERE parent_id = %(parent)s",
    "its task runs": (
        "SELECT 1 FROM history_taskrun r JOIN history_transaction t ON t.id = r.transaction_id WHERE t.parent_id = %(parent)s "
        "FOR UPDATE OF r"
    ),
    "its nodes": "SELECT 1 FROM deployments_node WHERE uid IN ('1', '2') FOR UPDATE",
    "its cluster": "SELECT 1 FROM deployments_cluster WHERE name = 'c' FOR UPDATE",
}


@postgres
@pytest.mark.parametrize("rows", LOCKS)
def test_a_locked_row_keeps_no_other_transaction_waiting(world: World, short_waits: None, rows: str, settings: Any) -> None:
    settings.FUELWEB_PATIENCE = {"ownership": 0.3}
    two = Two(world)
    with session() as other:
        other.execute(LOCKS[rows], {"parent": two.first.id})
        assert two.play_until(two.other) == "ready"
        two.first.refresh_from_db()
        assert two.first.status in ("pending", "running")
        two.play_until_told(f"pid {other.info.backend_pid}, idle in transaction for ")
    assert two.play_until(two.first) == "ready"


@postgres
def test_sessions_are_opened_with_timeouts(db: None) -> None:
    names = ("lock_timeout", "idle_in_transaction_session_timeout", "statement_timeout", "application_name")
    with connection.cursor() as cursor:
        told = {name: cursor.execute(f"SHOW {name}").fetchone()[0] for name in names}
    assert told == {
        "lock_timeout": "5s", "idle_in_transaction_session_timeout": "10s", "statement_timeout": "30s", "application_name": "fuelweb web",
    }  # fmt: skip


@postgres
def test_people_are_told_who_has_locked_it(world: World, settings: Any, client: Client) -> None:
    settings.FUELWEB_PATIENCE = {"ownership": 0.3}
    two = Two(world)
    with session() as other:
        other.execute("SELECT 1 FROM history_transaction WHERE id = %s FOR UPDATE", [two.first.id])
        assert two.play_until(two.other) == "ready"
        pid = other.info.backend_pid
        two.play_until_told("is locked")
        told = standing_of(two.first.id)
        assert told.startswith(f"Transaction {two.first.id} is locked in the database by pid {pid}, idle in transaction for ")
        assert told.endswith(" s, application psql.")
        assert f"is locked in the database by pid {pid}" in _command("transactions", "list")
        assert f"is locked in the database by pid {pid}" in _command("drain", "c")
        assert f"is locked in the database by pid {pid}" in why(two.first.id, "first/1")
        assert f"is locked in the database by pid {pid}" in client.get("/health").json()["transactions"]
    assert two.play_until(two.first) == "ready"
    assert standing_of(two.first.id) == ""
    assert client.get("/health").json()["transactions"] == "ok"


@postgres
def test_a_stop_of_what_is_locked_is_refused_with_who_has_it(world: World, short_waits: None, admin_client: Client) -> None:
    parent = world.deploy()
    with session() as other:
        other.execute("SELECT 1 FROM history_transaction WHERE id = %s FOR UPDATE", [parent.id])
        time.sleep(1.1)
        said = f"Another session has locked in the database what this would change (pid {other.info.backend_pid}, idle in transaction for "
        with pytest.raises(CommandError) as refused:
            call_command("stop", "c")
        assert str(refused.value).startswith(said)
        answer = admin_client.put(f"/api/v1/clusters/{world.cluster.id}/stop_deployment/")
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert answer.json()["message"].startswith(said)
    world.stop()


@postgres
def test_what_takes_too_long_is_not_taken_for_a_lock(transactional_db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '50ms'")
        with pytest.raises(OperationalError) as slow:
            cursor.execute("SELECT pg_sleep(60)")
        cursor.execute("RESET statement_timeout")
    assert recorder.is_patience_over(slow.value)
    assert given_up(slow.value).startswith("The database took longer for this than it may (statement_timeout)")


@postgres
def test_a_page_of_the_admin_says_who_has_locked_what_it_would_change(world: World, short_waits: None, admin_client: Client) -> None:
    release = Release.objects.create(name="unused", version="1")
    with session() as other:
        other.execute("SELECT 1 FROM deployments_release FOR UPDATE")
        time.sleep(1.1)
        answer = admin_client.post(f"/admin/deployments/release/{release.id}/delete/", {"post": "yes"})
        assert answer.status_code == 503
        assert f"(pid {other.info.backend_pid}, idle in transaction for " in answer.content.decode()


@postgres
def test_a_planner_that_waited_for_a_lock_has_not_tried(world: World, short_waits: None) -> None:
    parent = world.deploy()
    with session() as other:
        other.execute("LOCK TABLE history_snapshot IN SHARE MODE")
        for _ in range(MOST_TRIES + 1):
            with pytest.raises(OperationalError):
                world.plan(parent)
            Transaction.objects.filter(id=parent.id).update(owner_until=None)
    world.plan(parent)
    assert Transaction.objects.get(parent=parent).recorded_at is not None


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no lock of everything")
def test_a_locked_sqlite_is_waited_for_and_told(world: World, settings: Any) -> None:
    settings.FUELWEB_PATIENCE = {"ownership": 0.3}
    two = Two(world)
    assert recorder.take(two.first.id, "somebody else", 0.3) == 2
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 100")
    with _backup() as pid:
        two.play_until_told(f"the database is locked by pid {pid}, application python")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 20000")
    assert two.play_until(two.other) == "ready"
    assert two.play_until(two.first) == "ready"


def _command(*arguments: str) -> str:
    said = io.StringIO()
    call_command(*arguments, stdout=said)
    return " ".join(said.getvalue().split())


@contextmanager
def _backup() -> Iterator[int]:
    """Another process that has locked the SQLite file; its id."""
    program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('BEGIN IMMEDIATE'); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, str(connection.settings_dict["NAME"])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        yield other.pid
        other.kill()


@pytest.mark.parametrize(
    "error", [OperationalError("no such thing"), InterfaceError("closed"), ResponseError("WRONGTYPE"), OSError("disk"), TypeError()]
)
def test_an_error_of_one_transaction_skips_no_other(world: World, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    two = Two(world)
    step = OwnedTransaction.step

    def failing(self: OwnedTransaction) -> bool:
        if self.id == two.first.id:
            raise error
        return step(self)

    with monkeypatch.context() as patched:
        patched.setattr(OwnedTransaction, "step", failing)
        assert two.play_until(two.other) == "ready"
    assert two.play_until(two.first) == "ready"


def test_what_can_t_be_taken_keeps_no_other_from_being_taken(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    two = Two(world)
    take = recorder.take

    def failing(transaction_id: int, owner: str, seconds: float) -> int | None:
        if transaction_id == two.first.id:
            raise OperationalError("no such thing")
        return take(transaction_id, owner, seconds)

    with monkeypatch.context() as patched:
        patched.setattr(recorder, "take", failing)
        assert two.play_until(two.other) == "ready"
    assert two.play_until(two.first) == "ready"


def test_a_loop_that_stands_leaves_the_others_to_another_orchestrator(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    two = Two(world)
    stuck = Orchestrator(replace(world.tools, owner="stuck", patience=replace(PATIENCE, ownership=1.0)))
    step, goes_on, stands = OwnedTransaction.step, threading.Event(), threading.Event()

    def standing(self: OwnedTransaction) -> bool:
        if threading.current_thread() is thread and self.id == two.first.id:
            stands.set()
            goes_on.wait(120)
        return step(self)

    monkeypatch.setattr(OwnedTransaction, "step", standing)
    thread = threading.Thread(target=stuck.run)
    thread.start()
    try:
        assert stands.wait(60)
        assert Transaction.objects.get(id=two.other.id).owner == "stuck"
        assert two.play_until(two.other) == "ready"
        assert two.play_until(two.first) == "ready"
    finally:
        goes_on.set()
        stuck.leave()
        thread.join(60)


def test_a_lost_connection_does_not_end_the_renewing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    renew, renewed, errors = recorder.renew, threading.Event(), [InterfaceError("connection already closed"), OperationalError("gone")]

    def failing(transaction_id: int, epoch: int, seconds: float) -> bool:
        if errors:
            raise errors.pop()
        kept = renew(transaction_id, epoch, seconds)
        renewed.set()
        return kept

    monkeypatch.setattr(recorder, "renew", failing)
    parent = world.deploy()
    with Keeper(1.0) as keeper:
        keeper.hold(parent.id, recorder.take(parent.id, "me", 1.0) or 0)
        assert renewed.wait(60)


def test_what_is_not_stepped_through_is_given_up(world: World) -> None:
    """All but the one whose step takes so long; the loop that comes round again keeps what nobody has taken."""
    one, other = Two(world).first, Transaction.objects.get(cluster_name="other", parent=None)
    epochs = {parent.id: recorder.take(parent.id, "me", 2.0) for parent in (one, other)}
    with Keeper(2.0, watched=True) as keeper:
        for transaction_id, epoch in epochs.items():
            keeper.hold(transaction_id, epoch or 0)
        keeper.steps_through(one.id)
        deadline = time.monotonic() + 60
        while recorder.take(other.id, "another", 60) is None:
            assert time.monotonic() < deadline, "it is held for ever"
            time.sleep(0.02)
        while one.id not in [parent.id for parent in recorder.unowned()]:
            assert time.monotonic() < deadline, "it is held for ever"
            time.sleep(0.02)
        keeper.steps_through()
        while one.id in [parent.id for parent in recorder.unowned()]:
            assert time.monotonic() < deadline, "it is not held again"
            time.sleep(0.02)
    assert Transaction.objects.get(id=other.id).owner == "another"
