"""Every route, method by method, for everybody: own and foreign clusters. The routes come from the router, so none can be forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient
from rest_framework.views import APIView

from deployments.api.rights import NEEDS
from deployments.models import Cluster, ClusterRole, Graph, Node, Notification, Release, Sequence
from deployments.services import apart, tokens
from history.models import Event, Snapshot, TaskRun, Transaction

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_redis")]

OWN, FOREIGN = "own", "zzforeign"
"""Also parts of every name in the two clusters: what somebody must not see is found in answers by its name."""
METHODS = ("get", "post", "put", "patch", "delete")
DENIED = "You do not have permission to perform this action."
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TASK = {"id": "a", "type": "shell", "version": "2.1.0", "role": ["*"], "parameters": {"cmd": "true"}}


@dataclass(frozen=True)
class Route:
    """A method of an address, the right that its view says it needs, and its view."""

    method: str
    pattern: str
    view: type[APIView]

    @property
    def needs(self) -> str:
        return self.view.needs[self.method.upper()]  # type: ignore[attr-defined]

    def __str__(self) -> str:
        return f"{self.method} {self.pattern}"


def patterns(found: list[URLPattern | URLResolver], before: str = "") -> Iterator[tuple[str, type[APIView]]]:
    """All addresses of the API with their views."""
    for each in found:
        pattern = before + str(each.pattern).removeprefix("^")
        if isinstance(each, URLResolver):
            yield from patterns(each.url_patterns, pattern)
        elif pattern.startswith(("api/", "keystone/")):
            yield pattern, getattr(each.callback, "view_class", None) or each.callback.cls  # type: ignore[attr-defined]


def routes() -> list[Route]:
    return [
        Route(method, pattern, view)
        for pattern, view in patterns(get_resolver().url_patterns)
        for method in METHODS
        if hasattr(view, method) and view.__name__ != "MissingView"
    ]


def test_routes_are_found() -> None:
    assert len(routes()) > 80
    assert {route.needs for route in routes()} == set(NEEDS)


@pytest.mark.parametrize("route", routes(), ids=str)
def test_every_view_says_what_each_of_its_methods_needs(route: Route) -> None:
    needs: dict[str, str] = getattr(route.view, "needs", {})
    assert needs.get(route.method.upper()) in NEEDS
    assert set(needs) <= {method.upper() for method in (*METHODS, "head", "options") if hasattr(route.view, method)}
    if "agent" in needs.values():
        assert hasattr(route.view, "agent_uid")


@dataclass(frozen=True)
class Side:
    """One of the two clusters, and all that is in it."""

    name: str
    cluster: Cluster
    parts: dict[str, str] = field(default_factory=dict)
    """Named group of an address → what stands for this side."""


def side(release: Release, name: str) -> Side:
    cluster = Cluster.objects.create(name=f"{name} cluster", release=release)
    node = Node.objects.create(uid=f"{name}-1", name=f"{name} node", cluster=cluster, roles=["web"], status="ready", mac=f"{name}:01")
    graph = Graph.objects.create(cluster=cluster, name=f"{name} graph", tasks=[TASK])
    common = {
        "cluster_id": cluster.id,
        "cluster_name": cluster.name,
        "actor": f"{name} ann",
        "created_at": NOW,
        "status": "ready",
        "time_end": NOW,
    }
    parent = Transaction.objects.create(name="deploy", message=f"{name} message", **common)
    child = Transaction.objects.create(name="deployment", parent=parent, recorded_at=NOW, **common)
    TaskRun.objects.create(
        transaction=child, position=0, node=node.uid, task_name=f"{name} task", type="shell", status="ready", time_start=NOW
    )
    Snapshot.of(child.id, "deployment_info", {"common": {}, "nodes": {node.uid: {}}}).save()
    Event.objects.create(transaction=parent, seq=1, at=NOW, actor=f"{name} me", subject="transaction", new="ready")
    notice = Notification.objects.create(cluster_id=cluster.id, topic="done", message=f"{name} done", created_at=NOW)
    parts = {
        "cluster_id": cluster.id, "transaction_id": child.id, "node_id": node.uid, "graph_id": graph.id, "notification_id": notice.id,
    }  # fmt: skip
    return Side(name, cluster, {key: str(value) for key, value in parts.items()})


class World:
    """Two clusters, and what belongs to none."""

    def __init__(self) -> None:
        release = Release.objects.create(name="common release", version="1-1.0", roles_metadata={"web": {}})
        sequence = Sequence.objects.create(release=release, name="common sequence", graphs=[{"type": "default"}])
        self.common = {"release_id": str(release.id), "sequence_id": str(sequence.id), "graph_type": "default"}
        self.sides = {name: side(release, name) for name in (OWN, FOREIGN)}
        # The node of the one cluster was the other's before.
        past = Transaction.objects.get(id=self.sides[FOREIGN].parts["transaction_id"])
        TaskRun.objects.create(
            transaction=past, position=1, node="own-1", task_name="zzforeign past", type="shell", status="ready", time_start=NOW
        )
        Node.objects.create(uid="zzforeign-free", name="zzforeign free", mac="zzforeign:free")

    def address(self, route: Route, about: str) -> tuple[str, Any, str | None]:
        """Address, body, and whose cluster it is about (None: nobody's)."""
        chosen = self.sides[about]
        names = set(re.findall(r"\(\?P<(\w+)>", route.pattern))
        known = {**self.common, **chosen.parts}
        assert names <= known.keys(), f"say in World what stands for {names - known.keys()}"
        address = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)", lambda found: known[found[1]], route.pattern)
        address = "/" + address.replace("/?$", "/").replace("\\", "").replace("^", "")
        body: Any = {}
        whose = about if names & chosen.parts.keys() else None
        if route.view.__name__ in ("ExecuteView", "ExecuteSequenceView"):
            body, whose = {"cluster": chosen.cluster.id, "graphs": [{"type": "default"}]}, about
            if route.view.__name__ == "ExecuteSequenceView":
                del body["graphs"]
        elif route.view.__name__ == "NodesView" and route.method == "put":
            body, whose = [{"uid": f"{about}-1", "name": f"{about} node"}], about
        elif route.view.__name__ == "NodesView" and route.method == "delete":
            address, whose = f"{address}?ids={about}-1", about
        elif route.needs == "agent":
            body = {"uid": f"{about}-1", "mac": f"{about}:01"}
        return address, body, whose


GIVES = {"viewer": {"view"}, "operator": {"view", "operate"}, "admin": {"view", "operate", "admin"}}


@dataclass(frozen=True)
class Somebody:
    """An account with a role, own or by a group, in the own cluster or everywhere."""

    name: str
    role: str = ""
    everywhere: bool = False
    by_group: bool = False
    superuser: bool = False
    active: bool = True

    def client(self, world: World) -> APIClient:
        user = User.objects.create_user(self.name, is_superuser=self.superuser, is_active=self.active)
        if self.role:
            holder = {"group": Group.objects.create(name=self.name)} if self.by_group else {"user": user}
            user.groups.set(holder.values() if self.by_group else ())
            ClusterRole.objects.create(role=self.role, cluster=None if self.everywhere else world.sides[OWN].cluster, **holder)
        client = APIClient(headers={"Authorization": f"Token {tokens.issue(user)[1]}"})
        return client

    def may(self, needs: str, whose: str | None, about: str) -> bool:
        """What the table in docs/production.md says."""
        if not self.active:
            return False  # A token that is not good is refused even where none is needed.
        if needs == "public" or self.superuser:
            return True
        if needs == "agent":
            return self.everywhere and self.role == "admin"
        rights: set[str] = GIVES.get(self.role, set())
        if whose is None and not self.everywhere:
            return needs == "view" and "view" in rights
        return needs in rights and (self.everywhere or whose == OWN)

    def sees(self, about: str) -> bool:
        return about == OWN or self.everywhere or self.superuser


class Nobody(Somebody):
    """Shows nothing."""

    def client(self, world: World) -> APIClient:
        return APIClient()

    def may(self, needs: str, whose: str | None, about: str) -> bool:
        return needs == "public"


class Agent(Somebody):
    """Shows an agent's token, of any node or of the own cluster's."""

    def client(self, world: World) -> APIClient:
        uid = f"{OWN}-1" if self.role == "of one node" else ""
        return APIClient(headers={"X-Auth-Token": tokens.issue_for_agent(uid, timedelta(days=1))})

    def may(self, needs: str, whose: str | None, about: str) -> bool:
        return needs == "public" or (needs == "agent" and (self.role != "of one node" or about == OWN))


EVERYBODY = (
    Nobody("nobody"), Somebody("no role"), Agent("agent"), Agent("agent of a node", "of one node"),
    *(Somebody(f"own {role}", role) for role in GIVES), Somebody("own operator by group", "operator", by_group=True),
    *(Somebody(f"{role} everywhere", role, everywhere=True) for role in GIVES), Somebody("superuser", superuser=True),
    Somebody("closed superuser", superuser=True, active=False),
)  # fmt: skip


@pytest.fixture
def planned_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process would see nothing of what a test has not committed."""

    def json_of(*command: str) -> BytesIO:
        written = StringIO()
        call_command(*command, stdout=written)
        return BytesIO(written.getvalue().encode())

    monkeypatch.setattr(apart, "json_of", json_of)


@pytest.mark.usefixtures("planned_here")
@pytest.mark.parametrize("who", EVERYBODY, ids=lambda who: who.name)
def test_who_may_do_what(who: Somebody) -> None:
    world = World()
    client = who.client(world)
    wrong = []
    for route in routes():
        for about in (OWN, FOREIGN):
            address, body, whose = world.address(route, about)
            if route.view.__name__ == "TokensView":
                continue
            with transaction.atomic():
                answer = client.generic(route.method.upper(), address, _json(body), content_type="application/json")
                text = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
                transaction.set_rollback(True)
            denied = answer.status_code == 401 or (answer.status_code == 403 and DENIED in text.decode())
            if denied == who.may(route.needs, whose, about):
                wrong.append(f"{'denied' if denied else 'let through'} ({answer.status_code}): {route} of {about}")
            if not denied and not who.sees(FOREIGN) and route.needs != "public" and FOREIGN.encode() in text and about == OWN:
                wrong.append(f"shows what is foreign: {route} {text!r}")
            if answer.status_code >= 500:
                wrong.append(f"{answer.status_code}: {route}: {text.decode()}")
    assert not wrong, "\n".join(wrong)


def _json(body: Any) -> str:
    return APIClient()._encode_data(body, "json")[0].decode()


def test_an_expired_token_is_nobodys() -> None:
    user = User.objects.create_superuser("ann")
    text = tokens.issue(user, lifetime=timedelta(seconds=-1))[1]
    assert APIClient(headers={"Authorization": f"Token {text}"}).get("/api/v1/clusters/").status_code == 401


def test_what_is_left_of_a_cluster_that_is_gone_is_not_everybodys() -> None:
    world = World()
    clients = {who.name: who.client(world) for who in EVERYBODY}
    for name, about in world.sides.items():
        about.cluster.delete()
        address = f"/api/v1/transactions/{about.parts['transaction_id']}/deployment_history/"
        allowed = {who for who, client in clients.items() if client.get(address).status_code == 200}
        assert allowed == {"viewer everywhere", "operator everywhere", "admin everywhere", "superuser"}, name


def test_graphs_of_releases_are_changed_by_admins_of_everything_only() -> None:
    world = World()
    graph = Graph.objects.create(release_id=int(world.common["release_id"]), name="common graph", tasks=[TASK])
    for who in EVERYBODY:
        client, change = who.client(world), {"name": who.name}
        by_id = client.put(f"/api/v1/graphs/{graph.id}/", change, format="json").status_code
        by_release = client.put(f"/api/v1/releases/{graph.release_id}/deployment_graphs/default/", change, format="json").status_code
        assert by_id == by_release, who.name
        assert (by_id == 200) == (who.name in ("admin everywhere", "superuser")), who.name


@pytest.mark.parametrize("path", ["nodes/own-1/", "nodes/"])
def test_a_node_can_neither_be_given_to_a_foreign_cluster_nor_taken_from_it(path: str) -> None:
    world = World()
    client = Somebody("own operator", "operator").client(world)
    own, foreign = (world.sides[name].cluster.id for name in (OWN, FOREIGN))
    change = {"cluster_id": foreign} if path == "nodes/own-1/" else [{"uid": "own-1", "cluster_id": foreign}]
    client.put(f"/api/v1/{path}", change, format="json")
    client.post(f"/api/v1/clusters/{own}/assignment/", [{"id": "zzforeign-1", "roles": ["web"]}], format="json")
    client.post(f"/api/v1/clusters/{own}/unassignment/", [{"id": "zzforeign-1"}], format="json")
    assert dict(Node.objects.exclude(cluster=None).values_list("uid", "cluster_id")) == {"own-1": own, "zzforeign-1": foreign}


def test_the_name_of_who_asked_is_kept() -> None:
    world = World()
    client = Somebody("own operator", "operator").client(world)
    answer = client.put(f"/api/v1/clusters/{world.sides[OWN].cluster.id}/changes?reason=because", {}, format="json")
    assert answer.status_code == 202
    row = Transaction.objects.get(id=answer.json()["id"])
    assert (row.actor, row.reason) == ("own operator", "because")
    assert set(row.children.values_list("actor", flat=True)) == {"own operator"}
