"""What a proof is made of: the events of a log, the rows they should have led to, and what is found wrong. Values only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from deployments.core.plan import Plan

Kind = Literal["log", "state", "order", "overlap", "limit", "stop", "tries", "end", "row", "undone", "chain", "time"]
"""What a finding is about.

- `log`: an event that fits no plan; `state`: a move that the tables don't have, or from a state that the thing was not in.
- `order`: something began before what it waits for was done; `overlap`: two attempts at once on a node; `limit`: too many nodes at once.
- `stop`: something was dispatched, or claimed, after a stop or after too many failures; `tries`: more attempts than the plan allows.
- `end`: a run did not end as its attempt; `row`: a row is not as the log ends; `undone`: something was left behind.
- `chain`: an event was changed, removed or put in afterwards.
- `time`: the log goes back in time, or something ends before it begins, begins before it was dispatched, or ends after its transaction.
"""

NOTES = frozenset({"claimed", "late", "refused", "offline", "planned", "stop requested", "draining", "abandoned"})
"""Events that tell something but move nothing. `claimed` names an attempt that an agent took before the stop flag."""


class LogEvent(NamedTuple):
    """One event, in the words of history. `at` is anything that can be compared: the events of one commit have the same."""

    seq: int
    at: Any
    subject: str
    old: str
    new: str
    run: int | None = None
    attempt: int | None = None
    node: str = ""
    reason: str = ""
    about: int | None = None
    """Which transaction moved; None in logs that don't tell."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not have happened. `run` is `task/node`; `seq` is missing where the finding is about the end."""

    kind: Kind
    sentence: str
    seq: int | None = None
    run: str | None = None
    node: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"kind": self.kind, "seq": self.seq, "run": self.run, "node": self.node, "sentence": self.sentence}


@dataclass(frozen=True, slots=True)
class Child:
    """One graph's run: its plan and, in the plan's order, by which number the log names each task run."""

    plan: Plan
    runs: Sequence[int]
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """What the rows say in the end."""

    transactions: Sequence[str]
    """Status of the parent, then of each child."""
    runs: Iterable[tuple[int, str, int]] = ()
    """Of each task run: number, status, number of attempts."""
    attempts: Iterable[tuple[int, int, str]] = ()
    """Of each attempt: number of its run, attempt, status."""
    run_times: Iterable[tuple[int, Any, Any]] = ()
    """Of each task run that began: number, begin, end (None if it is not over)."""
    attempt_times: Iterable[tuple[int, int, Any, Any, Any]] = ()
    """Of each attempt that began: number of its run, attempt, when it was dispatched, begin, end."""
    transaction_times: Sequence[tuple[Any, Any]] = ()
    """Begin and end of the parent, then of each child; None where there is none."""
    ids: Sequence[int] = ()
    """By which numbers the log names the transactions, in their order."""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.transactions[0] not in ("pending", "running")
