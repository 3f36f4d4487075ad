"""What the scheduler has to know to go on where another one was: read from the record, never from another scheduler's memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

RunStatus = Literal["pending", "dispatched", "running", "ready", "error", "skipped"]


@dataclass(frozen=True, slots=True)
class RunState:
    """Where one task run is. `dispatched` = queued for its node and not claimed yet (stored as pending with a dispatch time)."""

    status: RunStatus = "pending"
    attempts: int = 0
    """Number of its last attempt; 0 = there was none."""
    failures: int = 0
    """How many of its attempts ended in error; they count against `TaskRun.attempts`."""
    lost: int = 0
    """How many of its attempts were lost; they count against the scheduler's `lost_limit`."""
    not_before: float = 0.0
    """A run that waits for its next attempt is not dispatched before this time (the clock of `now`)."""
    reason: str = field(default="", compare=False)
    """Why it failed, for people; nothing is decided by it."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A transaction at one moment."""

    runs: Mapping[int, RunState] = field(default_factory=dict)
    """By index in `Plan.runs`; a run that is not named is pending and was never tried."""
    offline: frozenset[str] = frozenset()
    """Nodes that were found offline in this transaction."""
    stopping: bool = False
    """A person asked for a stop."""
    drain_reason: str = ""
    """The reason of the `Drain` whose cause was `tolerance`; empty where there was none."""
    blocked: Mapping[int, int | None] = field(default_factory=dict)
    """Runs recorded as blocked, with their root. What is blocked and not named here is told again, so no consequence is lost."""
    ended_nodes: frozenset[str] = frozenset()
    """Nodes whose `EndNode` was carried out; any other that is over is told again."""
