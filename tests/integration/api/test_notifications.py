"""Notifications are written in passing, and shown."""

from __future__ import annotations

from rest_framework.test import APIClient

from deployments.core.plan import Bundle, Plan, TaskRun
from deployments.models import Cluster
from deployments.services import finish
from history.models import Transaction
from history.recorder import Ledger
from tests.integration.recorded import NOW, Recorded

PLAN = Plan(nodes=("1",), runs=(TaskRun("first", "1", "shell"),), bundles=(Bundle((0,), ()),))


def test_what_ends_and_who_comes_is_told(api: APIClient, cluster: Cluster) -> None:
    deployment = Recorded(PLAN, cluster.id)
    parent = Transaction.objects.get(id=deployment.parent.id)
    finish.end(parent, deployment.child, "error", "It broke.", Ledger(parent.id, deployment.epoch, "me", NOW))
    api.post("/api/v1/nodes/", {"mac": "aa:00:00:00:00:00", "name": "fresh"}, format="json")
    come, over = api.get("/api/v1/notifications/").json()
    assert (come["topic"], come["message"], come["cluster"]) == ("discover", "New node is discovered: fresh", None)
    assert (over["topic"], over["cluster"], over["task_id"]) == ("error", cluster.id, parent.id)
    assert over["message"] == "deploy of environment 'c' failed: It broke."
    address = f"/api/v1/notifications/{over['id']}/"
    assert api.put(address, {"status": "read"}, format="json").json()["status"] == "read"
    assert api.put(address, {"status": "eaten"}, format="json").status_code == 400
