"""Whose turn it is when a place of a fleet is free: that of the cluster with the fewest places taken.

Kombu asks for the order of the queues before each message that it takes. Without this they take turns one by one, so of a place that is
free each node has an equal chance, and a cluster of a hundred nodes a hundred times that of a cluster of one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from celery.worker import state
from kombu.utils.scheduling import round_robin_cycle

from deployments.wire.names import node_queue

STRATEGY = "deployments.agent.shares:FairCycle"
"""For the transport's option `queue_order_strategy`."""
_TRIES = 5

_share_of: dict[str, str] = {}
"""By queue: the cluster for which it is served. Of the one thread that takes messages."""


def serve(nodes: Mapping[str, str]) -> None:
    """From now on these nodes are served, each for its cluster."""
    _share_of.clear()
    _share_of.update((node_queue(node), cluster) for node, cluster in nodes.items())


def held() -> Counter[str]:
    """How many places are taken, by queue."""
    for _ in range(_TRIES):
        try:
            return Counter(request.delivery_info["routing_key"] for request in list(state.reserved_requests))
        except RuntimeError:
            # A place became free in another thread meanwhile.
            continue
    return Counter()


class FairCycle(round_robin_cycle):  # type: ignore[misc]
    """Clusters by the places that they have, the fewest first; the nodes of one take turns."""

    def consume(self, n: int) -> list[Any]:
        """The queues in the order in which they are looked into."""
        queues: list[Any] = super().consume(n)
        taken: Counter[str | None] = Counter()
        for queue, count in held().items():
            taken[_share_of.get(queue)] += count
        return sorted(queues, key=lambda queue: taken[_share_of.get(queue)]) if taken else queues
