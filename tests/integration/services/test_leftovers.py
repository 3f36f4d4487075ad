"""What an owner leaves in Redis that dies between its last commit and the end."""

from __future__ import annotations

import pytest

from tests.integration.services.conftest import World
from tests.integration.services.test_owner import rounds, until_over


class Killed(BaseException):
    """Here its owner is killed."""


def test_are_removed_by_whoever_comes_next(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(transaction_id: int) -> None:
        raise Killed

    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    with monkeypatch.context() as patch:
        patch.setattr(world.broker, "end", dies)
        for _ in range(2):
            rounds(world)
            world.end(world.claim())
        with pytest.raises(Killed):
            until_over(world, parent)
    parent.refresh_from_db()
    assert parent.status == "ready"
    another, stranger = world.deploy(), 10**6
    world.broker.set_stop(parent.id)
    world.broker.vouch(stranger, 1)
    world.broker.vouch(another.id, 1)
    assert world.broker.remains() == {parent.id, stranger, another.id}

    world.another_orchestrator().round()

    assert world.broker.remains() == {stranger, another.id}, "what is not over, or not ours, stays"
