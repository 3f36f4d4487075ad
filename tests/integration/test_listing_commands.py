"""What people see of clusters, nodes and transactions on their terminals."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import CommandError
from django.test import override_settings

from deployments.management import watch
from deployments.models import Cluster, Node, Release
from deployments.wire.sealing import NodeKeys
from history.models import Transaction
from tests.integration.api.test_commands import run

pytestmark = pytest.mark.django_db


def shop() -> Cluster:
    release = Release.objects.create(name="r", version="1")
    cluster = Cluster.objects.create(name="shop", release=release)
    Node.objects.create(uid="web-1", cluster=cluster, roles=["web"], pending_roles=["web", "cache"], status="ready")
    Node.objects.create(uid="web-2", cluster=cluster, tags=["db"], status="error", error_msg="no room left")
    Cluster.objects.create(name="empty", release=release)
    return cluster


def test_clusters_and_how_their_nodes_stand() -> None:
    assert "load_cluster" in run("clusters")
    shop()
    assert [(row["name"], row["nodes"]) for row in json.loads(run("clusters", "--format", "json"))] == [
        ("shop", {"error": 1, "ready": 1}), ("empty", {}),
    ]  # fmt: skip
    assert "1 error, 1 ready" in run("clusters")


def test_the_nodes_of_a_cluster() -> None:
    shop()
    rows = json.loads(run("clusters", "shop", "--format", "json"))
    assert [(row["uid"], row["roles"], row["tags"], row["status"], row["error"]) for row in rows] == [
        ("web-1", ["web", "cache"], [], "ready", ""), ("web-2", [], ["db"], "error", "no room left"),
    ]  # fmt: skip
    assert "web, cache" in run("clusters", "shop")
    assert "has no nodes" in run("clusters", "empty")
    with pytest.raises(CommandError, match="shopp"):
        run("clusters", "shopp")


@override_settings(FUELWEB_WIRE_SECRET="hidden")
def test_a_node_key_opens_what_is_sealed_for_that_node() -> None:
    said = run("node_key", "web-1").strip()
    assert bytes.fromhex(said) == NodeKeys("hidden").key("web-1") != NodeKeys("hidden").key("web-2")


def deployed(**fields: Any) -> Transaction:
    common = {"name": "deploy", "cluster_id": 1, "cluster_name": "shop", "actor": "ann", "created_at": datetime(2020, 1, 2, tzinfo=UTC)}
    return Transaction.objects.create(**common | fields)


def test_transactions_fit_a_narrow_terminal() -> None:
    assert run("transactions", "list") == "There are no such transactions.\n"
    begun = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    parent = deployed(status="ready", time_start=begun, time_end=begun.replace(second=17), progress=100)
    deployed(parent=parent, name="deployment", graph_type="after", status="running", progress=40, time_start=begun)
    shown = run("transactions", "show", parent.id)
    assert "01-02 03:04:05" in shown and "12.0 s" in shown and "deployment after" in shown and "running 40 %" in shown
    assert max(len(line) for line in shown.splitlines() if "uuid" not in line) <= 100


def test_deleted_transactions_are_marked() -> None:
    deleted = deployed(status="ready", deleted_at=datetime(2020, 1, 3, tzinfo=UTC))
    kept = deployed(status="ready")
    said = {row["id"]: row["deleted_at"] for row in json.loads(run("transactions", "list", "--format", "json"))}
    assert said == {deleted.id: "2020-01-03T00:00:00", kept.id: None}
    assert run("transactions", "list").count("ready, deleted") == 1
    assert "deleted_at: 2020-01-03T00:00:00" in run("transactions", "show", deleted.id)


def test_what_never_came_to_tasks_is_not_said_to_be_well() -> None:
    parent = deployed(status="error", message="Task a requires itself.")
    assert "Task a requires itself." in run("history", parent.id)
    assert "There are no such task runs." in run("history", deployed(status="ready").id)


def test_who_stops_watching_is_told_that_it_goes_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    parent = deployed(status="running")

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("deployments.management.watch.time.sleep", interrupted)
    assert watch.watch(parent.id) == 130
    assert f"Transaction {parent.id} goes on." in capsys.readouterr().out
