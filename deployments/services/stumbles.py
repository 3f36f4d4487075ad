"""What an owner falls over again and again, by a mistake in this system: tried ever less often, and said where people look."""

from __future__ import annotations

from dataclasses import dataclass

from deployments.services.clock import is_due
from history import recorder

SAID_FROM = 3
"""A step that failed once or twice may have met another's commit; from this many on people should know."""
LONGEST_PAUSE = 60.0


@dataclass(slots=True)
class _Stumble:
    count: int = 0
    next_try: float = 0.0
    pause: float = 0.0


class Stumbles:
    """Of one orchestrator, by transaction. Nothing is given up: what runs goes on, and a corrected version takes it from there."""

    def __init__(self) -> None:
        self._of: dict[int, _Stumble] = {}

    def note(self, transaction_id: int, epoch: int, error: Exception, now: float) -> None:
        """A step failed, and reading everything anew may not help. To be called when the transaction has been given back."""
        stumble = self._of.setdefault(transaction_id, _Stumble())
        stumble.count += 1
        if stumble.count < SAID_FROM:
            return
        stumble.pause = min(2.0 ** (stumble.count - SAID_FROM + 1), LONGEST_PAUSE)
        stumble.next_try = now + stumble.pause
        # Only the kind: its words may quote what belongs on no page.
        recorder.say(
            transaction_id,
            epoch,
            f"The orchestrator can't go on ({type(error).__name__}). It has tried {stumble.count} times and goes on trying; "
            "its log tells where it failed.",
        )

    def may_try(self, transaction_id: int, now: float) -> bool:
        """Whether it is time to take it again."""
        stumble = self._of.get(transaction_id)
        return stumble is None or not stumble.pause or is_due(stumble.next_try, now, stumble.pause)

    def forget(self, transaction_id: int) -> None:
        """A step went well. (Whoever takes a transaction takes back what was said of it.)"""
        self._of.pop(transaction_id, None)
