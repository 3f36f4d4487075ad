"""Agents: the real attempt, fence, memory and leases on a simulated node, served from a simulated queue."""

from __future__ import annotations

from pathlib import Path

from redis.exceptions import RedisError

from deployments.agent.attempt import Agent, Refused
from deployments.agent.config import AgentConfig
from deployments.agent.memory import NodeMemory
from deployments.agent.presence import sealed_heartbeat
from deployments.agent.room import Room
from deployments.dispatch import Order
from deployments.wire import names
from deployments.wire.sealing import NodeKeys
from tests.faults.broker import Line, Redis
from tests.faults.chance import Faults
from tests.faults.clock import Process, Simulation
from tests.faults.messages import DispatcherDouble, Queues

BEAT_SECONDS = 2.0
GONE_AFTER_SECONDS = 12.0


class AgentHost:
    """One node's agent, killed and started again; its disk (`state`) survives."""

    def __init__(
        self, node: str, simulation: Simulation, faults: Faults, redis: Redis, queues: Queues, keys: NodeKeys, state: Path
    ) -> None:  # fmt: skip
        self.node = node
        self._simulation, self._faults, self._redis, self._queues, self._keys = simulation, faults, redis, queues, keys
        self._state = state
        self._places = faults.pick((1, 1, 3))
        self._busy = 0
        self._starts = 0
        self.unwell: list[float] = []
        """When the agent was seen dead, stopped or cut off."""
        self.process = Process("agent none")
        self.process.alive = False

    def start(self) -> None:
        """A new process; what was in the old one's memory is gone."""
        self._starts += 1
        self._busy = 0
        rate = self._faults.between(0.8, 1.25) if self._faults.skewed else 1.0
        offset = self._faults.between(-1e6, 1e6) if self._faults.skewed else 0.0
        if self._faults.skewed:
            self._faults.counts["clocks wrong"] += 1
        self.process = Process(f"agent {self.node}", rate, offset)
        self._simulation.spawn(self.process, self._main)

    def look(self) -> None:
        """Note how the agent is now."""
        now, process = self._simulation.now, self.process
        until = max(process.frozen_until, self._redis.down_until, self._redis.cut_off.get(process.name, 0.0))
        if not process.alive or until > now:
            self.unwell.append(now)

    def _main(self) -> None:
        line = Line(self._redis, self._simulation, self._faults)
        agent = Agent(AgentConfig("", self._keys, self._state, node=self.node), line)  # type: ignore[arg-type]
        dispatcher = DispatcherDouble(self._queues, self._redis, self._faults)
        for _ in range(self._places):
            self._simulation.spawn(self.process, lambda: self._serve(agent, dispatcher))
        self._beat(line)

    def _serve(self, agent: Agent, dispatcher: DispatcherDouble) -> None:
        queue = names.node_queue(self.node)
        while True:
            order = self._queues.take(queue)
            assert isinstance(order, Order)
            self._faults.at_call("taking a message")
            self._busy += 1
            self._carry_out(agent, dispatcher, order)
            self._busy -= 1

    def _carry_out(self, agent: Agent, dispatcher: DispatcherDouble, order: Order) -> None:
        try:
            _, wake = agent.attempt(order.key, order.sealed)
        except Refused as refusal:
            self._simulation.tell(f"refused {order.key.node}#{order.key.number}: {refusal}")
            return
        if wake:
            try:
                dispatcher.wake_orchestrator(order.key.transaction)
            except Exception as error:  # noqa: BLE001 - as ChordOfOne: a lost wake-up must not fail the header
                self._simulation.tell(f"no wake-up: {error}")

    def _beat(self, line: Line) -> None:
        memory, room = NodeMemory(self._state, self.node), Room(self._state)
        while True:
            body = sealed_heartbeat(memory, self._keys, self.node, self._places, max(0, self._places - self._busy), room.lack())
            try:
                line.beat({self.node: body}, GONE_AFTER_SECONDS)
            except (RedisError, OSError):
                pass
            self._simulation.sleep(BEAT_SECONDS)
