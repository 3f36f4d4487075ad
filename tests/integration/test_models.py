"""What the database itself refuses, on whatever database the tests run."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from deployments.models import Cluster, Graph, Node, Release

pytestmark = pytest.mark.django_db


@pytest.fixture
def cluster() -> Cluster:
    release = Release.objects.create(name="r", version="r-1")
    return Cluster.objects.create(name="c", release=release)


def refused(model: Any, **fields: Any) -> bool:
    try:
        with transaction.atomic():
            model.objects.create(**fields)
    except IntegrityError:
        return True
    return False


def test_a_graph_has_exactly_one_owner(cluster: Cluster) -> None:
    assert refused(Graph)
    assert refused(Graph, cluster=cluster, release=cluster.release)


def test_an_owner_has_one_graph_of_a_type(cluster: Cluster) -> None:
    Graph.objects.create(cluster=cluster)
    Graph.objects.create(release=cluster.release)
    assert refused(Graph, cluster=cluster)
    assert refused(Graph, release=cluster.release)
    assert not refused(Graph, cluster=cluster, type="provision")


def test_a_uid_is_unique_in_the_whole_system(cluster: Cluster) -> None:
    Node.objects.create(uid="1", cluster=cluster)
    assert refused(Node, uid="1")


@pytest.mark.parametrize("uid", ["", "null", "master"])
def test_some_uids_mean_something_else(uid: str) -> None:
    assert refused(Node, uid=uid)


def test_hostnames_are_unique_in_a_cluster_and_may_be_missing(cluster: Cluster) -> None:
    Node.objects.create(uid="1", cluster=cluster, hostname="a")
    assert refused(Node, uid="2", cluster=cluster, hostname="a")
    Node.objects.create(uid="3", cluster=cluster)
    assert not refused(Node, uid="4", cluster=cluster)


@pytest.mark.parametrize("fields", [{"status": "fine"}, {"progress": 101}, {"error_type": "bad luck"}])
def test_a_node_is_in_a_state_that_exists(fields: dict[str, Any]) -> None:
    assert refused(Node, uid="1", **fields)


def test_a_cluster_is_in_a_state_that_exists(cluster: Cluster) -> None:
    assert refused(Cluster, name="d", release=cluster.release, status="fine")
    assert refused(Cluster, name="c", release=cluster.release)


def test_nodes_outlive_their_cluster(cluster: Cluster) -> None:
    Node.objects.create(uid="1", cluster=cluster)
    cluster.delete()
    assert Node.objects.get(uid="1").cluster is None
