"""Whether the broker can be believed about permits and claims: it may have been emptied, restarted or set back to an earlier state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from deployments.services.child import ChildRun
from deployments.services.tools import Tools
from history import recorder
from history.models import Transaction
from history.recorder import OwnershipLost


class BrokerChanged(OSError):
    """The broker was restarted in the middle of a look: what it said then proves nothing, so everything is read anew."""


class Trust:
    """One owner's trust in the broker.

    - `open`: nothing is in doubt, the owner may vouch (at the beginning, or after a takeover: no claim was lost).
    - `sure`: the owner vouches, so what the broker says of permits and claims is all there is.
    - `blind`: the broker's data was lost while attempts were under way. For one lease nothing is permitted and nobody is judged.
    - `asking`: the lease is over; who was dispatched is to be judged by heartbeats that are newer than the loss, then the owner vouches.

    `owner:` names the present run id only after the loss was dealt with, so an owner that dies meanwhile leaves the doubt to the next. What
    one that is none any more has vouched for says nothing: it knows nothing of what was dispatched since.
    """

    def __init__(self, transaction_id: int, epoch: int, tools: Tools) -> None:
        self._id, self._epoch, self._tools = transaction_id, epoch, tools
        self.state: Literal["open", "sure", "blind", "asking"] = "open"
        self.judge_after = 0.0
        """Silent attempts are not judged before this time: they may have been unable to reach the broker."""
        self.beats_before: Mapping[str, bytes] = {}
        """Heartbeats as they stood when the loss was seen; every new one differs, since sealing never gives the same twice."""
        self._run_id, self._blind_until = "", 0.0
        self._looked: float | None = None
        self._excused = False
        """The last look came late already: who is always late must judge all the same."""

    def look(self, child: ChildRun, now: float) -> None:
        """Find out how things stand."""
        self._see_standstill(child, now)
        broker = self._tools.broker
        if broker.vouched(self._id, self._epoch):
            self.state = "sure"
        elif not child.undone or self.state == "open" and broker.vouched(self._id):
            self.state = "open"
        elif self.state not in ("blind", "asking") or broker.run_id() != self._run_id:
            self.state, self._run_id = "blind", broker.run_id()
            self.beats_before = broker.heartbeats([child.key(row).node for row in child.undone.values()])
            self._blind_until = now + self._tools.patience.lease
        elif now >= self._blind_until:
            self.state = "asking"

    def _see_standstill(self, child: ChildRun, now: float) -> None:
        """Time that passed without a look is not held against the silent.

        This process, its machine or the broker may have stood still (suspended, frozen), and the agents with it; or somebody set the clock.
        """
        lease = self._tools.patience.lease
        passed = now - self._looked if self._looked is not None else 0.0
        late, self._looked = not 0.0 <= passed < lease / 2, now
        if late and not self._excused:
            self.judge_after = self._blind_until = now + lease
            for row in child.undone.values():
                attempt = row.id, row.attempts
                child.stood_still[attempt] = child.stood_still.get(attempt, 0.0) + passed
        self._excused = late

    def vouch(self, parent: Transaction, child: ChildRun, now: float) -> None:
        """Make the broker take this owner's permits; all that were given before are void.

        The stop flag is looked after in between: whoever asked for a stop may have set it before the data was lost.

        Raises:
            OwnershipLost: somebody else has taken over.
        """
        broker, tools = self._tools.broker, self._tools
        # Redis alone can't tell who comes too late once it has forgotten the owners after him.
        if not recorder.renew(self._id, self._epoch, tools.patience.ownership) or not broker.vouch(self._id, self._epoch):
            raise OwnershipLost(f"Transaction {self._id} has another owner now.")
        parent.refresh_from_db(fields=["stop_requested_at"])
        if parent.stop_requested_at is not None or child.scheduler.draining:
            broker.set_stop(self._id)
        self.state = "sure"
        if child.undone:
            self.judge_after = max(self.judge_after, now + self._tools.patience.lease)

    def check(self) -> None:
        """What was just read is good only if nothing was lost while it was read.

        Raises:
            BrokerChanged: it was.
        """
        broker = self._tools.broker
        if broker.run_id() != self._run_id if self.state == "asking" else not broker.vouched(self._id, self._epoch):
            raise BrokerChanged(f"The broker's data of transaction {self._id} was lost in the middle of a look.")
