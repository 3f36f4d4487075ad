"""Who has been silent for how long: that a lease is missing once proves nothing, and whoever can write to Redis can make it so."""

from __future__ import annotations

from collections.abc import Mapping

Attempt = tuple[int, int]
"""Position of a run, and the dispatch number of its newest attempt."""


class SilentAgents:
    """Of one owner: since when the leases of its started attempts are missing.

    An agent renews a lease after a third of its time, whatever has become of it. So an attempt whose lease was missing in every look for as
    long as a lease lasts is one that nobody works at, even if the first of these looks fell upon a lease that was deleted, or overwritten.
    The price: a dead agent is found one lease later.
    """

    def __init__(self, lease: float) -> None:
        self._lease = lease
        self._since: dict[Attempt, float] = {}

    def look(self, leased: Mapping[Attempt, bool], now: float) -> dict[Attempt, bool]:
        """The silent among all started attempts, each with whether it has been so for as long as a lease lasts.

        A clock that was set back begins the time anew; one that was set forward is seen by `Trust`.
        """
        self._since = {attempt: min(self._since.get(attempt, now), now) for attempt, stands in leased.items() if not stands}
        return {attempt: now - since >= self._lease for attempt, since in self._since.items()}
