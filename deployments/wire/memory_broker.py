"""The broker's strict double: the same rules in memory, with a given clock. For tests and for what runs in one process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from deployments.wire.broker import Claim, Entry, Recall, Receipt
from deployments.wire.messages import AttemptKey


@dataclass(slots=True)
class _Store:
    """All that a restart may lose."""

    owners: dict[int, tuple[int, str]] = field(default_factory=dict)
    permits: dict[str, tuple[AttemptKey, tuple[int, str]]] = field(default_factory=dict)
    stops: set[int] = field(default_factory=set)
    claims: dict[AttemptKey, str] = field(default_factory=dict)
    leases: dict[AttemptKey, float] = field(default_factory=dict)
    outcomes: dict[int, list[Entry]] = field(default_factory=dict)
    woken: set[int] = field(default_factory=set)
    beats: dict[str, tuple[float, bytes]] = field(default_factory=dict)
    fleets: dict[str, dict[str, str]] = field(default_factory=dict)


class MemoryBroker:
    """See `Broker`. `clock` gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._store = _Store()
        self._restarts = self._entries = 0
        self._lock = threading.RLock()
        self._wakes: list[tuple[str, int]] = []

    def restart(self, *, empty: bool) -> None:
        """As if the server had been restarted, with its data or without."""
        with self._lock:
            self._restarts += 1
            if empty:
                self._store = _Store()

    def now(self) -> float:
        return self._clock()

    def run_id(self) -> str:
        return f"run-{self._restarts}"

    def vouch(self, transaction: int, epoch: int) -> bool:
        with self._lock:
            held = self._store.owners.get(transaction)
            if held is not None and held[0] > epoch:
                return False
            self._store.owners[transaction] = (epoch, self.run_id())
            return True

    def vouched(self, transaction: int, epoch: int | None = None) -> bool:
        held = self._store.owners.get(transaction)
        return held is not None and held[1] == self.run_id() and epoch in (None, held[0])

    def permit(self, epoch: int, keys: Sequence[AttemptKey]) -> list[bool]:
        with self._lock:
            return [self._permit_one(epoch, key) for key in keys]

    def _permit_one(self, epoch: int, key: AttemptKey) -> bool:
        if not self.vouched(key.transaction, epoch) or key in self._store.claims:
            return False
        self._store.permits[key.node] = (key, (epoch, self.run_id()))
        return True

    def recall(self, keys: Sequence[AttemptKey]) -> list[Recall]:
        with self._lock:
            return [self._recall_one(key) for key in keys]

    def _recall_one(self, key: AttemptKey) -> Recall:
        if key in self._store.claims:
            return "claimed"
        permit = self._store.permits.get(key.node)
        if permit is None or permit[0] != key:
            return "neither"
        del self._store.permits[key.node]
        return "recalled"

    def set_stop(self, transaction: int) -> None:
        with self._lock:
            self._store.stops.add(transaction)

    def clear_stop(self, transaction: int) -> None:
        with self._lock:
            self._store.stops.discard(transaction)

    def drain(self, transaction: int, count: int = 5000) -> list[Entry]:
        with self._lock:
            self._store.woken.discard(transaction)
            return self._store.outcomes.get(transaction, [])[:count]

    def forget(self, transaction: int, entry_ids: Sequence[str], ended: Sequence[AttemptKey] = ()) -> None:
        gone = set(entry_ids)
        with self._lock:
            self._store.outcomes[transaction] = [entry for entry in self._store.outcomes.get(transaction, []) if entry.id not in gone]
            for key in ended:
                self._store.claims.pop(key, None)
                self._store.leases.pop(key, None)

    def claimed(self, keys: Sequence[AttemptKey]) -> list[bool]:
        with self._lock:
            return [key in self._store.claims for key in keys]

    def leased(self, keys: Sequence[AttemptKey]) -> list[bool]:
        with self._lock:
            return [self._store.leases.get(key, 0.0) > self.now() for key in keys]

    def heartbeats(self, nodes: Sequence[str]) -> dict[str, bytes]:
        with self._lock:
            found = {node: self._store.beats[node] for node in nodes if node in self._store.beats}
            return {node: body for node, (until, body) in found.items() if until > self.now()}

    def publish_fleet(self, fleet: str, nodes: Mapping[str, str]) -> None:
        with self._lock:
            self._store.fleets[fleet] = dict(nodes)

    def end(self, transaction: int) -> None:
        with self._lock:
            self._store.owners.pop(transaction, None)
            self._store.stops.discard(transaction)
            self._store.woken.discard(transaction)
            self._store.outcomes.pop(transaction, None)
            for key in [key for key in self._store.claims if key.transaction == transaction]:
                del self._store.claims[key]

    def remains(self) -> set[int]:
        with self._lock:
            store = self._store
            reported = {transaction for transaction, entries in store.outcomes.items() if entries}
            return {*store.owners, *store.stops, *store.woken, *reported, *(key.transaction for key in store.claims)}

    def wake(self, owner: str, transaction: int) -> None:
        with self._lock:
            self._wakes.append((owner, transaction))

    def woken(self, owner: str, seconds: float) -> list[int]:
        with self._lock:
            found = [transaction for name, transaction in self._wakes if name == owner]
            self._wakes = [wake for wake in self._wakes if wake[0] != owner]
            return found

    def claim(self, key: AttemptKey, token: str, lease_seconds: float, started: bytes) -> Claim:
        with self._lock:
            held = self._store.claims.get(key)
            refusal = "" if held == token else self._refusal(key, held)
            if refusal:
                return Claim(False, self.now(), refusal)
            self._store.leases[key] = self.now() + lease_seconds
            if held is None:
                del self._store.permits[key.node]
                self._store.claims[key] = token
                self._append(key, started)
            return Claim(True, self.now())

    def _refusal(self, key: AttemptKey, held: str | None) -> str:
        if held is not None:
            return "another agent has claimed it"
        permit = self._store.permits.get(key.node)
        if permit is None or permit[0] != key:
            return "it has no permit"
        if permit[1] != self._store.owners.get(key.transaction) or permit[1][1] != self.run_id():
            return "no owner vouches for its permit"
        return "its transaction is being stopped" if key.transaction in self._store.stops else ""

    def renew(self, leases: Sequence[tuple[AttemptKey, float]]) -> list[bool]:
        with self._lock:
            return [self._renew_one(key, seconds) for key, seconds in leases]

    def _renew_one(self, key: AttemptKey, lease_seconds: float) -> bool:
        permit = self._store.permits.get(key.node)
        if permit is not None and permit[0].number > key.number:
            return False
        self._store.leases[key] = self.now() + lease_seconds
        return True

    def tell(self, key: AttemptKey, body: bytes) -> None:
        with self._lock:
            self._append(key, body)

    def stopping(self, transaction: int) -> bool:
        with self._lock:
            return transaction in self._store.stops

    def report(self, key: AttemptKey, body: bytes) -> Receipt:
        with self._lock:
            self._append(key, body)
            self._store.leases.pop(key, None)
            wake = key.transaction not in self._store.woken
            self._store.woken.add(key.transaction)
            return Receipt(self.now(), wake)

    def beat(self, heartbeats: Mapping[str, bytes], ttl_seconds: float) -> None:
        with self._lock:
            self._store.beats.update({node: (self.now() + ttl_seconds, body) for node, body in heartbeats.items()})

    def fleet(self, fleet: str) -> Mapping[str, str] | None:
        return self._store.fleets.get(fleet)

    def _append(self, key: AttemptKey, body: bytes) -> None:
        self._entries += 1
        self._store.outcomes.setdefault(key.transaction, []).append(Entry(f"{self._entries}-0", self.now(), key.node, body))
