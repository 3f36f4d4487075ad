"""The commands that ask what the API asks."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from history.models import Transaction
from tests.integration.api.test_history import parent

__all__ = ["parent"]


def run(*arguments: Any) -> str:
    output = StringIO()
    call_command(*(str(argument) for argument in arguments), stdout=output)
    return output.getvalue()


def test_deployment_tasks_as_the_specification_asks(parent: Transaction) -> None:
    shown = json.loads(run("deployment_tasks", "--task-id", parent.id, "--node-id", "1,2", "--status", "error,ready", "--format", "json"))
    assert [(item["task_name"], item["node_id"], item["status"]) for item in shown] == [
        ("first", "1", "ready"), ("first", "2", "error"), ("last", "1", "ready"),
    ]  # fmt: skip
    assert "nowhere,-,skipped,puppet,," in run("deployment_tasks", "--task-id", parent.id, "--format", "csv")
    assert "nowhere" in run("deployment_tasks", "--task-id", parent.id)
    with pytest.raises(CommandError, match="There is no status done"):
        run("deployment_tasks", "--task-id", parent.id, "--status", "done")
    with pytest.raises(CommandError, match="Transaction not found"):
        run("deployment_tasks", "--task-id", 10**6)


def test_transactions_are_listed_and_shown(parent: Transaction) -> None:
    listed = json.loads(run("transactions", "list", "--cluster", "shop", "--types", "deployment", "--format", "json"))
    assert [row["graph_type"] for row in listed] == ["after", "default"]
    assert json.loads(run("transactions", "list", "--statuses", "running", "--format", "json")) == []
    shown = json.loads(run("transactions", "show", parent.id, "--format", "json"))
    assert [row["name"] for row in shown] == ["deploy", "deployment", "deployment"]
    assert (shown[0]["reason"], shown[0]["actor"]) == ("because", "ann")
    assert "reason: because" in run("transactions", "show", parent.id)
    with pytest.raises(CommandError, match="--types does not know cooking"):
        run("transactions", "list", "--types", "cooking")
