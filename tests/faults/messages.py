"""Celery's part: queues of messages that get lost, come late, come twice, or overtake each other."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

from kombu.exceptions import OperationalError

from deployments.dispatch import Order
from deployments.wire import names
from tests.faults.broker import Redis
from tests.faults.chance import Faults
from tests.faults.clock import Signal, Simulation


@dataclass
class Queues:
    """They lie in Redis, so they share its fate."""

    simulation: Simulation
    waiting: dict[str, list[object]] = field(default_factory=dict)
    signals: dict[str, Signal] = field(default_factory=dict)
    late: list[tuple[str, object]] = field(default_factory=list)
    """Messages that were delayed."""

    def put(self, queue: str, message: object, *, first: bool = False) -> None:
        """A message has arrived."""
        self.waiting.setdefault(queue, []).insert(0 if first else len(self.waiting[queue]), message)
        self.signal(queue).set()

    def take(self, queue: str) -> object:
        """The next message; whoever takes it has it, and if that one dies it is gone (early acknowledgement)."""
        while not self.waiting.get(queue):
            self.signal(queue).clear()
            self.signal(queue).wait()
        return self.waiting[queue].pop(0)

    def signal(self, queue: str) -> Signal:
        """Set while there may be messages."""
        return self.signals.setdefault(queue, Signal(self.simulation))

    def hurry(self) -> None:
        """What is late comes now (and once more when it was to come)."""
        late, self.late = self.late, []
        for queue, message in late:
            self.put(queue, message)

    def copy(self) -> dict[str, list[object]]:
        """What lies there now."""
        return copy.deepcopy(self.waiting)

    def become(self, waiting: dict[str, list[object]]) -> None:
        """Hold what was copied before."""
        self.waiting = copy.deepcopy(waiting)
        for queue in sorted(self.waiting):
            self.signal(queue).set()


class DispatcherDouble:
    """See `deployments.dispatch.Dispatcher`; one for each process."""

    def __init__(self, queues: Queues, redis: Redis, faults: Faults) -> None:
        self._queues, self._redis, self._faults = queues, redis, faults

    def send_orders(self, orders: Sequence[Order]) -> None:
        """One message each."""
        for order in orders:
            self._send(names.node_queue(order.key.node), order, f"order {order.key.node}#{order.key.number}")

    def ask_for_plan(self, parent_id: int) -> None:
        """Have a planner plan the request's next child."""
        self._send(names.PLANNER_QUEUE, parent_id, f"plan {parent_id}")

    def wake_orchestrator(self, parent_id: int) -> None:
        """Tell the orchestrators that there is something to do."""
        self._send(names.ORCHESTRATOR_QUEUE, parent_id, f"wake {parent_id}")

    def waiting(self, node: str) -> int:
        """How many messages lie in the node's queue."""
        self._reach("counting messages")
        return len(self._queues.waiting.get(names.node_queue(node), ()))

    def _send(self, queue: str, message: object, what: str) -> None:
        faults, simulation = self._faults, self._queues.simulation
        faults.at_call(what)
        self._reach(what)
        if faults.happens("sending error before"):
            raise OperationalError(f"Connection lost before sending {what}.")
        simulation.tell(f"send {what}")
        if not faults.happens("message lost"):
            self._deliver(queue, message)
            if faults.happens("message doubled"):
                simulation.after(faults.between(0.0, 8.0), lambda: self._queues.put(queue, message))
        if faults.happens("sending error after"):
            raise OperationalError(f"Connection lost after sending {what}.")

    def _deliver(self, queue: str, message: object) -> None:
        faults = self._faults
        seconds = faults.latency
        if faults.happens("message late"):
            seconds = faults.between(0.0, faults.pick((0.5, 3.0, 12.0)))
            self._queues.late = [*self._queues.late[-4:], (queue, message)]
        first = faults.happens("message overtaken")
        self._queues.simulation.after(seconds, lambda: self._queues.put(queue, message, first=first))

    def _reach(self, what: str) -> None:
        simulation = self._queues.simulation
        actor = simulation.actor
        cut_off = self._redis.cut_off.get(actor.process.name, 0.0) if actor else 0.0
        if max(self._redis.down_until, cut_off) > simulation.now:
            raise OperationalError(f"No route to Redis ({what}).")
