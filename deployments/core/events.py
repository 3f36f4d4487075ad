"""What can happen to a transaction (events) and what the scheduler answers (instructions). Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ready", "error", "skipped"]


@dataclass(frozen=True, slots=True)
class Begin:
    """The transaction starts (or goes on). `offline` are the nodes found without an agent before the start."""

    offline: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunStarted:
    """An agent claimed the dispatched attempt of this run."""

    run: int


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The running attempt of this run ended."""

    run: int
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RunLost:
    """The attempt's lease ended without an outcome: nobody knows what came of it."""

    run: int
    reason: str = "lost"


@dataclass(frozen=True, slots=True)
class RunRecalled:
    """The permit of this dispatched run was taken back before any agent claimed it."""

    run: int


@dataclass(frozen=True, slots=True)
class NodeOffline:
    """The node's agent is gone; what was dispatched to it has been recalled."""

    node: str


@dataclass(frozen=True, slots=True)
class StopRequested:
    """A person asked for a stop: nothing new starts, what runs ends by itself."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; the answer to `WakeAt`."""


Event = Begin | RunStarted | RunEnded | RunLost | RunRecalled | NodeOffline | StopRequested | Tick


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Give this run's next attempt to its node."""

    run: int
    attempt: int


@dataclass(frozen=True, slots=True)
class EndRun:
    """Write this run's final state."""

    run: int
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BlockRun:
    """This run can't start any more.

    `root` is the run that is the cause: it failed, or it stands on an offline node and others wait for it (None: this run's own node is
    offline).
    """

    run: int
    root: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RetryRun:
    """This run goes back to pending and will be dispatched again (its attempt failed or was lost, and tries are left)."""

    run: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EndNode:
    """Nothing more will run on this node in this transaction. Told once for each node but the sync node, which is no machine.

    - `ready`: all its runs are done.
    - `error`: a run of it failed, or it is offline; or it had begun and the rest is blocked by a failure elsewhere.
    - `stopped`: it had begun and has runs left because of a drain.
    - `untouched`: nothing was started on it (it has no runs, or a drain or a failure elsewhere came first): it keeps the status it had.
    """

    node: str
    status: Literal["ready", "error", "stopped", "untouched"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Drain:
    """Set the stop flag: nothing new may start, because a person asked (`stop`) or too many nodes failed (`tolerance`).

    The first cause decides how the transaction ends; the reason of a `tolerance` belongs into the next snapshot.
    """

    reason: str
    cause: Literal["stop", "tolerance"] = "tolerance"


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Send `Tick` at this time (the same clock as `now`), because a retry is due then."""

    at: float


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing runs and nothing can: the transaction is over.

    `ready` although nodes failed means that fault tolerance bears it. `error`: it does not. `stopped`: a person asked, and nothing had
    been exceeded before.
    """

    status: Literal["ready", "error", "stopped"]
    reason: str = ""


Instruction = Dispatch | EndRun | BlockRun | RetryRun | EndNode | Drain | WakeAt | Finish
