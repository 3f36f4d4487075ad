"""An owner driven by hand on the real database and the real Redis; the test plays the agents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from deployments.core.time_limit import no_limit
from deployments.dispatch import Dispatcher, Order
from deployments.models import Cluster, Graph, Node, Release
from deployments.services import planning
from deployments.services.clock import SystemClock
from deployments.services.lifecycle import DeployOptions, request_deploy, request_stop
from deployments.services.orchestrator import Orchestrator
from deployments.services.tools import Patience, Tools
from deployments.wire.messages import Heartbeat, Report
from deployments.wire.redis_broker import RedisBroker
from deployments.wire.sealing import NodeKeys
from fuelweb.celery import app
from history.models import TaskRun, Transaction

PATIENCE = Patience(ownership=30, lease=0.5, first_heartbeat=0.5, resend=0.2, look=0.02)


class Sent(Dispatcher):
    """Sends for real, and remembers what it sent so that the test can play the agent."""

    def __init__(self) -> None:
        super().__init__(app)
        self.orders: list[Order] = []

    def send_orders(self, orders: Sequence[Order]) -> None:
        super().send_orders(orders)
        self.orders += orders


@dataclass
class World:
    """A cluster, an orchestrator, and hands for its agents."""

    broker: RedisBroker
    cluster: Cluster
    sent: Sent = field(default_factory=Sent)
    keys: NodeKeys = field(default_factory=lambda: NodeKeys("test"))

    def __post_init__(self) -> None:
        self.tools = Tools(self.broker, self.keys, self.sent, "orchestrator-1", patience=PATIENCE)
        self.orchestrator = Orchestrator(self.tools)

    def another_orchestrator(self) -> Orchestrator:
        """One more, with the same tools under another name."""
        return Orchestrator(Tools(self.broker, self.keys, self.sent, "orchestrator-2", patience=PATIENCE))

    def deploy(self, *graph_types: str) -> Transaction:
        """Ask for it and plan it."""
        options = DeployOptions(graph_types=graph_types or ("default",))
        parent = request_deploy(self.cluster, options, actor="ann", reason="", clock=SystemClock(), dispatcher=self.sent)
        return parent

    def plan(self, parent: Transaction) -> None:
        """What a planner does with the message."""
        planner = Tools(self.broker, self.keys, self.sent, "planner-1", patience=PATIENCE)
        assert planning.plan_next(parent.id, planner, no_limit)

    def stop(self) -> Transaction:
        """Ask for a stop."""
        return request_stop(self.cluster, actor="bob", reason="tea", clock=SystemClock(), broker=self.broker, dispatcher=self.sent)

    def beat(self, *uids: str) -> None:
        """Signs of life."""
        self.broker.beat({uid: self.keys.seal_heartbeat(Heartbeat(uid)) for uid in uids}, 60)

    def claim(self, lease_seconds: float = 60.0) -> list[Order]:
        """Agents claim everything that was sent; what was granted."""
        granted = []
        while self.sent.orders:
            order = self.sent.orders.pop(0)
            started = self.keys.seal_report(Report(order.key, "started", "started"))
            if self.broker.claim(order.key, "token", lease_seconds, started).granted:
                granted.append(order)
        return granted

    def end(self, orders: Sequence[Order], state: str = "ready", reason: str = "") -> None:
        """These attempts end like that."""
        for order in orders:
            self.broker.report(order.key, self.keys.seal_report(Report(order.key, "outcome", state, reason, {}, 0.1)))  # type: ignore[arg-type]

    def status(self, parent: Transaction) -> dict[str, str]:
        """By `task/node`."""
        rows = TaskRun.objects.filter(transaction__parent=parent)
        return {f"{task}/{node}": status for task, node, status in rows.values_list("task_name", "node", "status")}


@pytest.fixture
def world(transactional_db: None, clean_redis: str) -> Iterator[World]:
    """Two nodes; `first` runs on both, then `second`, which waits for `first` on both."""
    release = Release.objects.create(name="r", version="1")
    cluster = Cluster.objects.create(name="c", release=release)
    for uid in ("1", "2"):
        Node.objects.create(uid=uid, cluster=cluster, roles=["web"], status="provisioned")
    first = {"id": "first", "type": "shell", "version": "2.1.0", "role": ["*"], "parameters": {"cmd": "true"}}
    second = {**first, "id": "second", "cross-depends": [{"name": "first", "role": "*"}]}
    Graph.objects.create(cluster=cluster, type="default", tasks=[first, second])
    Graph.objects.create(cluster=cluster, type="after", tasks=[{**first, "id": "third"}])
    broker = RedisBroker(clean_redis)
    yield World(broker, cluster)
    broker.close()
