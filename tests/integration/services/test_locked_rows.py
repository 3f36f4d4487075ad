"""Rows that another session has locked in PostgreSQL: whoever needs them waits for them, and nobody else does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test import Client
from redis.exceptions import ResponseError

from deployments.models import Cluster, Graph, Node
from deployments.services.explanation import why
from deployments.services.owned import OwnedTransaction
from deployments.services.ownership import Keeper
from deployments.services.standing import standing_of
from history import recorder
from history.models import Transaction
from tests.integration.services.conftest import World

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
def test_a_locked_row_keeps_no_other_transaction_waiting(world: World, rows: str) -> None:
    two = Two(world)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '200ms'")
    with session() as other:
        other.execute(LOCKS[rows], {"parent": two.first.id})
        assert two.play_until(two.other) == "ready"
        two.first.refresh_from_db()
        assert two.first.status in ("pending", "running")
    assert two.play_until(two.first) == "ready"


@postgres
def test_sessions_are_opened_with_timeouts(db: None) -> None:
    names = ("lock_timeout", "idle_in_transaction_session_timeout", "statement_timeout", "application_name")
    with connection.cursor() as cursor:
        told = {name: cursor.execute(f"SHOW {name}").fetchone()[0] for name in names}
    assert told == {
        "lock_timeout": "2s", "idle_in_transaction_session_timeout": "10s", "statement_timeout": "30s", "application_name": "fuelweb web",
    }  # fmt: skip


@postgres
def test_people_are_told_who_has_locked_it(world: World, settings: Any, client: Client) -> None:
    settings.FUELWEB_PATIENCE = {"ownership": 0.3}
    two = Two(world)
    with session() as other:
        other.execute("SELECT 1 FROM history_transaction WHERE id = %s FOR UPDATE", [two.first.id])
        assert two.play_until(two.other) == "ready"
        deadline = time.monotonic() + 60
        while not (told := standing_of(two.first.id)):
            assert time.monotonic() < deadline, "nobody says that it is locked"
            time.sleep(0.05)
        pid = other.info.backend_pid
        assert told.startswith(f"Transaction {two.first.id} is locked in the database by pid {pid}, idle in transaction for ")
        assert told.endswith(" s, application psql.")
        assert f"is locked in the database by pid {pid}" in why(two.first.id, "first/1")
        assert f"is locked in the database by pid {pid}" in client.get("/health").json()["transactions"]
    assert two.play_until(two.first) == "ready"
    assert standing_of(two.first.id) == ""
    assert client.get("/health").json()["transactions"] == "ok"


@pytest.mark.parametrize("error", [OperationalError("no such thing"), ResponseError("WRONGTYPE"), OSError("disk"), TypeError()])
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
