"""What people and scripts ask of history: by the functions that all interfaces share, and by the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from django.contrib.auth.models import User
from rest_framework.test import APIClient

from deployments.models import Cluster, ClusterRole, Node, Release
from history import queries
from history.models import Transaction
from history.pages import page
from history.recorder import seeding
from tests.benchmarks.past import CLUSTERS, NODES, Past

Ask = Callable[[Transaction, int], object]


@dataclass(frozen=True)
class Question:
    """`about` chooses the deployments that are asked about, one after the other."""

    ask: Ask
    about: Callable[[Past], Sequence[Transaction]] = lambda past: past.seeded


def questions() -> dict[str, Question]:
    """All, by what they are called in the table."""
    found = [_of_functions(), _of_api(_admin()), _of_whole(_admin()), _of_viewer(_viewer())]
    named = {name: question for part in found for name, question in part.items()}
    assert len(named) == sum(map(len, found)), "each question needs a name of its own"
    return named


def _of_functions() -> dict[str, Question]:
    of_cluster = [queries.transactions(clusters=[seeding.FIRST_CLUSTER + number]) for number in range(CLUSTERS)]
    asked: dict[str, Ask] = {
        "a page of deployment history": lambda row, number: page(queries.task_runs(row), queries.RUN_ORDER, 100),
        "a node's biography": _past_of_node,
        "a node's biography, second page": _deep_past_of_node,
        "transactions": _transactions(),
        "transactions of some statuses": _transactions(statuses=["error"]),
        "transactions of some types": _transactions(names=["deployment"]),
        "transactions of some statuses and types": _transactions(statuses=["error", "ready"], names=["deployment"]),
        "transactions of a cluster": lambda row, number: page(of_cluster[number % CLUSTERS], queries.TRANSACTION_ORDER, 20),
        "transactions of a cluster, some statuses": lambda row, number: page(
            of_cluster[number % CLUSTERS].filter(status="error"), queries.TRANSACTION_ORDER, 4
        ),
    }
    return {name: Question(ask) for name, ask in asked.items()}


def _of_api(client: APIClient) -> dict[str, Question]:
    history = "transactions/{id}/deployment_history/"
    filters = [("nodes", "{node},{other}"), ("statuses", "error,ready"), ("tasks_names", "task-003,task-004")]
    asked = {}
    for chosen in product((False, True), repeat=len(filters)):
        given = [pair for pair, wanted in zip(filters, chosen, strict=True) if wanted]
        name = f"GET deployment_history {' '.join(name for name, _ in given)}".rstrip()
        asked[name] = _get(client, f"{history}?{'&'.join('='.join(pair) for pair in given)}")
    return {
        **{name: Question(ask) for name, ask in asked.items()},
        "GET deployment_history as CSV": Question(_get(client, history, "text/csv")),
        "GET deployment_history with summaries, attempts": Question(_get(client, f"{history}?include_summary=1&include_attempts=1")),
        "GET transactions": Question(_get(client, "transactions/?limit=20")),
        "GET transactions of a cluster, some statuses": Question(
            _get(client, "transactions/?limit=20&cluster_id={cluster}&statuses=error")
        ),
        "GET transactions of some types": Question(_get(client, "transactions/?limit=20&transaction_types=deployment")),
        "GET tasks": Question(_get(client, "tasks/?limit=20")),
        "GET a transaction": Question(_get(client, "transactions/{id}/")),
        "GET a node's history": Question(_get(client, "nodes/{node}/history/?limit=100")),
        "GET a node's history, second page": Question(_second_page(client)),
    }


def _of_whole(client: APIClient) -> dict[str, Question]:
    asked = {
        "GET failures": "failures/", "GET why, of what failed": "why/?node={node}&task=task-045", "GET events": "events/",
        "GET events, the last": "events/?after=1000", "GET verify": "verify/", "GET drain, of what is over": "drain/",
    }  # fmt: skip
    whole = {name: Question(_get(client, f"transactions/{{id}}/{address}"), lambda past: past.whole) for name, address in asked.items()}
    return {
        **whole,
        "GET drain, of what runs": Question(_get(client, "transactions/{id}/drain/"), _now),
        "GET why, of what waits": Question(_get(client, "transactions/{id}/why/?node={node}&task=task-010"), _now),
    }


def _of_viewer(client: APIClient) -> dict[str, Question]:
    return {
        "GET transactions, as a viewer of two clusters": Question(_get(client, "transactions/?limit=20")),
        "GET transactions of some statuses, as such": Question(_get(client, "transactions/?limit=20&statuses=error")),
        "GET a node's history, as such": Question(_get(client, "nodes/seeded-0-1/history/?limit=100")),
    }


def _now(past: Past) -> Sequence[Transaction]:
    return [past.running] * 5


def _transactions(**filters: Any) -> Ask:
    return lambda row, number: page(queries.transactions(**filters), queries.TRANSACTION_ORDER, 20)


def _past_of_node(row: Transaction, number: int) -> object:
    return page(queries.biography(_node(row, number)), queries.BIOGRAPHY_ORDER, 100)


def _deep_past_of_node(row: Transaction, number: int) -> object:
    rows = queries.biography(_node(row, number))
    first = page(rows, queries.BIOGRAPHY_ORDER, 100)
    return page(rows, queries.BIOGRAPHY_ORDER, 100, first.next or "")


def _get(client: APIClient, address: str, accept: str = "application/json") -> Ask:
    """From the request to the last byte, without a network between."""

    def ask(row: Transaction, number: int) -> None:
        said = address.format(id=row.id, cluster=row.cluster_id, node=_node(row, 1), other=_node(row, 2))
        _read(client.get(f"/api/v1/{said}", headers={"accept": accept}))

    return ask


def _second_page(client: APIClient) -> Ask:
    def ask(row: Transaction, number: int) -> None:
        address = f"/api/v1/nodes/{_node(row, number)}/history/?limit=100"
        _read(client.get(f"{address}&cursor={client.get(address)['X-Next-Cursor']}"))

    return ask


def _read(answer: Any) -> None:
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert answer.status_code == 200, body


def _node(row: Transaction, number: int) -> str:
    return f"seeded-{(row.cluster_id or 0) - seeding.FIRST_CLUSTER}-{number % NODES}"


def _client(user: User) -> APIClient:
    client = APIClient(SERVER_NAME="localhost")
    client.force_authenticate(user)
    return client


def _admin() -> APIClient:
    return _client(User(username="bench", is_superuser=True))


def _viewer() -> APIClient:
    """Somebody who sees two of the clusters."""
    release = Release.objects.create(name="bench", version="bench-10.0")
    user = User.objects.create(username="viewer")
    for number in range(CLUSTERS):
        cluster = Cluster.objects.create(id=seeding.FIRST_CLUSTER + number, name=f"seeded-{number}", release=release)
        Node.objects.bulk_create(Node(uid=f"seeded-{number}-{node}", cluster=cluster, mac=f"{number}:{node}") for node in range(NODES))
        if number < 2:
            ClusterRole.objects.create(user=user, cluster=cluster, role="viewer")
    return _client(user)
