"""Every state of what history records, and every move between them. All other moves are errors.

Pure: standard library only, so that the planner's side may read it too. The words are Fuel's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Moves = Mapping[tuple[str, str], str]
"""(from, to) → when that happens."""

BARRIER = "barrier"
"""Type of the task runs that the engine makes itself where it deploys role by role: no task of any graph, so no history shows them."""


@dataclass(frozen=True, slots=True)
class Table:
    """The states of one kind of thing and the moves between them."""

    about: str
    initial: str
    moves: Moves

    @property
    def states(self) -> tuple[str, ...]:
        """All states, the initial one first."""
        found = {self.initial: None, **{state: None for move in self.moves for state in move}}
        return tuple(found)

    @property
    def final(self) -> tuple[str, ...]:
        """States that nothing leads out of."""
        leaving = {old for old, _ in self.moves}
        return tuple(state for state in self.states if state not in leaving)


class IllegalMove(Exception):
    """Such a move is not allowed."""

    def __init__(self, about: str, old: str, new: str) -> None:
        super().__init__(f"A {about} can't go from {old} to {new}.")
        self.about, self.old, self.new = about, old, new

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.about, self.old, self.new)


def check(table: Table, old: str, new: str) -> None:
    """Refuse a move that the table doesn't have.

    Raises:
        IllegalMove: names both states.
    """
    if (old, new) not in table.moves:
        raise IllegalMove(table.about, old, new)


TASK_RUN = Table("task run", "pending", {
    ("pending", "running"): "an agent has claimed its attempt",
    ("pending", "skipped"): "it does nothing (stage, skipped, noop, anchor), or a person skips it",
    ("pending", "error"): "its attempt was lost before anything was heard of it, and no try is left",
    ("running", "ready"): "its attempt ended well",
    ("running", "error"): "its attempt failed or was lost, and no try is left",
    ("running", "skipped"): "it had nothing to do, or failed and may (fail_on_error: false)",
    ("running", "pending"): "its attempt failed or was lost, and tries are left",
    ("error", "ready"): "a person says that it is done after all",
    ("error", "pending"): "a person wants it to run again",
    ("error", "skipped"): "a person says to go on without it",
})  # fmt: skip

ATTEMPT = Table("attempt", "dispatched", {
    ("dispatched", "started"): "an agent has claimed it",
    ("dispatched", "recalled"): "its permit was taken back before any agent claimed it",
    ("dispatched", "lost"): "nobody knows whether it was started (the broker's data is gone)",
    ("dispatched", "error"): "its agent could not take it",
    ("started", "ready"): "it ended well",
    ("started", "error"): "it failed",
    ("started", "skipped"): "it had nothing to do",
    ("started", "lost"): "its lease ended, or its time was up, without an outcome",
})  # fmt: skip

TRANSACTION = Table("transaction", "pending", {
    ("pending", "running"): "its first graph is planned and begins",
    ("pending", "error"): "no plan could be made, or an earlier graph of the same request failed",
    ("pending", "stopped"): "it was stopped before it began",
    ("running", "ready"): "everything ended well, or fault tolerance bears what failed and what that left undone",
    ("running", "error"): "a critical node failed or was left blocked, more nodes than fault tolerance bears, or all",
    ("running", "stopped"): "a person asked for a stop, and what ran has ended",
})  # fmt: skip
