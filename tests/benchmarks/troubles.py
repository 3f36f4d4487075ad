"""What one transaction can suffer, on a running system. Each is a context manager: trouble begins, lasts, and is over.

One more is one more function and its line in `TROUBLES`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection
from django.db.models import F

from deployments.models import Cluster, Graph, Node, Release
from deployments.services.clock import SystemClock
from deployments.services.lifecycle import DeployOptions, request_deploy
from deployments.services.rehearsal import Rehearsal
from deployments.services.setup import make_dispatcher
from fuelweb import system
from fuelweb.supervisor import Child
from history.models import Snapshot, TaskRun, Transaction
from tests.benchmarks.stage import Stage, wait_for
from tests.disks import small_disk


@dataclass
class Scene:
    """What a trouble is given: the system, and deployments to be troubled."""

    stage: Stage

    def cluster(self, name: str, nodes: int, tasks: int, **parameters: Any) -> Cluster:
        """So many shell tasks on each of so many nodes, one after the other."""
        release, _ = Release.objects.get_or_create(name="bench", version="1.0")
        cluster = Cluster.objects.create(name=name, release=release)
        for number in range(nodes):
            Node.objects.create(uid=f"{name}-{number}", cluster=cluster, roles=["worker"], status="provisioned")
        task = {"type": "shell", "version": "2.1.0", "role": ["*"], "parameters": {"cmd": "true", **parameters}}
        Graph.objects.create(cluster=cluster, type="default", tasks=[{**task, "id": f"t{number:03}"} for number in range(tasks)])
        return cluster

    def deploy(self, cluster: Cluster, seconds: float) -> Transaction:
        """Ask for a deployment in which each run takes so long; the request."""
        options = DeployOptions(force=True, rehearsal=Rehearsal(speed=1.0, durations={"*": seconds}))
        return request_deploy(cluster, options, actor="bench", reason="", clock=SystemClock(), dispatcher=make_dispatcher())

    def until_it_runs(self, parent: Transaction) -> None:
        """Wait until something of it has ended."""
        wait_for(lambda: TaskRun.objects.filter(transaction__parent=parent, status="ready").exists(), 120)


Trouble = Callable[[Scene], AbstractContextManager[Transaction]]
"""Yields the troubled request, which must end well afterwards with nobody touching anything."""


@contextmanager
def locked_row(scene: Scene) -> Iterator[Transaction]:
    """A session has changed the transaction's row and does not commit."""
    parent = scene.deploy(scene.cluster("locked", 2, 40), 0.5)
    scene.until_it_runs(parent)
    with _session("UPDATE history_transaction SET progress = progress WHERE id = %s", parent.id):
        yield parent


@contextmanager
def locked_runs(scene: Scene) -> Iterator[Transaction]:
    """A session has locked the transaction's task runs: that is seen only when something is written there."""
    parent = scene.deploy(scene.cluster("runs-locked", 2, 40), 0.5)
    scene.until_it_runs(parent)
    child = Transaction.objects.get(parent=parent)
    with _session("SELECT 1 FROM history_taskrun WHERE transaction_id = %s FOR UPDATE", child.id):
        yield parent


@contextmanager
def _session(sql: str, about: int) -> Iterator[None]:
    now = connection.settings_dict
    with psycopg.connect(
        host=now["HOST"], port=now["PORT"] or None, user=now["USER"], password=now["PASSWORD"] or None, dbname=now["NAME"],
        application_name="psql",
    ) as session:  # fmt: skip
        session.execute(sql, [about])
        yield
        session.rollback()


@contextmanager
def failing_step(scene: Scene) -> Iterator[Transaction]:
    """Each step of the transaction's owner raises: its plan can't be read."""
    parent = scene.deploy(scene.cluster("failing", 2, 40), 0.5)
    scene.until_it_runs(parent)
    plans = Snapshot.objects.filter(transaction__parent=parent, kind="plan")
    good = {plan.pk: bytes(plan.body) for plan in plans}
    plans.update(body=b"no plan")
    # The owner has it in memory: whoever takes it next has to read it.
    Transaction.objects.filter(id=parent.id).update(owner="", owner_until=None, owner_epoch=F("owner_epoch") + 1)
    yield parent
    for key, body in good.items():
        Snapshot.objects.filter(pk=key).update(body=body)


@contextmanager
def huge_parameters(scene: Scene) -> Iterator[Transaction]:
    """An expression gives 540 MB for one run: that is refused when it is planned. Afterwards the graph is mended and deployed."""
    cluster = scene.cluster("huge", 2, 4)
    good = Graph.objects.get(cluster=cluster).tasks
    huge = {"cmd": "true", "a": {"yaql_exp": "let(a => 'x' * 900000) -> range(600).select($a + str($))"}}
    Graph.objects.filter(cluster=cluster).update(tasks=[{**task, "parameters": huge} for task in good])
    refused = scene.deploy(cluster, 0.5)
    mended = Transaction(id=0)
    yield mended
    if "gives more than 64 MB" not in Transaction.objects.get(id=refused.id).message:
        raise RuntimeError("what is too large was not refused")
    Graph.objects.filter(cluster=cluster).update(tasks=good)
    mended.id = scene.deploy(cluster, 0.5).id


@contextmanager
def full_disk(scene: Scene) -> Iterator[Transaction]:
    """The fleet that serves the nodes of one cluster has its notes on a disk that is full."""
    stage = scene.stage
    with small_disk(stage.home / "small", 2048) as disk:
        cluster = scene.cluster("full", 2, 40)
        Cluster.objects.filter(id=cluster.id).update(fleet="small")
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "fleet", "--name", "small", "--state", str(disk.folder / "state")]
        fleet = Child("fleet-small", command, system.EXECUTE, {"FUELWEB_HOME": str(stage.home), "LOG_LEVEL": "WARNING"})
        stage.supervisor.start(fleet)
        parent = scene.deploy(cluster, 0.5)
        scene.until_it_runs(parent)
        disk.fill()
        yield parent
        disk.free()
        # Its disk is there until the troubled deployment is over.
        wait_for(lambda: Transaction.objects.get(id=parent.id).status not in ("pending", "running"), 300)
        fleet.wanted = False
        if fleet.process is not None:
            fleet.process.terminate()
            fleet.process.wait()


TROUBLES: dict[str, Trouble] = {
    "a full disk": full_disk,
    "a locked row": locked_row,
    "locked task runs": locked_runs,
    "a step that raises": failing_step,
    "a run with 540 MB of parameters": huge_parameters,
}
"""By what is printed of them."""
ON_POSTGRES = {"a locked row", "locked task runs"}
"""SQLite has no locks of rows: whoever writes keeps everybody else from writing."""
FOR_ROOT = {"a full disk"}
"""Only root can mount a small file system."""
