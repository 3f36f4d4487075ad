"""One seed: a cluster, its agents, two orchestrators, a planner and an operator; faults for a while; then it must all come to rest."""

from __future__ import annotations

import logging
import random
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from time import process_time
from typing import Any
from unittest.mock import patch

from deployments.agent import attempt, fence, leases, memory, room, steady
from deployments.core.plan import MASTER_NODE
from deployments.core.time_limit import Limit
from deployments.models import Cluster, Graph, Node, Release
from deployments.services import orchestrator, ownership, planning, wakes
from deployments.services.child import wire_name
from deployments.services.clock import moment
from deployments.services.tools import Patience, Tools
from deployments.wire.sealing import NodeKeys
from history import recorder
from history.models import Transaction
from history.recorder import locking
from tests.faults import checks
from tests.faults.agents import AgentHost
from tests.faults.broker import Line, Redis
from tests.faults.chance import Faults
from tests.faults.clock import Simulation, threading_module, time_module
from tests.faults.database import Database
from tests.faults.disks import Disks
from tests.faults.graphs import random_plan
from tests.faults.machines import LocalDouble, Machines
from tests.faults.messages import DispatcherDouble, Queues
from tests.faults.orchestrators import TROUBLE, Operator, OrchestratorHost, PlannerHost
from tests.faults.rows import Rows
from tests.faults.timed import Timed
from tests.faults.verdict import Verdict

PATIENCE = Patience(
    ownership=6.0, lease=6.0, first_heartbeat=3.0, resend=3.0, claim=150.0, deadline_grace=4.0, look=2.0, planning=4.0
)  # fmt: skip
BOUND = 3600.0
"""Virtual seconds after which everything must have come to rest."""
KEYS = NodeKeys("simulated")


class VirtualClock:
    """The clock of a service's machine: other than the broker's by so many seconds."""

    def __init__(self, simulation: Simulation, wrong: float) -> None:
        self._simulation, self._wrong = simulation, wrong

    def now(self) -> datetime:
        """The present virtual moment."""
        return moment(self._simulation.now + self._wrong)


class World:
    """Everything that one seed has."""

    def __init__(self, seed: int, simulation: Simulation, faults: Faults, rows: Rows, state: Path) -> None:
        self.simulation, self.faults, self.rows = simulation, faults, rows
        self.disks = Disks(seed, simulation, faults)
        self.seed = seed
        self.chance = random.Random(f"structure {seed}")
        self.redis, self.queues, self.machines = Redis(simulation), Queues(simulation), Machines(simulation)
        self.redis.hurry = self.queues.hurry
        self.cluster = self._make_cluster()
        self.troubled = self.chance.random() < 0.4
        uids = tuple(Node.objects.order_by("id").values_list("uid", flat=True))
        self.uids = (*uids, MASTER_NODE) if self.chance.random() < 0.2 else uids
        self.agents = [
            AgentHost(wire_name(uid, self.cluster.id), simulation, faults, self.redis, self.queues, KEYS, state) for uid in self.uids
        ]
        self.orchestrators = [OrchestratorHost(name, simulation, self.queues, self.tools) for name in ("A", "B")]
        self.planner = PlannerHost(simulation, self.queues, self.tools)
        self.operator = Operator(self.cluster, simulation, faults, self.chance, self.tools("operator"))
        self.timed = Timed(self)

    def tools(self, owner: str) -> Tools:
        """The tools of one process."""
        line: Any = Line(self.redis, self.simulation, self.faults)
        dispatcher: Any = DispatcherDouble(self.queues, self.redis, self.faults)
        return Tools(line, KEYS, dispatcher, owner, VirtualClock(self.simulation, self._wrong(owner)), PATIENCE)

    def _wrong(self, owner: str) -> float:
        """By how many seconds the clock of this process' machine is wrong: always the same for the same process of the same seed."""
        return random.Random(f"{self.seed}{owner}").choice([-2.0, -0.5, 0.0, 0.0, 0.5, 2.0])

    def make_plan(self, parent: Transaction, child: Transaction, ledger: recorder.Ledger, tools: Tools, limit: Limit) -> None:
        """In place of planning a graph: any plan will do."""
        plan = random_plan(self.chance, self.uids, troubled=self.troubled)
        rows = [recorder.PlannedRun(run.node, run.task, run.type) for run in plan.runs]
        recorder.record_plan(ledger, child.id, rows, {"plan": plan.to_data()}, tools.clock.now)

    def run(self) -> bool:
        """Whether it came to rest."""
        for host in (*self.agents, *self.orchestrators, self.planner, self.operator):
            host.start()
        self.timed.start()
        self.rows.start()
        self.disks.start(self)
        return self.simulation.run_until(lambda: self.timed.at_rest, BOUND)

    def _make_cluster(self) -> Cluster:
        release = Release.objects.create(name="simulated", version="1")
        cluster = Cluster.objects.create(name="simulated", release=release)
        for number in range(1, self.chance.randint(1, 5) + 1):
            Node.objects.create(uid=str(number), name=f"node-{number}", cluster=cluster, status="provisioned", roles=["any"])
        for kind in ("default", "second"):
            Graph.objects.create(type=kind, cluster=cluster, tasks=[{"id": "any", "type": "stage"}])
        return cluster


def simulate(seed: int, database: Database, *, quiet: bool = False, story: Callable[[str], None] | None = None) -> Verdict:
    """Play one seed from its beginning to its end, and judge it."""
    began = process_time()
    simulation = Simulation()
    simulation.story = story
    faults = Faults(seed, simulation, quiet=quiet)
    rows = Rows(seed, simulation, faults)
    verdict = Verdict(seed, faults=faults.counts, kinds=faults.kinds)
    with ExitStack() as stack:
        state = stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        stack.enter_context(database.of(simulation, faults, rows))
        stack.enter_context(_alarms(verdict.findings, simulation, faults))
        world = World(seed, simulation, faults, rows, Path(state))
        stack.enter_context(_in_place(world))
        try:
            at_rest = world.run()
        finally:
            simulation.close()
        verdict.findings += [f"CRASH: {crash}" for crash in simulation.crashes]
        if not at_rest:
            verdict.findings.append(f"It did not come to rest within {BOUND:g} s.")
        verdict.findings += checks.judge(world)
        verdict.runs = len(world.machines.journal)
        verdict.ends.update(Transaction.objects.filter(name="deploy").values_list("status", flat=True))
        verdict.seconds, verdict.cpu = simulation.seconds, process_time() - began
        if story:
            checks.tell_log(story)
    return verdict


@contextmanager
def _in_place(world: World) -> Iterator[None]:
    """The real modules get the virtual clock, actors for threads, and simulated machines."""
    simulation = world.simulation
    time, threads = time_module(simulation), threading_module(simulation, threading)
    LocalDouble.machines, LocalDouble.simulation, LocalDouble.faults = world.machines, simulation, world.faults
    with ExitStack() as stack:
        for module in (attempt, memory, steady, wakes, ownership, orchestrator):
            stack.enter_context(patch.object(module, "time", time))
        for module in (leases, wakes, ownership, orchestrator):
            stack.enter_context(patch.object(module, "threading", threads))
        stack.enter_context(patch.object(memory, "os", world.disks.os_module()))
        stack.enter_context(patch.object(room, "_lack", world.disks.lack))
        stack.enter_context(patch.object(attempt, "Local", LocalDouble))
        stack.enter_context(patch.object(orchestrator, "FLEETS_EVERY", 60.0))
        stack.enter_context(patch.object(fence, "processes", world.machines.processes_module()))
        stack.enter_context(patch.object(planning, "_make", world.make_plan))
        stack.enter_context(patch.object(locking, "skip_locked", world.rows.skip_locked))
        yield


class _Alarm(logging.Handler):
    """Errors that the services did not expect are findings; what is only unreachable is none."""

    def __init__(self, findings: list[str], simulation: Simulation, faults: Faults) -> None:
        super().__init__(logging.WARNING)
        self._findings, self._simulation, self._faults = findings, simulation, faults

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._simulation.tell(f"log: {record.getMessage()}{f' ({error!r})' if error else ''}")
        if error is not None and not isinstance(error, TROUBLE) and self._owns(record):
            self._findings.append(f"Unexpected at {self._simulation.seconds:.3f}: {record.getMessage()} {error!r}")

    def _owns(self, record: logging.LogRecord) -> bool:
        """Whoever has lost the transaction while it was stalled may be refused by a table of states before it is by its epoch."""
        actor, about = self._simulation.actor, record.args
        if actor is None or not isinstance(about, tuple) or not about:
            return True
        with self._faults.spared():
            owner = Transaction.objects.filter(id=about[0], owner_until__isnull=False).values_list("owner", flat=True).first() or ""
        return actor.process.name == f"orchestrator {owner.partition('.')[0]}"


@contextmanager
def _alarms(findings: list[str], simulation: Simulation, faults: Faults) -> Iterator[None]:
    handler, logger = _Alarm(findings, simulation, faults), logging.getLogger("deployments")
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
