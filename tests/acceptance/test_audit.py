"""The specification's acceptance: several deployments were made, and what was done is listed per run, per cluster and per node."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import User
from django.core.management import call_command
from rest_framework.test import APIClient

from fuelweb.supervisor import Supervisor
from history.models import Transaction
from tests.acceptance.fuel_commands import until

TASKS = [
    {"id": "install", "type": "shell", "version": "2.1.0", "roles": ["web"], "parameters": {"cmd": "true", "retries": 0}},
    {"id": "start", "type": "shell", "version": "2.1.0", "roles": ["web"], "requires": ["install"],
     "parameters": {"cmd": "true", "retries": 0}},
]  # fmt: skip
BROKEN = [TASKS[0], {**TASKS[1], "parameters": {"cmd": "echo no room left; exit 3", "retries": 0}}]


def manage(*arguments: object) -> str:
    output = StringIO()
    call_command(*map(str, arguments), stdout=output)
    return output.getvalue()


def listed(*arguments: object) -> list[dict[str, Any]]:
    """What a command shows, as data."""
    return json.loads(manage(*arguments, "--format", "json"))


@pytest.fixture
def api(transactional_db: None) -> APIClient:
    client = APIClient(headers={"accept": "application/json"})
    client.force_authenticate(User.objects.create_superuser("auditor"))
    return client


def asked(api: APIClient, address: str) -> list[dict[str, Any]]:
    """What the API answers."""
    answer = api.get(f"/api/v1/{address}")
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert answer.status_code == 200, body
    return json.loads(body)


def deploy(cluster: str, graph: list[dict[str, Any]], folder: Path, reason: str) -> Transaction:
    """Give the cluster this graph and run it to the end."""
    file = folder / "tasks.yaml"
    file.write_text(yaml.safe_dump(graph), encoding="utf-8")
    manage("graph", "upload", "--cluster", cluster, file)
    manage("deploy", cluster, "--reason", reason, "--force")
    row = Transaction.objects.filter(name="deploy").latest("id")
    until(lambda: not Transaction.objects.filter(id=row.id, status__in=("pending", "running")).exists())
    row.refresh_from_db()
    return row


def test_what_was_done_is_listed_per_run_per_cluster_and_per_node(running_system: Supervisor, api: APIClient, tmp_path: Path) -> None:
    for cluster, uids in (("shop", ["1", "2"]), ("bank", ["3"])):
        described = {"name": cluster, "nodes": [{"uid": uid, "roles": ["web"]} for uid in uids]}
        (tmp_path / "cluster.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
        manage("load_cluster", tmp_path / "cluster.yaml")
    good = deploy("shop", TASKS, tmp_path, "the first time")
    bad = deploy("shop", BROKEN, tmp_path, "a new version")
    again = deploy("shop", TASKS, tmp_path, "back to the old one")
    other = deploy("bank", TASKS, tmp_path, "another cluster")
    assert [row.status for row in (good, bad, again, other)] == ["ready", "error", "ready", "ready"]

    _per_run(api, good, bad)
    _per_cluster(api, [again, bad, good], other)
    _per_node(api, [again, bad, good])
    for row in (good, bad, again, other):
        assert "0 findings" in manage("verify", row.id)


def _per_run(api: APIClient, good: Transaction, bad: Transaction) -> None:
    """Every task on every node of one deployment; the command and the API tell the same."""
    planned = {(task, uid) for task in ("install", "start") for uid in "12"}
    for row in (good, bad):
        by_command = listed("deployment_tasks", "--task-id", row.id)
        assert by_command == asked(api, f"transactions/{row.id}/deployment_history/")
        assert {(item["task_name"], item["node_id"]) for item in by_command} == planned
    assert {item["status"] for item in listed("deployment_tasks", "--task-id", good.id)} == {"ready"}
    of_one = listed("deployment_tasks", "--task-id", good.id, "--node-id", "1", "--status", "error,ready")
    assert of_one == asked(api, f"transactions/{good.id}/deployment_history/?nodes=1&statuses=error,ready")
    assert [(item["task_name"], item["node_id"]) for item in of_one] == [("install", "1"), ("start", "1")]
    # On one node or on both, as the other had begun or not.
    failed = listed("deployment_tasks", "--task-id", bad.id, "--status", "error", "--include-summary")
    assert {(item["task_name"], item["summary"]["output"]) for item in failed} == {("start", "no room left\n")}
    assert "start" in manage("failures", bad.id)


def _per_cluster(api: APIClient, of_shop: list[Transaction], other: Transaction) -> None:
    """All deployments of one cluster, newest first, and none of another."""
    rows = listed("transactions", "list", "--cluster", "shop", "--types", "deploy")
    assert [(row["id"], row["status"]) for row in rows] == [(row.id, row.status) for row in of_shop]
    by_api = asked(api, f"transactions/?cluster_id={of_shop[0].cluster_id}&transaction_types=deploy")
    assert [(row["id"], row["reason"]) for row in by_api] == [(row.id, row.reason) for row in of_shop]
    assert [row["id"] for row in asked(api, f"transactions/?cluster_id={other.cluster_id}&transaction_types=deploy")] == [other.id]


def _per_node(api: APIClient, of_shop: list[Transaction]) -> None:
    """All that was ever started on one node: when, which task, how it ended, by which deployment, who asked and why."""
    by_api = asked(api, "nodes/1/history/")
    by_command = listed("node_history", "1")
    told = ("time_start", "task_name", "status", "request", "actor", "why")
    assert [[row[name] for name in told] for row in by_command] == [[row[name] for name in told] for row in by_api]
    assert list(dict.fromkeys(row["request"] for row in by_api)) == [row.id for row in of_shop]
    assert {row["request"]: row["why"] for row in by_api} == {row.id: row.reason for row in of_shop}
    assert [row["task_name"] for row in by_api if row["request"] == of_shop[0].id] == ["start", "install"]
    assert "back to the old one" in manage("node_history", "1")
