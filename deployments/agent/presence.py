"""The agent's part in the worker's loop: signs of life, and for a fleet the nodes it serves.

Both are done by timers of the loop itself: so there is a sign of life exactly as long as the worker takes messages, and consumers are
added and cancelled by the thread that owns them.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from celery import bootsteps
from redis.exceptions import RedisError

from deployments.agent import shares
from deployments.agent.config import AgentConfig
from deployments.agent.memory import NodeMemory
from deployments.agent.room import Room
from deployments.core.errors import FuelwebError
from deployments.wire.messages import Heartbeat
from deployments.wire.names import node_queue
from deployments.wire.parsing import Unreadable
from deployments.wire.redis_broker import RedisBroker
from deployments.wire.sealing import NodeKeys

logger = logging.getLogger(__name__)

BEATS = 12
"""Signs of life in the time after which an agent without any counts as gone."""
LOOK_SECONDS = 1.0
_REDIS_PATIENCE = 2.0


class Presence(bootsteps.StartStopStep):  # type: ignore[misc]
    """Runs while the worker is connected; started again after every reconnect."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._config = AgentConfig.from_environment(os.environ)
        self._broker = RedisBroker(self._config.redis_url, timeout=_REDIS_PATIENCE)
        self._nodes: frozenset[str] = frozenset([self._config.node] if self._config.node else [])
        self._timers: list[Any] = []
        self._unserved: dict[str, str] = {}
        """Nodes that can't be served, and why, as it was said."""
        self._room = Room(self._config.state, self._config.root)
        self._lack = ""

    def start(self, consumer: Any) -> None:
        self._look(consumer)
        self._beat(consumer, self._nodes)
        if self._config.node is not None:
            logger.info("Serving node %s.", self._config.node)
        self._timers = [
            consumer.timer.call_repeatedly(LOOK_SECONDS, self._look, args=(consumer,)),
            consumer.timer.call_repeatedly(self._config.gone_after / BEATS, lambda: self._beat(consumer, self._nodes)),
        ]

    def stop(self, consumer: Any) -> None:
        while self._timers:
            self._timers.pop().cancel()

    def _look(self, consumer: Any) -> None:
        """Serve the nodes that the fleet has now; if nobody says which, change nothing."""
        if self._config.fleet is None:
            return
        try:
            wanted = self._broker.fleet(self._config.fleet)
        except (RedisError, OSError) as error:
            logger.warning("The nodes of fleet %s can't be read: %s", self._config.fleet, error)
            return
        if wanted is None:
            return
        shares.serve(wanted)
        if wanted.keys() == self._nodes:
            return
        new = frozenset(wanted) - self._nodes
        for node in sorted(new):
            consumer.add_task_queue(node_queue(node))
        for node in sorted(self._nodes - wanted.keys()):
            consumer.cancel_task_queue(node_queue(node))
        self._nodes = frozenset(wanted)
        logger.info("Fleet %s: serving %d nodes.", self._config.fleet, len(wanted))
        self._beat(consumer, new)

    def _beat(self, consumer: Any, nodes: frozenset[str]) -> None:
        places = consumer.pool.num_processes
        lack = self._look_for_room()
        held = shares.held()
        beats = {}
        for node in nodes:
            others = held.total() - held[node_queue(node)]
            try:
                memory = NodeMemory(self._config.state, node)
                beats[node] = sealed_heartbeat(
                    memory, self._config.keys, node, places, max(0, places - others), lack, self._config.fleet or ""
                )
            except (FuelwebError, OSError) as error:
                # This one without a sign of life, and so without work: it counts as offline. The others go on.
                self._say_once(node, str(error))
            else:
                self._unserved.pop(node, None)
        try:
            self._broker.beat(beats, self._config.gone_after)
        except (RedisError, OSError) as error:
            logger.warning("No sign of life could be left: %s", error)

    def _say_once(self, node: str, why: str) -> None:
        if self._unserved.get(node) != why:
            self._unserved[node] = why
            logger.error("Node %s can't be served, and counts as offline until this is mended: %s", node, why)

    def _look_for_room(self) -> str:
        """What keeps all nodes of this agent from starting anything; told in the log when it comes and goes."""
        lack = self._room.lack()
        if lack and not self._lack:
            logger.warning("Nothing new is started, until there is room: %s.", lack)
        elif self._lack and not lack:
            logger.info("There is room again.")
        self._lack = lack
        return lack


def sealed_heartbeat(memory: NodeMemory, keys: NodeKeys, node: str, places: int, free: int, lack: str = "", fleet: str = "") -> bytes:
    """A node's heartbeat. The outcome goes along only if it is that of the attempt last started."""
    number, sealed = memory.highest(), memory.outcome()
    try:
        outcome = keys.open_report(node, sealed) if sealed else None
    except Unreadable:
        outcome = None
    if outcome is not None and outcome.key.number != number:
        outcome = None
    return keys.seal_heartbeat(Heartbeat(node, number, outcome, places, free, lack, fleet))
