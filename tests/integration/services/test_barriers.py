"""Role by role, the engine holds steps apart by runs of its own. Nobody has written them, so nobody is shown them."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from deployments.core.time_limit import no_limit
from deployments.models import Cluster
from deployments.services.deployment_history import HistoryFilter, items, specified_items
from deployments.services.explanation import why
from deployments.services.serialized import serialized_tasks
from deployments.services.verification import verify_transaction
from history import queries as history
from history.models import Event, TaskRun, Transaction
from tests.integration.restart.system import System, a_cluster, a_task, rows

pytestmark = pytest.mark.django_db

TASKS = [
    {"id": "controller", "type": "group", "role": ["controller"], "fault_tolerance": 0},
    {"id": "compute", "type": "group", "role": ["compute"], "requires": ["controller"]},
    a_task("ctl-app", "controller"),
    a_task("cmp-app", "compute"),
]
WRITTEN = {("ctl-app", "1"), ("ctl-app", "2"), ("cmp-app", "3")}


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
def cluster() -> Cluster:
    return a_cluster(TASKS, {"1": ["controller"], "2": ["controller"], "3": ["compute"]}, task_based_deployment=False)


@pytest.fixture
def parent(system: System, cluster: Cluster) -> Transaction:
    return system.deploy(cluster)


def test_there_is_one_in_the_plan_and_its_row_is_marked(parent: Transaction) -> None:
    child = parent.children.get()
    assert list(TaskRun.objects.filter(transaction=child).exclude(type="shell").values_list("task_name", "node", "type", "status")) == [
        ("step-0001-done", "null", "barrier", "skipped")
    ]


def test_the_history_is_that_of_the_tasks(parent: Transaction) -> None:
    child = parent.children.get()
    assert {(row.task_name, row.node) for row in rows(parent)} == WRITTEN == history.run_names(child.id)
    assert {(item["task_name"], item["node_id"]) for item in items(parent, HistoryFilter()) if item["node_id"] != "-"} == WRITTEN
    assert {(item["deployment_graph_task_name"], item["node_id"]) for item in specified_items(parent, HistoryFilter())} == WRITTEN
    with connection.cursor() as cursor:
        cursor.execute("SELECT deployment_graph_task_name, node_id FROM deployment_history WHERE task_id = %s", [child.id])
        assert set(cursor.fetchall()) == WRITTEN
    assert Event.objects.filter(new="planned").get().reason == "3 task runs recorded"


def test_the_proof_holds_and_counts_the_tasks(parent: Transaction) -> None:
    proof = verify_transaction(parent.id)
    assert (proof.findings, proof.task_runs) == ([], 3)


def test_pages_show_the_tasks(parent: Transaction, admin_client: Client) -> None:
    page = admin_client.get(f"/admin/history/taskrun/?transaction__parent__id__exact={parent.id}").content.decode()
    assert "cmp-app" in page and "step-0001-done" not in page
    page = admin_client.get(f"/admin/history/transaction/{parent.id}/change/").content.decode()
    assert "role by role: the cluster is set so" in page and ">1 skipped" not in page


def test_a_preview_compares_like_with_like(parent: Transaction, cluster: Cluster, system: System) -> None:
    shown = system.show(cluster)
    assert (shown.preview.gone, shown.preview.counts()["new"], shown.order) == ((), 0, "role by role: the cluster is set so")
    out = io.StringIO()
    call_command("deploy", cluster.name, "--plan", stdout=out)
    assert "0 are gone" in out.getvalue() and "step-" not in out.getvalue()


def test_serialized_tasks_wait_for_each_other(cluster: Cluster) -> None:
    told: dict[str, list[dict[str, Any]]] = serialized_tasks(cluster, "default", None, None, no_limit)["tasks_graph"]
    assert "step-" not in json.dumps(told)
    [compute] = told["3"]
    assert compute["requires"] == [{"name": "ctl-app", "node_id": "1"}, {"name": "ctl-app", "node_id": "2"}]


def test_why_names_what_a_step_waits_for(cluster: Cluster, system: System) -> None:
    asked: list[str] = []
    work = system._work

    def ask_first(*order: Any) -> None:
        asked.append(why(Transaction.objects.get(parent__isnull=False).id, "cmp-app/3"))
        work(*order)

    system._work = ask_first  # type: ignore[method-assign]
    system.deploy(cluster)
    assert asked[0].startswith("cmp-app/3 waits for ctl-app/1 (dispatched) and ctl-app/2 (dispatched)")
    assert not any("step-" in sentence for sentence in asked)
