"""What would run is planned in a process of its own, which is ended when it takes too much."""

from __future__ import annotations

import os
from threading import BoundedSemaphore
from typing import Any

import pytest
import yaml
from rest_framework.test import APIClient

from deployments.models import Cluster, Graph
from deployments.services import apart
from deployments.services.apart import Unavailable
from history.models import Transaction
from tests.integration.api.conftest import TASK, body


@pytest.fixture(autouse=True)
def same_database(system_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The process works on the test's database."""
    for name in ("DATABASE_URL", "DJANGO_SETTINGS_MODULE", "REDIS_URL"):
        monkeypatch.setitem(os.environ, name, system_env[name])


def ask(api: APIClient, cluster: Cluster, query: str = "", **headers: str) -> Any:
    return api.get(f"/api/v1/clusters/{cluster.id}/serialized_tasks/?{query}", headers=headers or None)


def test_the_plan_is_shown_and_nothing_is_written(api: APIClient, cluster: Cluster) -> None:
    answer = ask(api, cluster, "nodes=1&tasks=second")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    shown = yaml.safe_load(body(answer))
    assert [(task["id"], task["type"], task["requires"]) for task in shown["tasks_graph"]["1"]] == [
        ("first", "skipped", []), ("second", "shell", [{"name": "first", "node_id": "1"}]),
    ]  # fmt: skip
    in_yaml = ask(api, cluster, "nodes=1&tasks=second", accept="application/x-yaml")
    assert yaml.safe_load(body(in_yaml)) == shown
    assert not Transaction.objects.exists()


def test_what_is_wrong_with_the_graph_is_told(api: APIClient, cluster: Cluster) -> None:
    Graph.objects.filter(cluster=cluster).update(tasks=[{**TASK, "requires": ["second"]}, {**TASK, "id": "second", "requires": ["first"]}])
    answer = ask(api, cluster)
    assert answer.status_code == 400
    assert "wait for each other" in answer.json()["message"]


def test_too_much_at_once_is_sent_away(api: APIClient, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    places = BoundedSemaphore(1)
    monkeypatch.setattr(apart, "_places", places)
    places.acquire()
    answer = ask(api, cluster)
    assert answer.status_code == 503
    assert "busy" in answer.json()["message"] and answer["Retry-After"] == "5"
    places.release()
    assert ask(api, cluster).status_code == 200


def test_a_plan_without_end_is_given_up(api: APIClient, cluster: Cluster) -> None:
    # Found out by trying every way to match: far beyond any patience.
    endless = {**TASK, "id": "last", "requires": ["/(a|a)*b/"]}
    Graph.objects.filter(cluster=cluster).update(tasks=[{**TASK, "id": "a" * 60}, endless])
    with pytest.raises(Unavailable, match="longer than 4 s"):
        apart.json_of("serialized_tasks", "--", cluster.name, seconds=4)


def test_a_plan_that_takes_too_much_memory_is_given_up(cluster: Cluster) -> None:
    with pytest.raises(Unavailable):
        apart.json_of("serialized_tasks", "--", cluster.name, megabytes=30)


def test_a_name_is_never_an_option(cluster: Cluster) -> None:
    Cluster.objects.filter(id=cluster.id).update(name="--help")
    with apart.json_of("serialized_tasks", "--", "--help") as found:
        assert found.read().startswith(b'{"tasks_directory"')
