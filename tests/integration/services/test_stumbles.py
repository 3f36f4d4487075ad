"""A mistake in this system, met by an owner again and again."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from django.db import OperationalError

from deployments.services.owned import OwnedTransaction
from deployments.services.stumbles import pause_after
from history import recorder
from history.models import Transaction
from tests.integration.services.conftest import World
from tests.integration.services.test_owner import rounds, until_over


def test_a_mistake_is_told_to_people_and_what_runs_goes_on_when_it_is_corrected(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    rounds(world)
    running = world.claim()
    tried = []

    def mistaken(self: OwnedTransaction) -> bool:
        tried.append(self.epoch)
        raise TypeError("the password is secret")

    with monkeypatch.context() as patched:
        patched.setattr(OwnedTransaction, "step", mistaken)
        deadline = time.monotonic() + 60
        while not parent.message:
            assert time.monotonic() < deadline, "nobody says that it can't go on"
            rounds(world, 1)
            parent.refresh_from_db()
        assert len(tried) == 3
        assert parent.message.startswith("The orchestrator can't go on (TypeError). It has tried 3 times")
        # It is left alone for a while now.
        rounds(world, 5)
        assert len(tried) == 3
    world.end(running)
    deadline = time.monotonic() + 60
    while not (left := world.claim()):
        assert time.monotonic() < deadline, "it does not go on"
        rounds(world, 1)
    parent.refresh_from_db()
    assert parent.message == ""
    world.end(left)
    assert until_over(world, parent).status == "ready"


@pytest.mark.parametrize("at_a_lock", [True, False])
@pytest.mark.parametrize("seconds", [0.01, 0.5, 5.0])
def test_what_fails_again_and_again_gets_a_tenth_of_the_time_at_most(seconds: float, at_a_lock: bool) -> None:
    pauses = [pause_after(count, seconds, at_a_lock=at_a_lock) for count in range(3, 20)]
    assert all(seconds <= 0.1 * (seconds + pause) + 1e-9 for pause in pauses)
    assert pauses == sorted(pauses)
    assert pauses[-1] <= (max(10, 9 * seconds) if at_a_lock else 60)


def test_another_orchestrator_takes_back_what_was_said(world: World) -> None:
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    Transaction.objects.filter(id=parent.id).update(message="The orchestrator can't go on.")
    world.another_orchestrator().round()
    parent.refresh_from_db()
    assert (parent.owner, parent.message) == ("orchestrator-2", "")


def test_what_fails_is_read_anew_even_if_nobody_can_be_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    rounds(world)
    running = world.claim()
    said: list[str] = []

    def mistaken(self: OwnedTransaction) -> bool:
        raise TypeError

    def unheard(_transaction_id: int, _epoch: int, message: str) -> None:
        said.append(message)
        raise OperationalError("the database is away")

    with monkeypatch.context() as patched:
        patched.setattr(OwnedTransaction, "step", mistaken)
        patched.setattr(recorder, "say", unheard)
        deadline = time.monotonic() + 60
        while not said:
            assert time.monotonic() < deadline, "nobody is told"
            with suppress(OperationalError):
                rounds(world, 1)
        parent.refresh_from_db()
        assert parent.owner == ""
    world.end(running)
    deadline = time.monotonic() + 60
    while not (left := world.claim()):
        assert time.monotonic() < deadline, "it does not go on"
        rounds(world, 1)
    world.end(left)
    assert until_over(world, parent).status == "ready"
