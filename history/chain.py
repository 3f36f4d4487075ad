"""Whether the log is as it was written: each event's digest covers the one before, and the request's row holds the last."""

from __future__ import annotations

from history.models import Event, Transaction
from history.recorder.ledger import event_digest


class Chain:
    """Follows the events of one request in order."""

    def __init__(self) -> None:
        self._seq, self._digest = 0, ""

    def follow(self, event: Event) -> str:
        """What is wrong with this event, as a sentence; empty if it is as it was written where it was written.

        After a break the chain goes on from the digest that the event carries, so each break is told once.
        """
        expected, before = self._seq + 1, self._digest
        self._seq, self._digest = event.seq, event.digest
        if event.seq != expected:
            missing = f"event {expected} is" if event.seq == expected + 1 else f"events {expected} to {event.seq - 1} are"
            return f"Before event {event.seq}, {missing} missing."
        if event.digest != event_digest(before, event.seq, event):
            return f"Event {event.seq} is not as it was written: its digest does not fit what it says and what came before."
        return ""

    def end(self, parent: Transaction) -> str:
        """What is wrong with the end of the log, as a sentence; empty if it is the one that the request's row remembers."""
        if self._seq != parent.event_seq:
            return f"The log ends with event {self._seq}, but {parent.event_seq} were written."
        if self._digest != parent.event_digest:
            return f"The last event ({self._seq}) is not the one that the transaction remembers."
        return ""
