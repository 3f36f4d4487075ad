"""Nodes join and leave clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError
from django.db import transaction as database

from deployments.core.errors import InvalidData
from deployments.models import Cluster, Node
from deployments.services import clusters
from deployments.services.errors import Conflict, NotFound
from deployments.services.nodes import find_nodes, uid_of
from history import queries as history


def create_cluster(data: Mapping[str, Any], version: str) -> Cluster:
    """Make a cluster that its `nodes` join: both, or neither. For the other keys see `clusters.create`.

    Raises:
        InvalidData: the release, a field or a node is not as it must be.
        Forbidden: nothing can be deployed with the release.
        Conflict: the name is taken.
    """
    nodes = data.get("nodes") or []
    if not isinstance(nodes, list):
        raise InvalidData("nodes: must be a list of node ids")
    with database.atomic():
        cluster = clusters.create(data, version)
        join(cluster, nodes)
    return cluster


def assign(cluster: Cluster, wanted: Sequence[Mapping[str, Any]]) -> None:
    """Nodes get these roles with the next deployment; those of no cluster join this one. `wanted`: `[{id, roles}, …]`.

    Raises:
        InvalidData: a node or a role is not known, roles can't go together, or a node is another cluster's.
        Conflict: a hostname is taken in the cluster.
    """
    roles = _read(wanted, with_roles=True)
    nodes = _found(list(roles))
    with database.atomic():
        for node, names in zip(nodes, roles.values(), strict=True):
            if node.cluster_id not in (None, cluster.id):
                raise InvalidData(f"Node {node.uid} belongs to another environment: unassign it there first.", node=node.uid)
            _check_roles(cluster, names)
            joins = {"cluster": cluster, "pending_addition": True} if node.cluster_id is None else {}
            try:
                with database.atomic():
                    Node.objects.filter(pk=node.pk).update(pending_roles=names, **joins)
            except IntegrityError as error:
                raise Conflict(f"The hostname {node.hostname} is taken in environment {cluster.id}.") from error


def unassign(cluster: Cluster, wanted: Sequence[Mapping[str, Any]]) -> None:
    """Nodes leave: those that were never provisioned at once, all others with the next deployment. `wanted`: `[{id}, …]`.

    Raises:
        InvalidData: a node is not one of the cluster's.
    """
    nodes = _found(list(_read(wanted, with_roles=False)))
    if strangers := [node.uid for node in nodes if node.cluster_id != cluster.id]:
        raise InvalidData(f"Nodes [{', '.join(strangers)}] are not members of environment {cluster.id}.")
    with database.atomic():
        clusters.free(cluster, [node.uid for node in nodes if node.status == "discover"])
        Node.objects.filter(pk__in=[node.pk for node in nodes if node.status != "discover"]).update(pending_deletion=True)


def _found(ids: list[str]) -> list[Node]:
    try:
        return find_nodes(ids)
    except NotFound as error:
        raise InvalidData(str(error)) from error


def _read(wanted: Sequence[Mapping[str, Any]], *, with_roles: bool) -> dict[str, list[str]]:
    """uid → roles."""
    found: dict[str, list[str]] = {}
    for entry in wanted:
        name = entry.get("id") if isinstance(entry, Mapping) else None
        if not isinstance(name, str | int) or isinstance(name, bool):
            raise InvalidData("The body must be a list like [{id: 5, roles: [compute]}].")
        if strange := sorted(str(key) for key in entry if key not in ("id", "roles")):
            raise InvalidData(f"{', '.join(strange)[:500]}: node {name} is given roles here, by `id` and `roles`, and nothing else.")
        names = entry.get("roles", [])
        if not isinstance(names, list) or not all(isinstance(role, str) and role for role in names):
            raise InvalidData(f"The roles of node {name} must be a list of names.")
        if with_roles and not names:
            raise InvalidData(f"Node {name} needs at least one role.")
        uid = uid_of(name)
        if uid in found:
            raise InvalidData(f"Node {name} is named twice.")
        found[uid] = list(dict.fromkeys(names))
    return found


def _check_roles(cluster: Cluster, names: Sequence[str]) -> None:
    known = cluster.release.roles_metadata
    if not known:
        return
    if strange := [name for name in names if name not in known]:
        raise InvalidData(f"{', '.join(strange)} are not valid roles for node in environment {cluster.id}")
    for name in names:
        conflicts = (known[name] or {}).get("conflicts") or []
        for other in names:
            if other != name and (conflicts == "*" or other in conflicts):
                raise InvalidData(f"Role '{name}' in conflict with role '{other}'.")


def check_place(node: Node, cluster: Cluster | None, roles: Sequence[str]) -> None:
    """Refuse what can't be made of a node by hand: where it belongs, and its roles (those to come as well).

    Raises:
        InvalidData: it has to leave a cluster by a deployment, or can't have these roles together.
        Conflict: it is being deployed.
    """
    before = node.cluster
    if before is not None and (busy := history.unfinished_deploy(before.pk)) is not None:
        raise Conflict(f"Node {node.uid} is being deployed (transaction {busy.pk}): wait for that to end, or stop it.")
    if before is not None and before != cluster and node.status != "discover":
        raise InvalidData(
            f"Node {node.uid} was deployed in cluster {before.name}, and leaves it by a deployment: tick its pending deletion instead."
        )
    if cluster is not None:
        _check_roles(cluster, list(dict.fromkeys(roles)))


def join(cluster: Cluster, names: Sequence[str | int]) -> None:
    """Free nodes join the cluster without a role yet.

    Raises:
        InvalidData: a node is not known, or belongs to another cluster.
    """
    if not all(isinstance(name, str | int) and not isinstance(name, bool) for name in names):
        raise InvalidData("nodes: must be a list of node ids")
    nodes = _found([uid_of(name) for name in names])
    if taken := [node.uid for node in nodes if node.cluster_id not in (None, cluster.id)]:
        raise InvalidData(f"Nodes {', '.join(taken)} belong to other environments: unassign them there first.")
    Node.objects.filter(pk__in=[node.pk for node in nodes], cluster=None).update(cluster=cluster, pending_addition=True)
