from __future__ import annotations

import dataclasses

import pytest

from deployments.wire.messages import AttemptKey, Heartbeat, Report, Work
from deployments.wire.names import celery_url
from deployments.wire.sealing import NodeKeys, SealBroken

KEY = AttemptKey(1, 2, 3, "7", 4)
WORK = Work("netconfig", "shell", {"cmd": "echo 'grüße'"}, lease_seconds=12.5)
REPORT = Report(KEY, "outcome", "error", "No space left.", {"exit_code": 28}, 1.5)


@pytest.fixture
def keys() -> NodeKeys:
    return NodeKeys("secret")


def test_work_comes_out_as_it_went_in(keys: NodeKeys) -> None:
    assert keys.open_work(KEY, keys.seal_work(KEY, WORK)) == WORK


def test_a_report_comes_out_as_it_went_in(keys: NodeKeys) -> None:
    assert keys.open_report("7", keys.seal_report(REPORT)) == REPORT


@pytest.mark.parametrize("outcome", [None, REPORT])
def test_a_heartbeat_comes_out_as_it_went_in(keys: NodeKeys, outcome: Report | None) -> None:
    beat = Heartbeat("7", 4, outcome, places=3, free=2)
    assert keys.open_heartbeat("7", keys.seal_heartbeat(beat)) == beat


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(KEY, transaction=9), dataclasses.replace(KEY, run=9), dataclasses.replace(KEY, attempt=9),
        dataclasses.replace(KEY, node="9"), dataclasses.replace(KEY, number=9),
    ],
)  # fmt: skip
def test_work_opens_for_no_other_attempt(keys: NodeKeys, other: AttemptKey) -> None:
    with pytest.raises(SealBroken):
        keys.open_work(other, keys.seal_work(KEY, WORK))


def test_nothing_opens_changed_cut_or_with_another_key(keys: NodeKeys) -> None:
    body = keys.seal_work(KEY, WORK)
    for broken in (body[:-1], b"", body[:5], body[:20] + bytes([body[20] ^ 1]) + body[21:]):
        with pytest.raises(SealBroken):
            keys.open_work(KEY, broken)
    with pytest.raises(SealBroken):
        NodeKeys("another").open_work(KEY, body)


def test_a_report_is_no_heartbeat_and_of_no_other_node(keys: NodeKeys) -> None:
    body = keys.seal_report(REPORT)
    with pytest.raises(SealBroken):
        keys.open_heartbeat("7", body)
    with pytest.raises(SealBroken):
        keys.open_report("8", body)


def test_nothing_can_be_read_from_outside(keys: NodeKeys) -> None:
    assert b"echo" not in keys.seal_work(KEY, WORK)
    assert keys.seal_work(KEY, WORK) != keys.seal_work(KEY, WORK)


def test_an_agent_with_only_its_own_key_opens_only_its_own(keys: NodeKeys) -> None:
    own = NodeKeys(given={"7": keys.key("7")})
    assert own.open_work(KEY, keys.seal_work(KEY, WORK)) == WORK
    with pytest.raises(SealBroken, match="There is no key for node 8"):
        own.key("8")


def test_fields_of_a_newer_owner_are_left_out(keys: NodeKeys) -> None:
    body = keys.seal("7", "work", KEY.bound(), {**dataclasses.asdict(WORK), "from_the_future": 1})
    assert keys.open_work(KEY, body) == WORK


@pytest.mark.parametrize(
    ("url", "celery"),
    [("unix:///run/r.sock", "redis+socket:///run/r.sock"), ("redis://h:6379/1", "redis://h:6379/1"), ("rediss://h", "rediss://h")],
)
def test_celery_writes_a_socket_in_its_own_way(url: str, celery: str) -> None:
    assert celery_url(url) == celery
