"""Two clusters with nodes and a past, for the pages of the admin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from deployments.models import Cluster, Graph, Node, Release
from history.models import Attempt, Event, TaskRun, Transaction

TASK = {"id": "a", "type": "shell", "version": "2.1.0", "role": ["*"], "parameters": {"cmd": "true"}}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def clusters() -> tuple[Cluster, Cluster]:
    """Two clusters, each with nodes and a past."""
    release = Release.objects.create(name="r", version="r-1")
    for name in ("own", "other"):
        cluster = Cluster.objects.create(name=name, release=release)
        Graph.objects.create(cluster=cluster, tasks=[TASK])
        for number, status in enumerate(("provisioned", "ready", "discover")):
            Node.objects.create(uid=f"{name}-{number}", cluster=cluster, roles=["web"], status=status)
        parent = past(cluster)
        run = TaskRun.objects.create(
            transaction=past(cluster, parent), position=0, node=f"{name}-0", task_name="a", type="shell", status="error", time_start=NOW,
            attempts=1, reason="It <failed>.", summary={"output": "some <output>\n", "exit_code": 1},
        )  # fmt: skip
        Attempt.objects.create(run=run, attempt=1, node=run.node, number=1, status="error", dispatched_at=NOW)
        Event.objects.create(transaction=parent, seq=1, at=NOW, actor="me", subject="run", node=run.node, old="running", new="error")
    own, other = Cluster.objects.order_by("id")
    return own, other


def past(cluster: Cluster, parent: Transaction | None = None) -> Transaction:
    """A finished deployment of it, or its graph."""
    return Transaction.objects.create(
        name="deployment" if parent else "deploy", parent=parent, cluster_id=cluster.id, cluster_name=cluster.name, status="error",
        actor="ann", reason="for a change", created_at=NOW, time_start=NOW, time_end=NOW + timedelta(minutes=3), recorded_at=NOW,
    )  # fmt: skip
