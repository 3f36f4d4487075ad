"""Orchestrators, planners and the people who ask: the real services, each in a simulated process."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress

from django.db import DatabaseError
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from deployments.core.errors import FuelwebError
from deployments.core.time_limit import no_limit
from deployments.models import Cluster
from deployments.services import planning
from deployments.services.lifecycle import DeployOptions, request_deploy, request_stop
from deployments.services.orchestrator import Orchestrator
from deployments.services.tools import Tools
from deployments.wire import names
from history.models import Transaction
from tests.faults.chance import Faults
from tests.faults.clock import Process, Signal, Simulation
from tests.faults.database import nothing_unfinished
from tests.faults.messages import Queues

TROUBLE = (DatabaseError, RedisError, OperationalError, OSError)
"""What a call may raise because something is not reached."""
TOO_EARLY = 0.05
"""How probably the operator asks for a deployment while one is under way, each time it thinks of it."""


class OrchestratorHost:
    """One orchestrator, killed and started again: its own loop, its keeper of ownership, its ear for wake-ups, its queue."""

    def __init__(self, name: str, simulation: Simulation, queues: Queues, make_tools: Callable[[str], Tools]) -> None:
        self.name = name
        self._simulation, self._queues, self._make_tools = simulation, queues, make_tools
        self._starts = 0
        self.process = Process("orchestrator none")
        self.process.alive = False

    def start(self) -> None:
        """A new process."""
        self._starts += 1
        self.process = Process(f"orchestrator {self.name}")
        self._simulation.spawn(self.process, self._main)

    def _main(self) -> None:
        tools = self._make_tools(f"{self.name}.{self._starts}")
        orchestrator = Orchestrator(tools)
        self._simulation.spawn(self.process, lambda: self._consume(orchestrator))
        orchestrator.run()

    def _consume(self, orchestrator: Orchestrator) -> None:
        """Celery's consumer: an error of a task is logged, and that is all."""
        while True:
            transaction_id = self._queues.take(names.ORCHESTRATOR_QUEUE)
            with suppress(*TROUBLE):
                orchestrator.wake(transaction_id)  # type: ignore[arg-type]


class PlannerHost:
    """One planner, killed and started again."""

    def __init__(self, simulation: Simulation, queues: Queues, make_tools: Callable[[str], Tools]) -> None:
        self._simulation, self._queues, self._make_tools = simulation, queues, make_tools
        self._starts = 0
        self.process = Process("planner none")
        self.process.alive = False

    def start(self) -> None:
        """A new process."""
        self._starts += 1
        self.process = Process("planner")
        self._simulation.spawn(self.process, self._main)

    def _main(self) -> None:
        tools = self._make_tools(f"planner.{self._starts}")
        while True:
            transaction_id = self._queues.take(names.PLANNER_QUEUE)
            with suppress(*TROUBLE):
                planning.plan_next(transaction_id, tools, no_limit)  # type: ignore[arg-type]


class Operator:
    """Deploys, stops, and deploys again; sees an error and asks once more, as a person would."""

    def __init__(self, cluster: Cluster, simulation: Simulation, faults: Faults, chance: random.Random, tools: Tools) -> None:
        self._cluster, self._simulation, self._faults, self._chance, self._tools = cluster, simulation, faults, chance, tools
        self.left = chance.choice((1, 1, 2, 3))
        self.graph_types = chance.choice((("default",), ("default",), ("default", "second")))
        self.over = Signal(simulation)
        self.process = Process("operator")

    def start(self) -> None:
        """Begin to ask."""
        self._simulation.spawn(self.process, self._deploys)

    def _deploys(self) -> None:
        while self.left:
            # Mostly when the one before is over; sometimes too early, which must be refused.
            if (nothing_unfinished() or self._chance.random() < TOO_EARLY) and self._deploy():
                self.left -= 1
            self._simulation.sleep(self._faults.between(1.0, 8.0))
        self.over.set()

    def _deploy(self) -> bool:
        """Whether a new one is under way."""
        before = self._count()
        try:
            request_deploy(
                self._cluster, DeployOptions(graph_types=self.graph_types), actor="operator", reason="", clock=self._tools.clock,
                dispatcher=self._tools.dispatcher,
            )  # fmt: skip
        except FuelwebError:
            return False
        except TROUBLE as error:
            self._simulation.tell(f"deploy: {error}")
            return self._count() > before
        return True

    def _count(self) -> int:
        """How many deployments there are or were."""
        with self._faults.spared():
            return Transaction.objects.filter(name="deploy").count()

    def stop(self) -> None:
        """Ask for a stop now."""
        self._simulation.spawn(self.process, self._stop)

    def _stop(self) -> None:
        try:
            request_stop(
                self._cluster, actor="operator", reason="", clock=self._tools.clock, broker=self._tools.broker,
                dispatcher=self._tools.dispatcher,
            )  # fmt: skip
        except (FuelwebError, *TROUBLE) as error:
            self._simulation.tell(f"stop: {error}")
