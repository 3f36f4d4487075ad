"""The real services from the request to the end of a deployment; only the agents' work is made up. One process, its own clock."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deployments.core.time_limit import no_limit
from deployments.dispatch import Order
from deployments.models import Cluster, Graph, Node, Release
from deployments.services.clock import moment
from deployments.services.lifecycle import DeployOptions, request_deploy, request_stop
from deployments.services.owned import OwnedTransaction
from deployments.services.ownership import give_back
from deployments.services.planning import plan_next
from deployments.services.preview import Shown, preview_deploy
from deployments.services.tools import Tools
from deployments.wire.memory_broker import MemoryBroker
from deployments.wire.messages import Heartbeat, Report
from deployments.wire.sealing import NodeKeys
from history import queries as history
from history import recorder
from history.models import TaskRun, Transaction

MOST_ROUNDS = 500

Row = tuple[str, str, str]
"""Task/node, status, reason."""


@dataclass
class Orders:
    """Takes what would go through Celery."""

    orders: list[Order] = field(default_factory=list)

    def send_orders(self, orders: Sequence[Order]) -> None:
        """Keep them for the agents."""
        self.orders += orders

    def take(self) -> list[Order]:
        """What was sent since the last time."""
        taken, self.orders = self.orders, []
        return taken

    def ask_for_plan(self, parent_id: int) -> None:
        """The planner is called by hand here."""

    def wake_orchestrator(self, parent_id: int) -> None:
        """The owner is called by hand here."""

    def waiting(self, node: str) -> int:
        """How many orders wait for this node (its agent takes them at once)."""
        return sum(order.key.node == node for order in self.orders)


class Time:
    """Goes on by ten milliseconds whenever somebody looks."""

    def __init__(self) -> None:
        self._now = 1_800_000_000.0

    def seconds(self) -> float:
        self._now += 0.01
        return self._now

    def now(self) -> datetime:
        return moment(self.seconds())


class System:
    """Planner, owner, broker, and agents that do as they are told."""

    def __init__(self) -> None:
        self.time, self.orders, self.keys = Time(), Orders(), NodeKeys("secret")
        self.broker = MemoryBroker(self.time.seconds)
        self.tools = Tools(self.broker, self.keys, self.orders, "test", self.time)  # type: ignore[arg-type]

    def deploy(
        self, cluster: Cluster, *, fail: Collection[str] = (), stop_after: str = "", between: Any = None, **options: Any
    ) -> Transaction:
        """Deploy to the end; the request's row.

        Args:
            fail: runs (task/node) that end in error.
            stop_after: ask for a stop while this run is under way.
            between: called after the request and before its planning.
        """
        cluster.refresh_from_db()
        asked = {"actor": "ann", "reason": "", "clock": self.time, "dispatcher": self.orders}
        parent = request_deploy(cluster, DeployOptions(**options), **asked)  # type: ignore[arg-type]
        if between is not None:
            between()
        return self.run(parent, cluster, fail=fail, stop_after=stop_after)

    def run(self, parent: Transaction, cluster: Cluster, *, fail: Collection[str] = (), stop_after: str = "") -> Transaction:
        """Carry a request out to its end."""
        while parent.status in ("pending", "running"):
            plan_next(parent.id, self.tools, no_limit)
            parent.refresh_from_db()
            if parent.status in ("pending", "running"):
                self._carry_out(parent, cluster, fail, stop_after)
                parent.refresh_from_db()
        return parent

    def show(self, cluster: Cluster, **options: Any) -> Shown:
        """What a deployment would do."""
        cluster.refresh_from_db()
        return preview_deploy(cluster, DeployOptions(**options), limit=no_limit)

    def stop(self, cluster: Cluster) -> Transaction:
        """Ask for a stop; the request's row."""
        asked = {"actor": "ann", "reason": "", "clock": self.time, "broker": self.broker, "dispatcher": self.orders}
        return request_stop(cluster, **asked)  # type: ignore[arg-type]

    def _carry_out(self, parent: Transaction, cluster: Cluster, fail: Collection[str], stop_after: str) -> None:
        epoch = recorder.take(parent.id, "test", 1e6)
        assert epoch is not None
        owned = OwnedTransaction(parent, epoch, self.tools)
        for _ in range(MOST_ROUNDS):
            self._beat(cluster)
            if not owned.step():
                give_back(parent.id, epoch)
                return
            for order in self.orders.take():
                self._work(order, cluster, fail, stop_after)
            self.time.seconds()
        raise AssertionError(f"not over after {MOST_ROUNDS} rounds")

    def _beat(self, cluster: Cluster) -> None:
        names = [*cluster.nodes.values_list("uid", flat=True), f"master-{cluster.id}"]
        beats = {name: self.keys.seal_heartbeat(Heartbeat(name)) for name in names}
        self.broker.beat(beats, 60)

    def _work(self, order: Order, cluster: Cluster, fail: Collection[str], stop_after: str) -> None:
        key = order.key
        claim = self.broker.claim(key, "token", 60, self.keys.seal_report(Report(key, "started", "started")))
        if not claim.granted:
            return
        row = TaskRun.objects.get(id=key.run)
        name = f"{row.task_name}/{row.node}"
        if name == stop_after:
            self.stop(cluster)
        fails = name in fail or name in (row.transaction.rehearsal or {}).get("fail", ())
        state = "error" if fails else "ready"
        self.broker.report(key, self.keys.seal_report(Report(key, "outcome", state, "as told" if state == "error" else "", {}, 0.005)))


def a_cluster(tasks: Sequence[Mapping[str, Any]], nodes: Mapping[str, Sequence[str]], **fields: Any) -> Cluster:
    """A cluster with a graph; its nodes (uid → roles) are provisioned."""
    release = Release.objects.create(name="R", version="1", operating_system="")
    cluster = Cluster.objects.create(name="c", release=release, **fields)
    Graph.objects.create(cluster=cluster, type="default", tasks=list(tasks))
    for uid, roles in nodes.items():
        add_node(cluster, uid, roles)
    return cluster


def add_node(cluster: Cluster, uid: str, roles: Sequence[str], **fields: Any) -> Node:
    """One node more."""
    return Node.objects.create(cluster=cluster, uid=uid, roles=list(roles), **{"status": "provisioned", **fields})


def a_task(name: str, role: str = "web", **fields: Any) -> dict[str, Any]:
    """A shell task of the newest version."""
    return {"id": name, "type": "shell", "version": "2.1.0", "role": [role], "parameters": {"cmd": name}, **fields}


def edit_graph(cluster: Cluster, tasks: Sequence[Mapping[str, Any]], **fields: Any) -> None:
    """Another graph in place of the present one."""
    Graph.objects.filter(cluster=cluster).update(tasks=list(tasks), **fields)


def rows(parent: Transaction) -> list[TaskRun]:
    """Everything that was planned."""
    return list(history.task_runs(parent))


def ended(parent: Transaction) -> dict[str, str]:
    """Task/node → status."""
    return {f"{row.task_name}/{row.node}": row.status for row in rows(parent)}


def ran(parent: Transaction) -> set[str]:
    """Runs of which something was started."""
    return {f"{row.task_name}/{row.node}" for row in rows(parent) if row.attempts}


def statuses(cluster: Cluster) -> tuple[str, dict[str, str]]:
    """The cluster's status and its nodes'."""
    cluster.refresh_from_db()
    return cluster.status, dict(cluster.nodes.values_list("uid", "status"))
