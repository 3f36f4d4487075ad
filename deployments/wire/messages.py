"""What travels between the owner of a transaction and the agents. Values only; `sealing` makes them safe to send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Mode = Literal["real", "noop", "rehearsal"]
ReportKind = Literal["started", "trying", "outcome"]
ReportState = Literal["started", "ready", "error", "skipped"]


@dataclass(frozen=True, slots=True)
class AttemptKey:
    """Names one attempt; whatever is sealed is bound to all five.

    `transaction` is the parent's id, `run` the id of the history row, `attempt` counts from 1 within the run, `number` is the
    node's dispatch number (grows for ever, never used twice on a node).
    """

    transaction: int
    run: int
    attempt: int
    node: str
    number: int

    def bound(self) -> bytes:
        """The bytes that a seal is bound to."""
        return f"{self.transaction}|{self.run}|{self.attempt}|{self.node}|{self.number}".encode()


@dataclass(frozen=True, slots=True)
class Work:
    """All that an agent needs to carry out an attempt: it has no database.

    `parameters` are those of the planned run. In a rehearsal the attempt takes `rehearsal_seconds` and ends in error where
    `rehearsal_fails`, without touching the node. `lease_seconds` is how long the attempt may stay silent before it counts as lost.
    """

    task: str
    type: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    mode: Mode = "real"
    rehearsal_seconds: float = 0.0
    rehearsal_fails: bool = False
    lease_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Report:
    """What an agent says of its attempt: that it has started, that a try of it failed and another follows, or what came of it.

    Of a failed try `summary` is `{try, tries, pause}`: which of how many it was, and how many seconds pass before the next.
    `duration` is seconds by the agent's monotonic clock (0 for `started`); `reason` is one sentence for people; `summary` is data
    of the task type (exit code, last lines of output …), small enough for a history row.
    """

    key: AttemptKey
    kind: ReportKind
    state: ReportState
    reason: str = ""
    summary: Mapping[str, Any] = field(default_factory=dict)
    duration: float = 0.0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """An agent's sign of life for one node.

    `number` is the highest dispatch number it has started there (0 = none yet); `outcome` is that attempt's outcome, kept until the
    next claim, so that an emptied Redis loses no outcome. `places` counts the attempts the agent can run at once, `free`
    those that other nodes' attempts do not hold. `lack` is why it can start nothing at all now, as a part of a sentence (its disk is full);
    empty if it can. `fleet` is the name of the fleet that serves the node, empty for an agent of its own.
    """

    node: str
    number: int = 0
    outcome: Report | None = None
    places: int = 1
    free: int = 1
    lack: str = ""
    fleet: str = ""
