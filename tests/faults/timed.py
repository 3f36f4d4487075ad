"""What happens by itself in a simulation: machines fail, Redis fails, people stop deployments; and everybody comes back."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from tests.faults.clock import Process
from tests.faults.database import nothing_unfinished

if TYPE_CHECKING:
    from tests.faults.agents import AgentHost
    from tests.faults.world import World

LOOK = 0.5


class Host(Protocol):
    """A process that can be started again."""

    process: Process

    def start(self) -> None: ...


class Timed:
    """The simulation's own hand: acts between the actors, never within."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._until = world.faults.between(20.0, 150.0)
        self._coming_back: list[Process] = []
        self._gone: list[Process] = []
        self._kept = [(copy.deepcopy(world.redis.broker._store), world.queues.copy())]
        self._no_emptying = self._no_fault_yet = True
        self.at_rest = False
        self.calm_since = 0.0
        """When the last fault could happen."""
        self._actions: dict[str, Callable[[], None]] = {
            "orchestrator killed": lambda: self._kill(world.faults.pick(world.orchestrators)),
            "orchestrator frozen": lambda: self._freeze(world.faults.pick(world.orchestrators)),
            "agent killed": lambda: self._kill(self._victim()),
            "agent frozen": lambda: self._freeze(self._victim()),
            "node cut off": self._cut_off,
            "node rebooted": self._reboot,
            "node gone for good": self._lose_node,
            "Redis unreachable": lambda: self._redis_down(5.0),
            "Redis restarted": self._restart,
            "Redis rolled back": self._roll_back,
            "Redis emptied": self._empty,
            "stop": world.operator.stop,
        }

    def start(self) -> None:
        """Faults from now on, for a while."""
        simulation = self._world.simulation
        for kind, mean in self._world.faults.pauses.items():
            self._plan(kind, mean)
        self._world.faults.strike = self._strike
        simulation.after(self._until, self._end_of_faults)
        simulation.after(LOOK, self._look)

    def _plan(self, kind: str, mean: float) -> None:
        world = self._world

        def act() -> None:
            if world.faults.on:
                self._strike(kind)
                self._plan(kind, mean)

        world.simulation.after(world.faults.random.expovariate(1 / mean), act)

    def _strike(self, kind: str) -> None:
        faults = self._world.faults
        if faults.on:
            faults.count(kind)
            self._actions[kind]()
            faults.caused(kind)

    def _look(self) -> None:
        """Start again what is dead, keep a copy of Redis, and see whether all is over."""
        world = self._world
        for agent in world.agents:
            agent.look()
        if world.redis.down_until > world.simulation.now:
            world.redis.trouble.append(world.simulation.now)
        for host in (*world.agents, *world.orchestrators, world.planner):
            process = host.process
            if not process.alive and process not in self._coming_back and process not in self._gone:
                self._coming_back.append(process)
                world.simulation.after(world.faults.between(0.1, 9.0), host.start)
        if "Redis rolled back" in world.faults.kinds and world.faults.random.random() < 0.3:
            self._kept = [*self._kept[-2:], (copy.deepcopy(world.redis.broker._store), world.queues.copy())]
        self.at_rest = not world.operator.left and nothing_unfinished()
        world.simulation.after(LOOK, self._look)

    def _end_of_faults(self) -> None:
        world = self._world
        world.faults.on = False
        self.calm_since = world.simulation.now
        world.redis.down_until = 0.0
        world.redis.cut_off.clear()
        world.simulation.tell("no more faults")

    def _victim(self) -> AgentHost:
        """An agent, preferably one with something to lose."""
        world = self._world
        running = {entry.node for entry in world.machines.journal if not entry.how}
        busy = [agent for agent in world.agents if agent.node in running and agent.process.alive]
        return world.faults.pick(busy if busy and world.faults.random.random() < 0.75 else world.agents)

    def _kill(self, host: Host) -> None:
        self._world.simulation.kill(host.process)

    def _freeze(self, host: Host) -> None:
        self._world.simulation.freeze(host.process, self._world.faults.between(0.5, 25.0))

    def _cut_off(self) -> None:
        world = self._world
        name = self._victim().process.name
        world.simulation.tell(f"{name} is cut off")
        world.redis.cut_off[name] = world.simulation.now + world.faults.between(1.0, 25.0)

    def _reboot(self) -> None:
        agent = self._victim()
        self._kill(agent)
        self._world.machines.reboot(agent.node)

    def _lose_node(self) -> None:
        if self._gone:
            return
        agent = self._victim()
        self._kill(agent)
        self._gone.append(agent.process)

    def _redis_down(self, longest: float) -> None:
        world = self._world
        world.redis.down_until = world.simulation.now + world.faults.between(0.1, longest)
        world.redis.trouble.append(world.simulation.now)

    def _restart(self) -> None:
        self._world.redis.broker.restart(empty=False)
        self._redis_down(1.0)

    def _roll_back(self) -> None:
        store, waiting = self._world.faults.pick(self._kept)
        self._world.redis.broker.restart(empty=False)
        self._world.redis.broker._store = copy.deepcopy(store)
        self._world.queues.become(waiting)
        self._redis_down(1.0)

    def _empty(self) -> None:
        self._world.redis.broker.restart(empty=True)
        self._world.queues.become({})
        self._redis_down(1.0)
