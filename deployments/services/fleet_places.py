"""How many tasks a fleet can run at once, how many it runs now, and for whom: whoever waits for a place is to know it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from django.conf import settings
from redis.exceptions import RedisError

from deployments import queries
from deployments.core.wording import listed
from deployments.models import Cluster
from deployments.services.child import wire_name
from deployments.services.setup import make_broker
from deployments.wire.messages import Heartbeat
from deployments.wire.parsing import Unreadable
from deployments.wire.sealing import NodeKeys
from history import queries as history

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class FleetPlaces:
    """A fleet that is alive. `taken_by` is the number of places by cluster, the greatest first."""

    fleet: str
    places: int
    taken_by: Mapping[str, int]

    @property
    def taken(self) -> int:
        """How many places are taken."""
        return sum(self.taken_by.values())

    @property
    def is_full(self) -> bool:
        """Whether nothing can start before something has ended."""
        return self.taken >= self.places

    @property
    def text(self) -> str:
        """`fleet default: 97 of 100 places taken by long (90) and shop (7)`."""
        return f"fleet {self.fleet}: {self.taken} of {self.places} places taken{self._by()}"

    def why(self, run: str) -> str:
        """Why this task run, which has been sent, does not start."""
        return f"{run} waits for a place of fleet {self.fleet}: {self.taken} of {self.places} taken{self._by()}."

    def _by(self) -> str:
        names = listed([f"{cluster} ({count})" for cluster, count in self.taken_by.items()], _MOST_NAMED)
        return f" by {names}" if names else ""


def fleet_places() -> list[FleetPlaces]:
    """Each fleet that is alive, by name. Empty while Redis does not answer.

    What runs is read from the record; how many places there are, and that a node is served by a fleet, from its signed heartbeat. (A node
    with an agent of its own takes nobody's place.)
    """
    running = _running()
    return [found for fleet, names in sorted(queries.fleets().items()) if (found := _places(fleet, _beats(fleet, names), running))]


def place_of(node: str, cluster: Cluster) -> FleetPlaces | None:
    """The fleet that serves this node of the cluster; None if none does (or nobody knows)."""
    beats = _beats(cluster.fleet, queries.fleets().get(cluster.fleet, ()))
    return _places(cluster.fleet, beats, _running()) if wire_name(node, cluster.id) in beats else None


def _running() -> dict[str, str]:
    """By wire name: the cluster for which something runs there."""
    return {wire_name(node, cluster_id): cluster for node, cluster_id, cluster in history.running_on_nodes()}


def _places(fleet: str, beats: Mapping[str, Heartbeat], running: Mapping[str, str]) -> FleetPlaces | None:
    if not beats:
        return None
    counts = Counter(running[name] for name in beats if name in running)
    return FleetPlaces(fleet, next(iter(beats.values())).places, dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))))


def _beats(fleet: str, names: Iterable[str]) -> dict[str, Heartbeat]:
    """Of the nodes that this fleet really serves."""
    try:
        return {name: beat for name, beat in heard_of(names).items() if beat.fleet == fleet}
    except (RedisError, OSError):
        return {}


def heard_of(names: Iterable[str]) -> dict[str, Heartbeat]:
    """By wire name: the heartbeats of agents that are alive and whose seal is good.

    Raises:
        RedisError, OSError: Redis does not answer.
    """
    keys = NodeKeys(str(settings.FUELWEB_WIRE_SECRET))
    found: dict[str, Heartbeat] = {}
    for name, body in make_broker().heartbeats(list(names)).items():
        with suppress(Unreadable):
            found[name] = keys.open_heartbeat(name, body)
    return found
