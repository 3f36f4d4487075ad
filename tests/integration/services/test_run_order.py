"""A default graph with tasks of the old format runs role by role as a whole, and everybody is told so."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from deployments.admin.transaction import TransactionAdmin
from deployments.api.shapes.transactions import TransactionSerializer
from deployments.models import Cluster, Graph, Release
from deployments.services.explanation import why
from deployments.services.graphs import upload_graph
from deployments.services.run_order import run_order
from deployments.services.standing import standing_of
from history import queries as history
from history.models import Transaction
from tests.integration.restart.system import System, a_cluster, a_task, rows

pytestmark = pytest.mark.django_db

ROLES = [
    {"id": "controller", "type": "group", "role": ["controller"], "fault_tolerance": 0, "parameters": {"strategy": {"type": "one_by_one"}}},
    {"id": "compute", "type": "group", "role": ["compute"], "requires": ["controller"]},
]
OLD = [*ROLES, a_task("ctl-app", "controller", version="1.0.0"), {**a_task("cmp-app", "compute"), "version": None}]
NEW = [*ROLES, a_task("ctl-app", "controller"), a_task("cmp-app", "compute"), {"id": "begin", "type": "stage"}]
OLD_ORDER = "role by role: tasks cmp-app and ctl-app are of the old format"


@pytest.fixture
def system() -> System:
    return System()


def make(tasks: list[dict[str, Any]], **fields: Any) -> Cluster:
    return a_cluster(tasks, {"c1": ["controller"], "c2": ["compute"]}, **fields)


def started(parent: Transaction) -> dict[str, Any]:
    return {row.task_name: row for row in rows(parent) if row.attempts}


def test_computes_wait_for_the_controllers(system: System) -> None:
    parent = system.deploy(make(OLD))
    ran = started(parent)
    assert ran["cmp-app"].dispatched_at >= ran["ctl-app"].time_end
    assert parent.arguments["order"] == parent.children.get().arguments["order"] == OLD_ORDER
    assert TransactionSerializer(parent).data["order"] == OLD_ORDER
    plan = history.snapshot(parent.children.get().id, "plan")
    assert plan["warnings"][0][0] == parent.message == parent.children.get().message
    assert "cmp-app and ctl-app" in parent.message and "2.0.0" in parent.message


def test_the_warning_is_no_reason_to_stand(system: System) -> None:
    told: list[str] = []
    work = system._work

    def ask_first(*order: Any) -> None:
        parent = history.unfinished_deploys()[0]
        told.append(f"{'as a whole' in parent.message} {standing_of(parent.id)}")
        work(*order)

    system._work = ask_first  # type: ignore[method-assign]
    system.time._now = time.time()
    system.deploy(make(OLD))
    assert told == ["True ", "True "]


def test_new_tasks_run_task_by_task(system: System) -> None:
    parent = system.deploy(make(NEW))
    ran = started(parent)
    assert ran["cmp-app"].dispatched_at < ran["ctl-app"].time_end
    assert (parent.arguments["order"], parent.message) == ("task by task", "")


def test_a_cluster_may_insist(system: System) -> None:
    parent = system.deploy(make(OLD, task_based_always=True))
    ran = started(parent)
    assert ran["cmp-app"].dispatched_at < ran["ctl-app"].time_end
    assert parent.arguments["order"] == "task by task: the cluster insists on it, although tasks cmp-app and ctl-app are of the old format"


def test_only_the_default_graph_is_meant() -> None:
    cluster = make(OLD)
    assert run_order(cluster, "upgrade", OLD).text == "task by task"
    assert run_order(cluster, "default", OLD[:3]).text == "role by role: task ctl-app is of the old format"


def test_types_that_do_nothing_need_no_version() -> None:
    idle = [{"id": name, "type": kind} for name, kind in (("a", "stage"), ("b", "skipped"), ("c", "anchor"), ("d", "noop"), ("e", "role"))]
    assert not run_order(make(idle), "default", idle).by_roles


def test_a_flag_that_is_off_tells_why() -> None:
    cluster = make(NEW, task_based_deployment=False)
    assert run_order(cluster, "default", NEW).text == "role by role: the cluster is set so"
    Release.objects.filter(id=cluster.release_id).update(version="2015.1.0-7.0")
    cluster = Cluster.objects.get(id=cluster.id)
    assert run_order(cluster, "provision", NEW).text == "role by role: release 7.0"


def test_a_failure_and_the_order_are_both_told(system: System) -> None:
    parent = system.deploy(make(OLD), fail=["ctl-app/c1"])
    assert parent.status == "error"
    assert parent.message.startswith("Fault tolerance") and parent.message.endswith("for the cluster.")
    assert "of the old format" not in why(parent.id, "cmp-app/c2")


def test_the_commands_tell_it(system: System) -> None:
    cluster = make(OLD)
    out, errors = io.StringIO(), io.StringIO()
    call_command("deploy", cluster.name, "--plan", stdout=out, stderr=errors)
    assert f"The order: {OLD_ORDER}." in out.getvalue() and "as a whole" in errors.getvalue()
    out = io.StringIO()
    call_command("deploy", cluster.name, "--plan", "--format", "json", stdout=out, stderr=errors)
    assert json.loads(out.getvalue())["order"] == OLD_ORDER
    parent, out = system.deploy(cluster), io.StringIO()
    call_command("transactions", "show", str(parent.id), stdout=out)
    assert f"order: {OLD_ORDER}\n" in out.getvalue()


def test_the_request_is_answered_with_it(admin_user: Any) -> None:
    cluster = make(OLD)
    client = APIClient()
    client.force_authenticate(admin_user)
    answer = client.put(f"/api/v1/clusters/{cluster.id}/changes/", {}, format="json").json()
    assert answer["order"] == OLD_ORDER and "cmp-app and ctl-app" in answer["message"]
    assert TransactionAdmin.order(None, Transaction.objects.get(id=answer["id"])) == OLD_ORDER  # type: ignore[arg-type]


def test_the_api_sets_it(admin_user: Any) -> None:
    cluster = make(OLD)
    client = APIClient()
    client.force_authenticate(admin_user)
    address = f"/api/v1/clusters/{cluster.id}/"
    assert client.put(address, {"task_based_always": True}, format="json").json()["task_based_always"] is True
    assert client.put(address, {"task_based_always": "no"}, format="json").status_code == 400
    Graph.objects.filter(cluster=cluster).update(tasks=NEW)
    Cluster.objects.filter(id=cluster.id).update(status="deployment")
    assert client.put(address, {"task_based_always": False}, format="json").status_code == 403


def test_an_upload_warns_of_it() -> None:
    cluster = make(OLD)
    for owner, graph_type, warned in (
        (cluster, "default", True), (cluster, "upgrade", False), (cluster.release, "default", True),
        (Release(name="F", version="2015.1.0-7.0"), "default", False),
        (Cluster(release=cluster.release, task_based_always=True), "default", False),
    ):  # fmt: skip
        owner.name += " too"
        owner.save()
        told = [warning.message for warning in upload_graph(owner, graph_type, OLD).warnings]
        assert any("cmp-app and ctl-app" in message and "as a whole" in message for message in told) is warned, (owner, told)
