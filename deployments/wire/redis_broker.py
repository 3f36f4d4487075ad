"""The broker on a real Redis (6.2 or later, or Valkey). Keys and values: see `scripts`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from redis import Redis
from redis.client import PubSub

from deployments.wire import scripts
from deployments.wire.broker import Claim, Entry, Recall, Receipt
from deployments.wire.messages import AttemptKey
from deployments.wire.names import KEY_PREFIX, REDIS_SECONDS

_ORPHANED_REPORTS_SECONDS = 7 * 86_400
"""How long reports are kept that no owner vouches for: their transaction is over, or Redis was emptied and its owner will come."""

_WOKEN_SECONDS = 60
"""An owner that hasn't drained for so long is woken again."""


class RedisBroker:
    """See `Broker`. Safe to share between threads; after a fork the child's connections are its own."""

    def __init__(self, url: str, *, timeout: float = REDIS_SECONDS) -> None:
        """`timeout` is how many seconds one step may take before it counts as a connection error."""
        self._redis: Redis = Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout)
        self._ears: dict[str, PubSub] = {}
        script = self._redis.register_script
        self._vouch, self._vouched = script(scripts.VOUCH), script(scripts.VOUCHED)
        self._permit, self._recall = script(scripts.PERMIT), script(scripts.RECALL)
        self._claim, self._renew = script(scripts.CLAIM), script(scripts.RENEW)
        self._tell, self._report = script(scripts.TELL), script(scripts.REPORT)

    def close(self) -> None:
        """Give the connections back."""
        self._redis.close()

    def now(self) -> float:
        seconds, micros = self._redis.time()
        return seconds + micros / 1e6

    def run_id(self) -> str:
        return str(self._redis.info("server")["run_id"])

    def vouch(self, transaction: int, epoch: int) -> bool:
        return bool(self._vouch(keys=[_owner(transaction), _outcomes(transaction)], args=[epoch]))

    def vouched(self, transaction: int, epoch: int | None = None) -> bool:
        return bool(self._vouched(keys=[_owner(transaction)], args=["" if epoch is None else epoch]))

    def permit(self, epoch: int, keys: Sequence[AttemptKey]) -> list[bool]:
        if not keys:
            return []
        names = [name for key in keys for name in (_owner(key.transaction), _claim(key.transaction), _permit(key.node))]
        return [bool(answer) for answer in cast("list[int]", self._permit(keys=names, args=[epoch, *map(_mark, keys)]))]

    def recall(self, keys: Sequence[AttemptKey]) -> list[Recall]:
        if not keys:
            return []
        names = [name for key in keys for name in (_claim(key.transaction), _permit(key.node))]
        answers = cast("list[bytes]", self._recall(keys=names, args=[_mark(key) for key in keys]))
        return [cast("Recall", answer.decode()) for answer in answers]

    def set_stop(self, transaction: int) -> None:
        self._redis.set(_stop(transaction), 1)

    def clear_stop(self, transaction: int) -> None:
        self._redis.delete(_stop(transaction))

    def drain(self, transaction: int, count: int = 5000) -> list[Entry]:
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(_woken(transaction))
            pipe.xrange(_outcomes(transaction), count=count)
            rows = cast("list[tuple[bytes, dict[bytes, bytes]]]", pipe.execute()[1])
        return [_entry(entry_id.decode(), fields) for entry_id, fields in rows]

    def forget(self, transaction: int, entry_ids: Sequence[str], ended: Sequence[AttemptKey] = ()) -> None:
        with self._redis.pipeline(transaction=True) as pipe:
            if entry_ids:
                pipe.xdel(_outcomes(transaction), *entry_ids)
            if ended:
                pipe.hdel(_claim(transaction), *map(_mark, ended))
                pipe.delete(*map(_lease, ended))
            pipe.execute()

    def claimed(self, keys: Sequence[AttemptKey]) -> list[bool]:
        with self._redis.pipeline(transaction=True) as pipe:
            for key in keys:
                pipe.hexists(_claim(key.transaction), _mark(key))
            return [bool(answer) for answer in pipe.execute()]

    def leased(self, keys: Sequence[AttemptKey]) -> list[bool]:
        if not keys:
            return []
        return [value is not None for value in cast("list[bytes | None]", self._redis.mget([_lease(key) for key in keys]))]

    def heartbeats(self, nodes: Sequence[str]) -> dict[str, bytes]:
        if not nodes:
            return {}
        values = cast("list[bytes | None]", self._redis.mget([_agent(node) for node in nodes]))
        return {node: value for node, value in zip(nodes, values, strict=True) if value is not None}

    def publish_fleet(self, fleet: str, nodes: Mapping[str, str]) -> None:
        self._redis.set(_fleet(fleet), json.dumps(dict(nodes), sort_keys=True))

    def end(self, transaction: int) -> None:
        self._redis.delete(_owner(transaction), _stop(transaction), _claim(transaction), _outcomes(transaction), _woken(transaction))

    def remains(self) -> set[int]:
        # Each of its keys ends with the transaction's id; of nodes and fleets there are keys that do too.
        kinds = tuple(key(0).removesuffix("0") for key in (_owner, _stop, _claim, _outcomes, _woken))
        names = (name.decode() for name in cast("Iterator[bytes]", self._redis.scan_iter(f"{KEY_PREFIX}*:*", count=1000)))
        return {int(name.rpartition(":")[2]) for name in names if name.startswith(kinds)}

    def wake(self, owner: str, transaction: int) -> None:
        self._redis.publish(_wake(owner), str(transaction))

    def woken(self, owner: str, seconds: float) -> list[int]:
        if owner not in self._ears:
            ear = self._redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
            ear.subscribe(_wake(owner))
            self._ears[owner] = ear
        found: list[int] = []
        message = self._ears[owner].get_message(timeout=seconds)
        while message is not None:
            found.append(int(message["data"]))
            message = self._ears[owner].get_message(timeout=0.0)
        return found

    def claim(self, key: AttemptKey, token: str, lease_seconds: float, started: bytes) -> Claim:
        names = [_owner(key.transaction), _claim(key.transaction), _permit(key.node), _stop(key.transaction), _lease(key)]
        granted, seconds, micros, refusal = cast(
            "tuple[int, bytes, bytes, bytes]",
            self._claim(keys=[*names, _outcomes(key.transaction)], args=[_mark(key), token, _ms(lease_seconds), key.node, started]),
        )
        return Claim(bool(granted), _seconds(seconds, micros), refusal.decode())

    def renew(self, leases: Sequence[tuple[AttemptKey, float]]) -> list[bool]:
        if not leases:
            return []
        names = [name for key, _ in leases for name in (_permit(key.node), _lease(key))]
        arguments = [argument for key, seconds in leases for argument in (_mark(key), _ms(seconds))]
        return [bool(answer) for answer in cast("list[int]", self._renew(keys=names, args=arguments))]

    def tell(self, key: AttemptKey, body: bytes) -> None:
        self._tell(keys=[_owner(key.transaction), _outcomes(key.transaction)], args=[key.node, body, _ORPHANED_REPORTS_SECONDS])

    def stopping(self, transaction: int) -> bool:
        return bool(self._redis.exists(_stop(transaction)))

    def report(self, key: AttemptKey, body: bytes) -> Receipt:
        names = [_owner(key.transaction), _outcomes(key.transaction), _lease(key), _woken(key.transaction)]
        arguments: list[str | bytes | int] = [key.node, body, _ORPHANED_REPORTS_SECONDS, _WOKEN_SECONDS]
        seconds, micros, wake = cast("tuple[bytes, bytes, int]", self._report(keys=names, args=arguments))
        return Receipt(_seconds(seconds, micros), bool(wake))

    def beat(self, heartbeats: Mapping[str, bytes], ttl_seconds: float) -> None:
        with self._redis.pipeline(transaction=False) as pipe:
            for node, body in heartbeats.items():
                pipe.set(_agent(node), body, px=_ms(ttl_seconds))
            pipe.execute()

    def fleet(self, fleet: str) -> Mapping[str, str] | None:
        value = cast("bytes | None", self._redis.get(_fleet(fleet)))
        if value is None:
            return None
        nodes = json.loads(value)
        # An older orchestrator names the nodes only: they are all served for the same.
        return nodes if isinstance(nodes, dict) else dict.fromkeys(nodes, "")


def _wake(owner: str) -> str:
    return f"{KEY_PREFIX}wake:{owner}"


def _owner(transaction: int) -> str:
    return f"{KEY_PREFIX}owner:{transaction}"


def _stop(transaction: int) -> str:
    return f"{KEY_PREFIX}stop:{transaction}"


def _claim(transaction: int) -> str:
    return f"{KEY_PREFIX}claim:{transaction}"


def _outcomes(transaction: int) -> str:
    return f"{KEY_PREFIX}outcomes:{transaction}"


def _woken(transaction: int) -> str:
    return f"{KEY_PREFIX}woken:{transaction}"


def _permit(node: str) -> str:
    return f"{KEY_PREFIX}permit:{node}"


def _agent(node: str) -> str:
    return f"{KEY_PREFIX}agent:{node}"


def _fleet(name: str) -> str:
    return f"{KEY_PREFIX}fleet:{name}"


def _lease(key: AttemptKey) -> str:
    return f"{KEY_PREFIX}lease:{_mark(key)}"


def _mark(key: AttemptKey) -> str:
    return f"{key.transaction}:{key.run}:{key.attempt}:{key.number}:{key.node}"


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _seconds(seconds: bytes, micros: bytes) -> float:
    return int(seconds) + int(micros) / 1e6


def _entry(entry_id: str, fields: Mapping[bytes, bytes]) -> Entry:
    # The stream's ids are Redis' clock in milliseconds, and never go back within a transaction even where that clock does.
    # Anybody who can write to Redis can put in what is no report: it names no node, or its body opens with no key.
    node = fields.get(b"node", b"").decode(errors="replace")
    return Entry(entry_id, int(entry_id.partition("-")[0]) / 1000, node, fields.get(b"body", b""))
