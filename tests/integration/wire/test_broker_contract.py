"""What every broker keeps: the real one on each Redis server found here, and its double in memory."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployments.wire.broker import Broker
from deployments.wire.memory_broker import MemoryBroker
from deployments.wire.messages import AttemptKey
from deployments.wire.redis_broker import RedisBroker
from fuelweb import embedded
from tests.servers import RedisServer

TX, EPOCH = 7, 3
KEY = AttemptKey(TX, run=11, attempt=1, node="5", number=40)
NEXT = AttemptKey(TX, run=12, attempt=1, node="5", number=41)
OTHER = AttemptKey(TX, run=13, attempt=1, node="6", number=9)
LEASE = 30.0


class Rig:
    """A broker and the means to let time pass, and to restart what it stands on."""

    def __init__(self, broker: Broker, wait: Callable[[float], None], restart: Callable[..., None]) -> None:
        self.broker, self.wait, self.restart = broker, wait, restart


def _memory() -> Iterator[Rig]:
    now = [1_000_000.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    broker = MemoryBroker(lambda: now[0])
    yield Rig(broker, wait, broker.restart)


def _redis(program: str) -> Iterator[Rig]:
    with RedisServer(program) as server:
        broker = RedisBroker(server.url)
        yield Rig(broker, time.sleep, server.restart)
        broker.close()


def _servers() -> list[str]:
    """The server that the project starts by itself, and others that this machine has."""
    found = [embedded.redis_server(), shutil.which("redis-server", path="/usr/bin:/usr/local/bin"), shutil.which("valkey-server")]
    return list({Path(program).resolve(): program for program in found if program}.values())


@pytest.fixture(scope="module", params=["memory", *_servers()])
def shared_rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    yield from _memory() if request.param == "memory" else _redis(request.param)


@pytest.fixture
def rig(shared_rig: Rig) -> Rig:
    """The broker without what the test before has left."""
    shared_rig.broker.end(TX)
    shared_rig.broker.recall([KEY, NEXT, OTHER])
    shared_rig.broker.forget(TX, [], [KEY, NEXT, OTHER])
    return shared_rig


@pytest.fixture
def broker(rig: Rig) -> Broker:
    return rig.broker


def _permitted(broker: Broker, *keys: AttemptKey) -> None:
    assert broker.vouch(TX, EPOCH)
    assert broker.permit(EPOCH, keys or [KEY]) == [True] * (len(keys) or 1)


def _bodies(broker: Broker) -> list[bytes]:
    return [entry.body for entry in broker.drain(TX)]


class TestVouching:
    def test_nothing_is_permitted_before(self, broker: Broker) -> None:
        assert not broker.vouched(TX, EPOCH)
        assert broker.permit(EPOCH, [KEY]) == [False]

    def test_a_higher_epoch_takes_over_and_the_lower_one_can_do_nothing_more(self, broker: Broker) -> None:
        _permitted(broker)
        assert broker.vouch(TX, EPOCH + 1)
        assert not broker.vouch(TX, EPOCH)
        assert not broker.vouched(TX, EPOCH)
        assert broker.permit(EPOCH, [NEXT]) == [False]
        assert not broker.claim(KEY, "a", LEASE, b"s").granted

    def test_whether_anybody_vouches(self, broker: Broker) -> None:
        assert not broker.vouched(TX)
        assert broker.vouch(TX, EPOCH)
        assert broker.vouched(TX)
        assert not broker.vouched(TX, EPOCH + 1)

    def test_vouching_again_changes_nothing(self, broker: Broker) -> None:
        _permitted(broker)
        assert broker.vouch(TX, EPOCH)
        assert broker.claim(KEY, "a", LEASE, b"s").granted

    def test_epochs_are_compared_as_numbers(self, broker: Broker) -> None:
        assert broker.vouch(TX, 9)
        assert broker.vouch(TX, 10)
        assert not broker.vouch(TX, 9)


class TestClaiming:
    def test_grants_what_is_permitted_once(self, broker: Broker) -> None:
        _permitted(broker)
        before = broker.now()
        claim = broker.claim(KEY, "a", LEASE, b"started")
        assert claim.granted
        assert before <= claim.time <= broker.now()
        refused = broker.claim(KEY, "b", LEASE, b"again")
        assert (refused.granted, refused.refusal) == (False, "another agent has claimed it")
        assert _bodies(broker) == [b"started"]
        assert broker.claimed([KEY, OTHER]) == [True, False]
        assert broker.leased([KEY, OTHER]) == [True, False]

    def test_the_same_token_gets_the_same_answer_and_appends_nothing(self, broker: Broker) -> None:
        _permitted(broker)
        assert [broker.claim(KEY, "a", LEASE, b"started").granted for _ in range(3)] == [True] * 3
        assert _bodies(broker) == [b"started"]

    def test_is_refused_without_a_permit(self, broker: Broker) -> None:
        broker.vouch(TX, EPOCH)
        assert broker.claim(KEY, "a", LEASE, b"s").refusal == "it has no permit"

    def test_is_refused_if_the_permit_names_another_attempt_of_the_node(self, broker: Broker) -> None:
        _permitted(broker, NEXT)
        assert not broker.claim(KEY, "a", LEASE, b"s").granted
        for other in (AttemptKey(TX, 12, 2, "5", 41), AttemptKey(TX, 12, 1, "5", 4), AttemptKey(TX + 1, 12, 1, "5", 41)):
            assert not broker.claim(other, "a", LEASE, b"s").granted

    def test_is_refused_after_a_stop_and_granted_when_it_is_cleared(self, broker: Broker) -> None:
        _permitted(broker)
        broker.set_stop(TX)
        assert broker.claim(KEY, "a", LEASE, b"s").refusal == "its transaction is being stopped"
        assert _bodies(broker) == []
        broker.clear_stop(TX)
        assert broker.claim(KEY, "a", LEASE, b"s").granted

    def test_whether_there_is_a_stop_is_told(self, broker: Broker) -> None:
        assert not broker.stopping(TX)
        broker.set_stop(TX)
        assert (broker.stopping(TX), broker.stopping(TX + 1)) == (True, False)
        broker.clear_stop(TX)
        assert not broker.stopping(TX)

    def test_an_attempt_that_was_claimed_gets_no_new_permit(self, broker: Broker) -> None:
        _permitted(broker)
        broker.claim(KEY, "a", LEASE, b"s")
        assert broker.permit(EPOCH, [KEY, OTHER]) == [False, True]

    def test_a_later_permit_replaces_the_node_s_earlier_one(self, broker: Broker) -> None:
        _permitted(broker, KEY)
        _permitted(broker, NEXT)
        assert not broker.claim(KEY, "a", LEASE, b"s").granted
        assert broker.claim(NEXT, "a", LEASE, b"s").granted

    @pytest.mark.parametrize("node", ["6", "5 1", "5:1", "füü"])
    def test_the_same_numbers_on_another_node_are_another_attempt(self, broker: Broker, node: str) -> None:
        other = dataclasses.replace(KEY, node=node)
        _permitted(broker, KEY, other)
        assert broker.claim(KEY, "a", LEASE, b"s").granted
        assert broker.claimed([KEY, other]) == [True, False]
        assert broker.renew([(KEY, LEASE)]) == [True]
        assert broker.claim(other, "a", LEASE, b"s").granted
        assert [entry.node for entry in broker.drain(TX)] == ["5", node]


class TestRecalling:
    def test_tells_the_three_cases_apart(self, broker: Broker) -> None:
        _permitted(broker, KEY, OTHER)
        broker.claim(OTHER, "a", LEASE, b"s")
        assert broker.recall([KEY, OTHER, NEXT]) == ["recalled", "claimed", "neither"]
        assert broker.recall([KEY]) == ["neither"]
        assert not broker.claim(KEY, "a", LEASE, b"s").granted

    def test_leaves_the_permit_of_another_attempt(self, broker: Broker) -> None:
        _permitted(broker, NEXT)
        assert broker.recall([AttemptKey(TX, 12, 1, "5", 4), KEY]) == ["neither", "neither"]
        assert broker.claim(NEXT, "a", LEASE, b"s").granted


class TestRestarts:
    @pytest.mark.parametrize("empty", [True, False], ids=["emptied", "with its data"])
    def test_void_every_permit_until_an_owner_gives_it_again(self, rig: Rig, empty: bool) -> None:
        broker = rig.broker
        _permitted(broker, KEY, OTHER)
        before = broker.run_id()
        rig.restart(empty=empty)
        assert broker.run_id() != before
        assert not broker.vouched(TX, EPOCH)
        assert not broker.claim(KEY, "a", LEASE, b"s").granted
        assert broker.vouch(TX, EPOCH)
        assert not broker.claim(KEY, "a", LEASE, b"s").granted, "vouching does not revive what was permitted before"
        assert broker.permit(EPOCH, [KEY]) == [True]
        assert broker.claim(KEY, "a", LEASE, b"s").granted

    def test_running_attempts_show_themselves_again(self, rig: Rig) -> None:
        broker = rig.broker
        _permitted(broker)
        broker.claim(KEY, "a", LEASE, b"s")
        rig.restart(empty=True)
        assert broker.leased([KEY]) == [False]
        assert broker.renew([(KEY, LEASE)]) == [True]
        assert broker.leased([KEY]) == [True]

    def test_a_report_to_an_emptied_broker_is_there_when_the_owner_comes(self, rig: Rig) -> None:
        broker = rig.broker
        _permitted(broker)
        broker.claim(KEY, "a", LEASE, b"s")
        rig.restart(empty=True)
        broker.report(KEY, b"outcome")
        assert broker.vouch(TX, EPOCH)
        assert _bodies(broker) == [b"outcome"]


class TestLeases:
    def test_run_out(self, rig: Rig) -> None:
        _permitted(rig.broker)
        rig.broker.claim(KEY, "a", 0.05, b"s")
        rig.wait(0.1)
        assert rig.broker.leased([KEY]) == [False]
        assert rig.broker.claimed([KEY]) == [True], "a claim has no expiry"

    def test_are_renewed_many_at_once(self, rig: Rig) -> None:
        _permitted(rig.broker, KEY, OTHER)
        for key in (KEY, OTHER):
            rig.broker.claim(key, "a", 0.05, b"s")
        assert rig.broker.renew([(KEY, LEASE), (OTHER, 0.05)]) == [True, True]
        rig.wait(0.1)
        assert rig.broker.leased([KEY, OTHER]) == [True, False]

    def test_are_refused_where_a_later_permit_stands(self, rig: Rig) -> None:
        _permitted(rig.broker, KEY, OTHER)
        for key in (KEY, OTHER):
            rig.broker.claim(key, "a", 0.05, b"s")
        _permitted(rig.broker, NEXT)
        assert rig.broker.renew([(KEY, LEASE), (OTHER, LEASE)]) == [False, True]
        rig.wait(0.1)
        assert rig.broker.leased([KEY]) == [False]


class TestReports:
    def test_come_in_order_and_stay_until_forgotten(self, broker: Broker) -> None:
        _permitted(broker)
        broker.claim(KEY, "a", LEASE, b"started")
        broker.report(KEY, b"outcome \x00\xff")
        entries = broker.drain(TX)
        assert [(entry.node, entry.body) for entry in entries] == [("5", b"started"), ("5", b"outcome \x00\xff")]
        assert entries[0].time <= entries[1].time <= broker.now() + 0.001
        assert broker.drain(TX, count=1) == entries[:1]
        assert broker.leased([KEY]) == [False]
        broker.forget(TX, [entries[0].id])
        assert broker.drain(TX) == entries[1:]
        broker.forget(TX, [entries[1].id], [KEY])
        assert broker.drain(TX) == []
        assert broker.claimed([KEY]) == [False]

    def test_of_an_attempt_that_goes_on_leave_its_lease_and_wake_nobody(self, broker: Broker) -> None:
        _permitted(broker)
        broker.claim(KEY, "a", LEASE, b"started")
        broker.drain(TX)
        broker.tell(KEY, b"trying")
        assert broker.leased([KEY]) == [True]
        assert _bodies(broker) == [b"started", b"trying"]
        assert broker.report(KEY, b"outcome").wake

    def test_only_the_first_after_a_drain_wakes_the_owner(self, broker: Broker) -> None:
        _permitted(broker, KEY, OTHER)
        assert [broker.report(KEY, b"1").wake, broker.report(OTHER, b"2").wake] == [True, False]
        assert len(broker.drain(TX)) == 2
        assert [broker.report(KEY, b"3").wake, broker.report(OTHER, b"4").wake] == [True, False]

    def test_what_came_after_the_drain_is_not_forgotten_with_it(self, broker: Broker) -> None:
        broker.vouch(TX, EPOCH)
        broker.report(KEY, b"1")
        seen = [entry.id for entry in broker.drain(TX)]
        broker.report(OTHER, b"2")
        broker.forget(TX, seen)
        assert _bodies(broker) == [b"2"]

    def test_an_empty_forget_and_empty_questions_are_harmless(self, broker: Broker) -> None:
        broker.forget(TX, [])
        assert (broker.permit(EPOCH, []), broker.recall([]), broker.claimed([]), broker.leased([]), broker.renew([])) == ([],) * 5
        assert broker.heartbeats([]) == {}


class TestTheEnd:
    def test_removes_what_a_transaction_had(self, broker: Broker) -> None:
        _permitted(broker, KEY, OTHER)
        broker.claim(KEY, "a", LEASE, b"s")
        broker.set_stop(TX)
        broker.end(TX)
        assert (broker.drain(TX), broker.claimed([KEY]), broker.vouched(TX, EPOCH)) == ([], [False], False)
        broker.vouch(TX, EPOCH)
        assert broker.permit(EPOCH, [OTHER]) == [True]
        assert broker.claim(OTHER, "a", LEASE, b"s").granted, "the stop flag is gone too"

    @pytest.mark.parametrize(
        "leave",
        [
            lambda broker: broker.vouch(TX, EPOCH),
            lambda broker: broker.set_stop(TX),
            lambda broker: broker.report(KEY, b"late"),
            lambda broker: _permitted(broker) or broker.claim(KEY, "a", LEASE, b"s"),
        ],
        ids=["owner", "stop", "report", "claim"],
    )
    def test_what_remains_is_seen_until_it_is_removed(self, broker: Broker, leave: Callable[[Broker], object]) -> None:
        broker.publish_fleet(str(TX), {})
        assert TX not in broker.remains()
        leave(broker)
        assert TX in broker.remains()
        broker.end(TX)
        assert TX not in broker.remains()


class TestFleetsAndHeartbeats:
    def test_heartbeats_end_with_their_time(self, rig: Rig) -> None:
        rig.broker.beat({"5": b"five", "6": b"six"}, 0.05)
        rig.broker.beat({"6": b"six again"}, LEASE)
        assert rig.broker.heartbeats(["5", "6", "7"]) == {"5": b"five", "6": b"six again"}
        rig.wait(0.1)
        assert rig.broker.heartbeats(["5", "6"]) == {"6": b"six again"}

    def test_a_fleet_nobody_spoke_of_is_not_an_empty_one(self, broker: Broker) -> None:
        assert broker.fleet("unheard-of") is None
        broker.publish_fleet("north", {"5": "1", "master-1": "1", "6": "2"})
        assert broker.fleet("north") == {"5": "1", "master-1": "1", "6": "2"}
        broker.publish_fleet("north", {})
        assert broker.fleet("north") == {}


class TestWakeUps:
    def test_reach_the_owner_who_listens(self, broker: Broker) -> None:
        assert broker.woken("me", 0.01) == []
        broker.wake("me", TX)
        broker.wake("somebody else", TX + 1)
        assert broker.woken("me", 2.0) == [TX]


def test_many_attempts_go_in_one_call(broker: Broker) -> None:
    keys = [AttemptKey(TX, run, 1, f"many-{run}", 1) for run in range(1000)]
    broker.vouch(TX, EPOCH)
    assert all(broker.permit(EPOCH, keys))
    broker.claim(keys[3], "a", LEASE, b"s")
    answers = broker.recall(keys)
    assert (answers.count("recalled"), answers[3]) == (999, "claimed")
