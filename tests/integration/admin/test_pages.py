"""The admin: history to be read only, actions that ask first, and everywhere the rights of the API."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from deployments.admin.access import ByRole
from deployments.admin.actions import ACTIONS
from deployments.core.events import Begin
from deployments.core.plan import Bundle, Plan
from deployments.core.plan import TaskRun as TaskRunPlanned
from deployments.models import Cluster, ClusterRole, Graph, Node, Sequence
from deployments.services.intent import stop_intent
from history.models import Event, TaskRun, Transaction
from history.recorder import seeding
from tests.integration.admin.conftest import NOW, TASK
from tests.integration.recorded import Recorded

pytestmark = pytest.mark.django_db

PLAN = Plan(nodes=("own-0",), runs=(TaskRunPlanned("first", "own-0", "shell"), TaskRunPlanned("second", "own-0", "shell")),
            bundles=(Bundle((0,), (1,)),))  # fmt: skip


def staff(role: str | None, cluster: Cluster | None) -> Client:
    """Somebody of the staff with this role."""
    user = User.objects.create_user(f"{role} {cluster}", is_staff=True)
    if role:
        ClusterRole.objects.create(user=user, role=role, cluster=cluster)
    client = Client()
    client.force_login(user)
    return client


HISTORY = ("transaction", "taskrun", "event")


def test_history_can_only_be_read(admin_client: Client, clusters: Any) -> None:
    for model in (Transaction, TaskRun, Event):
        address = f"/admin/history/{model._meta.model_name}"
        row = model.objects.first()
        assert admin_client.get(f"{address}/").status_code == 200
        page = admin_client.get(f"{address}/{row.pk}/change/")
        assert page.status_code == 200
        assert 'name="_save"' not in page.content.decode()
        assert admin_client.post(f"{address}/{row.pk}/change/", {"reason": "x"}).status_code == 403
        assert admin_client.get(f"{address}/add/").status_code == 403
        assert admin_client.post(f"{address}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
        assert admin_client.post(f"{address}/", {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}).status_code != 500
        assert model.objects.filter(pk=row.pk).exists()


def test_history_is_found(admin_client: Client, clusters: tuple[Cluster, Cluster]) -> None:
    own = clusters[0]
    parent = Transaction.objects.get(cluster_id=own.id, parent=None)

    def shown(address: str) -> str:
        answer = admin_client.get(f"/admin/history/{address}")
        assert answer.status_code == 200, address
        return answer.content.decode()

    page = shown(f"transaction/?cluster_id__exact={own.id}")
    assert "1 transaction" in page
    assert f"transaction__parent__id__exact={parent.id}" in page
    assert "2 transactions" in shown("transaction/?q=ann")
    assert "4 transactions" in shown("transaction/?level=all")
    assert "2 transactions" in shown("transaction/?level=graphs&status__exact=error")
    assert "own-0" in shown(f"taskrun/?transaction__parent__id__exact={parent.id}&q=a")
    assert "1 task run" in shown("taskrun/?q=other-0")
    assert "1 task run" in shown("taskrun/?node__exact=own-0&status__exact=error")
    assert "1 event" in shown(f"event/?transaction__id__exact={parent.id}")
    run = TaskRun.objects.get(node="own-0")
    page = shown(f"taskrun/{run.id}/change/")
    assert "some &lt;output&gt;" in page
    assert "<output>" not in page
    assert "for a change" in shown(f"transaction/{parent.id}/change/")


def test_lists_read_a_page_however_long_history_is(admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    seeding.seed(seeding.Seeds(transactions=30, runs=200))
    for address in ("transaction/", "taskrun/", "event/", "taskrun/?q=seeded-1-1", "taskrun/?node__exact=seeded-1-1"):
        with django_assert_max_num_queries(10):
            page = admin_client.get(f"/admin/history/{address}")
    assert page.status_code == 200


def test_pages_tell_at_a_glance(admin_client: Client, clusters: tuple[Cluster, Cluster]) -> None:
    done = Recorded(PLAN, clusters[0].id)
    done.commit(Begin())
    done.finish({"first/own-0": "error:no room left"})
    page = admin_client.get(f"/admin/history/transaction/{done.parent.id}/change/").content.decode()
    for said in ("1 error", "1 pending", "first on node own-0", "no room left", "1 task run blocked by first on node own-0"):
        assert said in page
    page = admin_client.get(f"/admin/deployments/cluster/{clusters[0].id}/change/").content.decode()
    assert "1 discover" in page
    assert set(re.findall(r"/admin/history/transaction/(\d+)/change/", page)) == {
        str(row.id) for row in Transaction.objects.filter(cluster_id=clusters[0].id, parent=None)
    }
    page = admin_client.get(f"/admin/deployments/node/{Node.objects.get(uid='own-0').pk}/change/").content.decode()
    assert "no room left" in page and "for a change" in page
    page = admin_client.get(f"/admin/history/event/?transaction__id__exact={done.parent.id}").content.decode()
    assert re.search(r"attempt 1 at <a [^>]+>first/own-0</a>", page)


def test_what_a_node_was_to_another_cluster_is_not_told(clusters: tuple[Cluster, Cluster]) -> None:
    own, other = clusters
    run = TaskRun.objects.get(node="other-0")
    TaskRun.objects.filter(pk=run.pk).update(node="own-0", task_name="zzpast")
    address = f"/admin/deployments/node/{Node.objects.get(uid='own-0').pk}/change/"
    assert "zzpast" not in staff("viewer", own).get(address).content.decode()
    assert "zzpast" in staff("viewer", None).get(address).content.decode()


def test_lists_are_called_what_they_show(clusters: tuple[Cluster, Cluster]) -> None:
    own, other = clusters
    client = staff("viewer", own)

    def title(address: str) -> str:
        return str(client.get(f"/admin/history/{address}").context["title"])

    parent, foreign = (Transaction.objects.get(cluster_id=cluster.id, parent=None).id for cluster in (own, other))
    assert title(f"transaction/?cluster_id__exact={own.id}") == "Transactions of cluster own"
    assert title(f"transaction/?cluster_id__exact={other.id}") == "Transactions"
    assert title(f"taskrun/?transaction__parent__id__exact={parent}") == f"Task runs of transaction {parent}: deploy of own"
    assert title(f"taskrun/?transaction__parent__id__exact={foreign}") == "Task runs"
    assert title("taskrun/?node__exact=own-0") == "Everything that was started on node own-0"


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
def test_what_is_foreign_is_not_there(clusters: tuple[Cluster, Cluster], role: str) -> None:
    own, other = clusters
    client = staff(role, own)
    for app, name in (
        *(("history", name) for name in HISTORY),
        ("deployments", "node"),
        ("deployments", "graph"),
        ("deployments", "cluster"),
    ):
        page = client.get(f"/admin/{app}/{name}/").content.decode()
        assert "own" in page
        assert "other" not in page
    for model in (Cluster, Node, Graph, Transaction, TaskRun):
        name = f"{model._meta.app_label}/{model._meta.model_name}"
        path = (
            "id" if model is Cluster else {Node: "cluster", Graph: "cluster", TaskRun: "transaction__cluster_id"}.get(model, "cluster_id")
        )
        assert client.get(f"/admin/{name}/{model.objects.filter(**{path: own.id}).first().pk}/change/").status_code == 200
        assert client.get(f"/admin/{name}/{model.objects.filter(**{path: other.id}).first().pk}/change/").status_code == 302


def test_without_a_role_there_is_nothing(clusters: Any) -> None:
    client = staff(None, None)
    for model, page in admin.site._registry.items():
        assert client.get(f"/admin/{model._meta.app_label}/{model._meta.model_name}/").status_code == 403, page


@pytest.mark.parametrize(("role", "node", "cluster"), [("viewer", False, False), ("operator", True, False), ("admin", True, True)])
def test_who_may_change_what(clusters: tuple[Cluster, Cluster], role: str, node: bool, cluster: bool) -> None:
    own, other = clusters
    client = staff(role, own)
    page = client.get(f"/admin/deployments/node/{Node.objects.get(uid='own-0').pk}/change/").content.decode()
    assert ('name="_save"' in page) == node
    assert f'<option value="{other.id}"' not in page
    page = client.get(f"/admin/deployments/cluster/{own.id}/change/").content.decode()
    assert ('name="_save"' in page) == cluster
    assert client.get("/admin/deployments/cluster/add/").status_code == 403
    assert client.get("/admin/deployments/clusterrole/").status_code == 403
    assert client.get("/admin/deployments/token/").status_code == 403


def test_every_page_of_ours_asks_for_roles() -> None:
    """A new page without them would show everything to nobody but superusers, or worse."""
    ours = {model: page for model, page in admin.site._registry.items() if model._meta.app_label in ("deployments", "history")}
    assert {model.__name__ for model, page in ours.items() if not isinstance(page, ByRole)} == {"ClusterRole", "Token"}


@pytest.mark.parametrize(("role", "everywhere", "own", "common"), [
    ("viewer", True, False, False), ("operator", False, True, False), ("operator", True, True, False), ("admin", False, True, False),
    ("admin", True, True, True),
])  # fmt: skip
def test_who_may_change_graphs(clusters: tuple[Cluster, Cluster], role: str, everywhere: bool, own: bool, common: bool) -> None:
    release = clusters[0].release
    client = staff(role, None if everywhere else clusters[0])
    for graph, may in ((Graph.objects.get(cluster=clusters[0]), own), (Graph.objects.create(release=release, tasks=[TASK]), common)):
        page = client.get(f"/admin/deployments/graph/{graph.id}/change/").content.decode()
        assert ('name="_save"' in page) == may
    new = client.post("/admin/deployments/graph/add/", {"type": "new", "release": release.id, "tasks": "[]"})
    assert (new.status_code == 302) == common
    new = client.post("/admin/deployments/graph/add/", {"type": "new", "cluster": clusters[1].id, "tasks": "[]"})
    assert (new.status_code == 302) == (everywhere and own)


def test_a_graph_that_cannot_be_planned_is_not_stored(admin_client: Client, clusters: tuple[Cluster, Cluster]) -> None:
    graph = Graph.objects.get(cluster=clusters[0])
    answer = admin_client.post(
        f"/admin/deployments/graph/{graph.id}/change/", {"tasks": '[{"type": "shell"}]', "name": "", "node_filter": ""}
    )
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    graph.refresh_from_db()
    assert graph.tasks == [TASK]


def test_a_sequence_that_cannot_be_run_is_not_stored(admin_client: Client, clusters: tuple[Cluster, Cluster]) -> None:
    address, new = "/admin/deployments/sequence/add/", {"release": clusters[0].release_id, "name": "s"}
    assert "errorlist" in admin_client.post(address, {**new, "graphs": '[{"kind": "default"}]'}).content.decode()
    assert admin_client.post(address, {**new, "graphs": '[{"type": "default"}]'}).status_code == 302
    assert Sequence.objects.get().graphs == [{"type": "default"}]


def test_an_emptied_box_is_an_empty_list(admin_client: Client, clusters: tuple[Cluster, Cluster]) -> None:
    node = Node.objects.get(uid="own-0")
    given = {"uid": "own-0", "roles": "", "tags": '["web"]', "labels": "", "cluster": clusters[0].pk}
    assert admin_client.post(f"/admin/deployments/node/{node.pk}/change/", given).status_code == 302
    node.refresh_from_db()
    assert (node.roles, node.tags, node.labels) == ([], ["web"], {})


@pytest.mark.parametrize(("action", "said"), [
    ("deploy", [
        "Graph default is run: 1 task.", "Node own-0 runs its tasks as if for the first time.",
        "Node own-1 is ready: 1 task without a condition runs.",
    ]),
    ("plan", ["only planned and recorded"]),
    ("stop", ["Nothing is being deployed."]),
])  # fmt: skip
def test_actions_say_what_they_will_do(admin_client: Client, clusters: tuple[Cluster, Cluster], action: str, said: list[str]) -> None:
    chosen = {"action": action, "_selected_action": [clusters[0].id]}
    page = admin_client.post("/admin/deployments/cluster/", chosen, follow=True).content.decode()
    for sentence in said:
        assert sentence in page
    assert Transaction.objects.count() == 4


@pytest.mark.usefixtures("clean_redis")
def test_actions_do_it_once_confirmed(admin_client: Client, clusters: tuple[Cluster, Cluster]) -> None:
    own, other = clusters

    def do(action: str) -> str:
        address = f"/admin/deployments/cluster/act/{action}/?ids={own.id},{other.id}"
        return admin_client.post(address, {"reason": "new shop"}, follow=True).content.decode()

    assert "asked for as" in do("deploy")
    rows = Transaction.objects.filter(name="deploy", status="pending")
    assert {(row.cluster_id, row.actor, row.reason, row.dry_run) for row in rows} == {
        (cluster.id, "admin", "new shop", False) for cluster in clusters
    }
    assert "Deployment already started" in do("plan")
    assert "asked for as" in do("stop")
    assert {row.target_id for row in Transaction.objects.filter(name="stop_deployment")} == {row.id for row in rows}
    assert "is already stopping" in do("stop")


@pytest.mark.parametrize("action", ["deploy", "plan", "stop"])
@pytest.mark.parametrize(("role", "allowed"), [("viewer", False), ("operator", True), ("admin", True)])
def test_actions_take_the_right_to_operate(clusters: tuple[Cluster, Cluster], action: str, role: str, allowed: bool) -> None:
    own, other = clusters
    client = staff(role, own)
    address = f"/admin/deployments/cluster/act/{action}/?ids="
    assert client.get(f"{address}{own.id}").status_code == (200 if allowed else 403)
    if action == "stop":
        Transaction.objects.filter(cluster_id=own.id, parent=None).update(status="running")
    row = Transaction.objects.get(cluster_id=own.id, parent=None)
    page = client.get(f"/admin/deployments/cluster/{own.id}/change/").content.decode()
    sensible = {"stop"} if action == "stop" else {"deploy", "plan"}
    assert {name for name in ACTIONS if f"act/{name}/" in page} == (sensible if allowed else set())
    page = client.get(f"/admin/history/transaction/{row.id}/change/").content.decode()
    assert (f"act/stop/?ids={own.id}" in page) == (allowed and action == "stop")
    for ids in (f"{other.id}", f"{own.id},{other.id}", "", "x", "9999"):
        assert client.get(f"{address}{ids}").status_code == 403
        assert client.post(f"{address}{ids}").status_code == 403
    assert not Transaction.objects.filter(status="pending").exists()


@pytest.mark.parametrize("count", [1, 2])
def test_a_stop_says_what_still_runs_in_good_english(clusters: tuple[Cluster, Cluster], count: int) -> None:
    plan = Plan(nodes=("1", "2", "3"), runs=tuple(TaskRunPlanned("a", str(node), "shell") for node in (1, 2, 3)), bundles=())
    run = Recorded(plan, cluster_id=clusters[0].pk)
    run.commit(Begin())
    TaskRun.objects.filter(transaction=run.child.id, node__in=[str(node) for node in range(1, count + 1)]).update(status="running")
    said = " ".join(stop_intent(clusters[0], NOW).lines)
    assert ("1 task run that runs ends by itself: a/1." if count == 1 else "2 task runs that run end by themselves: a/1, a/2.") in said
    assert ("2 task runs do not start." if count == 1 else "1 task run does not start.") in said
