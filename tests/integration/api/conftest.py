"""A client of the API, and a cluster to talk about."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from deployments.models import Cluster, Graph, Node, Release

TASK = {"id": "first", "type": "shell", "version": "2.1.0", "role": ["*"], "parameters": {"cmd": "true"}}


@pytest.fixture
def api(db: None) -> APIClient:
    """Somebody who may everything."""
    client = APIClient(headers={"accept": "application/json"})
    client.force_authenticate(User.objects.create_superuser("ann"))
    return client


@pytest.fixture
def cluster(db: None) -> Cluster:
    """Two nodes with roles, one free, and a graph of two tasks."""
    release = Release.objects.create(
        name="Shop", version="shop-10.0", roles_metadata={"web": {"name": "Web"}, "db": {"name": "Database", "conflicts": ["web"]}},
        attributes_metadata={"editable": {"common": {"debug": {"value": False}}}},
    )  # fmt: skip
    cluster = Cluster.objects.create(name="shop", release=release)
    for uid in ("1", "2"):
        Node.objects.create(uid=uid, cluster=cluster, roles=["web"], status="provisioned", name=f"node-{uid}", mac=f"00:00:00:00:00:0{uid}")
    Node.objects.create(uid="n3", mac="00:00:00:00:00:03")
    second = {**TASK, "id": "second", "requires": ["first"], "cross-depends": [{"name": "first"}]}
    Graph.objects.create(cluster=cluster, type="default", tasks=[TASK, second])
    return cluster


def body(answer: Any) -> bytes:
    """All that was answered, be it sent in one piece or in many."""
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def data(answer: Any) -> Any:
    """The same as data."""
    return json.loads(body(answer))
