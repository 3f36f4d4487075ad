"""The port through which owners and agents meet. `redis_broker` is the real one, `memory_broker` its double.

Both pass the same contract tests. The broker carries permits, claims, leases, the stop flag, reports in transit and heartbeats; it
is never the truth (the database is), so losing all of it at any moment loses no recorded fact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from deployments.wire.messages import AttemptKey

Recall = Literal["recalled", "claimed", "neither"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One sealed report in a transaction's stream; `time` is the broker's clock (seconds since the epoch) when it came in."""

    id: str
    time: float
    node: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """The answer to a claim. `time` is the broker's clock; `refusal` says why not."""

    granted: bool
    time: float
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a report. `time` is the broker's clock; `wake` says that nobody has woken the owner since it last drained."""

    time: float
    wake: bool


class Broker(Protocol):
    """Every method is one atomic step. Errors of the connection pass through as `redis.exceptions.RedisError`/`OSError`."""

    def now(self) -> float:
        """The broker's clock, in seconds since the epoch: the one by which all recorded times are told."""

    # -- the owner's side -------------------------------------------------------------------------------------------------
    def run_id(self) -> str:
        """Changes whenever the broker was restarted (so may have lost or rolled back its data)."""

    def vouch(self, transaction: int, epoch: int) -> bool:
        """Write `owner:<transaction>` = epoch and present run id: without it nothing can be permitted or claimed.

        Never over a higher epoch: then False (somebody else has taken over).
        """

    def vouched(self, transaction: int, epoch: int | None = None) -> bool:
        """Whether `owner:` names this epoch (None = any) and the present run id."""

    def permit(self, epoch: int, keys: Sequence[AttemptKey]) -> list[bool]:
        """Allow these attempts to be claimed, each on its own node.

        False for a key whose transaction isn't vouched for by this epoch and run id, or whose attempt has a claim already. A permit is
        good only as long as both stand: after a takeover or a restart of the broker it must be given again.
        """

    def recall(self, keys: Sequence[AttemptKey]) -> list[Recall]:
        """Take permits back: `recalled` (nobody can claim it any more), `claimed` (an agent has it), `neither`."""

    def set_stop(self, transaction: int) -> None:
        """From now on every claim of this transaction is refused."""

    def clear_stop(self, transaction: int) -> None:
        """Remove the stop flag."""

    def drain(self, transaction: int, count: int = 5000) -> list[Entry]:
        """The oldest reports, in order. They stay until `forget`. The next report wakes the owner again."""

    def forget(self, transaction: int, entry_ids: Sequence[str], ended: Sequence[AttemptKey] = ()) -> None:
        """Delete reports by id, and the claims and leases of the attempts that are over, after the commit that recorded them."""

    def claimed(self, keys: Sequence[AttemptKey]) -> list[bool]:
        """Which of these attempts have a claim."""

    def leased(self, keys: Sequence[AttemptKey]) -> list[bool]:
        """Which of these attempts have a lease that has not run out."""

    def heartbeats(self, nodes: Sequence[str]) -> dict[str, bytes]:
        """The sealed heartbeats of those nodes whose agent is alive."""

    def publish_fleet(self, fleet: str, nodes: Mapping[str, str]) -> None:
        """Say which nodes a fleet worker is to serve, and for which cluster each of them: clusters share the fleet's places."""

    def end(self, transaction: int) -> None:
        """Remove every key of a transaction that is over."""

    def remains(self) -> set[int]:
        """The transactions of which any key is left."""

    def wake(self, owner: str, transaction: int) -> None:
        """Tell an orchestrator that there is something to do for a transaction it owns (a hint; it may get lost)."""

    def woken(self, owner: str, seconds: float) -> list[int]:
        """The transactions that `wake` named to this orchestrator, waiting at most so long for the first."""

    # -- the agent's side -------------------------------------------------------------------------------------------------
    def claim(self, key: AttemptKey, token: str, lease_seconds: float, started: bytes) -> Claim:
        """Take a permitted attempt, set its claim and lease, append the sealed `started` report.

        Refused unless the permit names this attempt, `owner:` names the permit's epoch and the present run id, and no stop is set. The same
        token asking again gets the same answer and appends nothing.
        """

    def renew(self, leases: Sequence[tuple[AttemptKey, float]]) -> list[bool]:
        """Renew leases (attempt, seconds); False where a later permit stands on the node, so that attempt must be ended at once."""

    def tell(self, key: AttemptKey, body: bytes) -> None:
        """Append what is sealed of an attempt that goes on: its lease stays, and nobody is woken for it."""

    def stopping(self, transaction: int) -> bool:
        """Whether the stop flag is set."""

    def report(self, key: AttemptKey, body: bytes) -> Receipt:
        """Append the sealed outcome and delete the lease in one step.

        Only the first report after a drain says that the owner is to be woken: that drain will find all that come before it. If the
        wake-up gets lost, the owner's own look finds them.
        """

    def beat(self, heartbeats: Mapping[str, bytes], ttl_seconds: float) -> None:
        """Leave a sign of life for each node."""

    def fleet(self, fleet: str) -> Mapping[str, str] | None:
        """The nodes a fleet is to serve, each with its cluster; None where nobody has said so (a running fleet then changes nothing)."""
