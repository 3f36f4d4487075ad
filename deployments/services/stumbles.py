"""What an owner falls over again and again: tried ever less often, so that nobody else waits for it, and said where people look."""

from __future__ import annotations

from dataclasses import dataclass

from deployments.services.clock import is_due
from deployments.services.stored import CantBeLoaded
from history import holders, recorder

SAID_FROM = 3
"""A step that failed once or twice may have met another's commit; from this many on people should know."""
LONGEST_PAUSE = 60.0
LONGEST_AT_A_LOCK = 10.0
"""Whatever is locked goes on soon after it is free."""
SHARE = 0.1
"""Of its orchestrator's time a transaction that fails again and again gets no more."""


@dataclass(slots=True)
class _Stumble:
    count: int = 0
    next_try: float = 0.0
    pause: float = 0.0


class Stumbles:
    """Of one orchestrator, by transaction. Nothing is given up: what runs goes on, and a corrected version takes it from there."""

    def __init__(self) -> None:
        self._of: dict[int, _Stumble] = {}

    def note(self, transaction_id: int, epoch: int, error: Exception, now: float, seconds: float = 0.0) -> None:
        """A step failed after so many seconds, and reading everything anew may not help.

        To be called when the transaction has been given back.

        Raises:
            RowLocked, DatabaseError: people could not be told.
        """
        stumble = self._of.setdefault(transaction_id, _Stumble())
        stumble.count += 1
        waited, hopeless = recorder.is_patience_over(error), isinstance(error, CantBeLoaded)
        if not waited and not hopeless and stumble.count < SAID_FROM:
            return
        stumble.pause = pause_after(SAID_FROM + 9 if hopeless else stumble.count, seconds, at_a_lock=waited or hopeless)
        stumble.next_try = now + stumble.pause
        if hopeless:
            recorder.say(transaction_id, epoch, str(error))
        elif stumble.count >= SAID_FROM:
            recorder.say(transaction_id, epoch, _held_up(error, stumble.count) if waited else _mistaken(error, stumble.count))

    def knows(self, transaction_id: int) -> bool:
        """Whether it has failed before."""
        return transaction_id in self._of

    def may_try(self, transaction_id: int, now: float) -> bool:
        """Whether it is time to take it again."""
        stumble = self._of.get(transaction_id)
        return stumble is None or not stumble.pause or is_due(stumble.next_try, now, stumble.pause)

    def forget(self, transaction_id: int) -> None:
        """A step went well. (Whoever takes a transaction takes back what was said of it.)"""
        self._of.pop(transaction_id, None)


def pause_after(count: int, seconds: float, *, at_a_lock: bool) -> float:
    """Seconds until the next try, after so many that failed, the last of which took so long."""
    doubled = 2.0 ** (count - 1) if at_a_lock else 2.0 ** (count - SAID_FROM + 1)
    longest = LONGEST_AT_A_LOCK if at_a_lock else LONGEST_PAUSE
    return max(min(doubled, longest), min(seconds * (1 - SHARE) / SHARE, LONGEST_PAUSE))


def _mistaken(error: Exception, count: int) -> str:
    # Only the kind: its words may quote what belongs on no page.
    return (
        f"The orchestrator can't go on ({type(error).__name__}). It has tried {count} times and goes on trying; "
        "its log tells where it failed."
    )


def _held_up(error: Exception, count: int) -> str:
    if recorder.is_too_slow(error):
        why = "The database takes too long to answer it (statement_timeout)"
    else:
        # The error does not tell whose lock it is; whoever has had one of ours the longest is named.
        holder = holders.longest_holder(1.0)
        why = "It waits for rows that another session has locked in the database" + (f" ({holder})" if holder else "")
    return f"{why}. It has been tried {count} times, and goes on by itself."
