"""Putting clusters and graphs into the database, from what people have written. All or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

from django.db import transaction as database

from deployments.core.errors import InvalidData
from deployments.models import Cluster, Node, Release
from deployments.services.description import ClusterDescription, NodeDescription, ReleaseDescription, check_room
from deployments.services.errors import Conflict
from deployments.services.task_deploy import initial_flag

T = TypeVar("T")

_CHUNK = 500
_DEFAULT_RELEASE = ReleaseDescription("default", "default-1.0", {"description": "For clusters whose file names no release."})


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of a cluster file: the cluster, how many nodes it has, and the uids that had to be changed (old to new)."""

    cluster: Cluster
    nodes: int
    renumbered: Mapping[str, str] = field(default_factory=dict)


def load_cluster(description: ClusterDescription, *, renumber: bool = False) -> Loaded:
    """Make the cluster, its nodes, and its release if that isn't there yet.

    A node that belongs to no cluster is taken in by its uid. With `renumber`, what is taken already gets another: a uid of another
    cluster the next free number (also where the facts name it as a `uid`), the cluster's name a number behind it.

    Raises:
        Conflict: the name or a uid is taken, and `renumber` is not given; or a mac is.
        InvalidData: the release is there, but is another than the file says; or something has no room in the database.
    """
    with database.atomic():
        changed: dict[str, str] = {}
        if renumber:
            changed = _free_uids([node.uid for node in description.nodes])
            description = description.renumbered(changed, _free_name(description.name))
        check_room(description)
        _check_free(description)
        release = _release(description.release or _DEFAULT_RELEASE)
        fields = dict(description.fields)
        fields.setdefault("task_based_deployment", initial_flag(release, fields.get("settings", {})))
        cluster = Cluster.objects.create(name=description.name, release=release, **fields)
        _create_nodes(cluster, description.nodes)
    return Loaded(cluster, len(description.nodes), changed)


def _check_free(description: ClusterDescription) -> None:
    if Cluster.objects.filter(name=description.name).exists():
        raise Conflict(
            f"There is a cluster {description.name} already: give this one another name with --name, or load a copy with --renumber."
        )
    taken = _taken(node.uid for node in description.nodes)
    if taken:
        shown = ", ".join(f"{uid} (of {cluster})" for uid, cluster in sorted(taken.items())[:5])
        more = f" and {len(taken) - 5} more" if len(taken) > 5 else ""
        raise Conflict(
            f"These uids belong to nodes of other clusters: {shown}{more}. A uid is unique in the whole system: change them, "
            "or have free numbers given with --renumber."
        )
    _check_macs(description.nodes)


def _check_macs(nodes: Sequence[NodeDescription]) -> None:
    """A machine is one node: nodes of no cluster are replaced only if their uid is the same."""
    uids = {str(node.fields["mac"]): node.uid for node in nodes if node.fields.get("mac")}
    for chunk in _chunks(list(uids)):
        for mac, uid, cluster in Node.objects.filter(mac__in=chunk).values_list("mac", "uid", "cluster__name"):
            if cluster is not None or uid != uids[mac]:
                raise Conflict(
                    f"The mac {mac} of node {uids[mac]} belongs to node {uid} of {cluster or 'no cluster'}: "
                    "a machine is one node, so give another mac or leave it out."
                )


def _taken(uids: Iterable[str]) -> dict[str, str]:
    """Those uids that belong to nodes of clusters, with the clusters' names."""
    taken: dict[str, str] = {}
    for chunk in _chunks(list(uids)):
        taken |= dict(Node.objects.filter(uid__in=chunk, cluster__isnull=False).values_list("uid", "cluster__name"))
    return taken


def _free_uids(uids: Sequence[str]) -> dict[str, str]:
    """A free number for each uid that is taken."""
    taken = _taken(uids)
    if not taken:
        return {}
    known = {*uids, *Node.objects.values_list("uid", flat=True)}
    numbers = count(max((int(uid) for uid in known if uid.isdecimal()), default=0) + 1)
    return {uid: str(next(numbers)) for uid in uids if uid in taken}


def _free_name(name: str) -> str:
    names = set(Cluster.objects.filter(name__startswith=name).values_list("name", flat=True))
    return next(free for free in (name, *(f"{name}-{number}" for number in range(2, len(names) + 3))) if free not in names)


def _release(wanted: ReleaseDescription) -> Release:
    release, created = Release.objects.get_or_create(name=wanted.name, version=wanted.version, defaults=dict(wanted.fields))
    different = [name for name, value in wanted.fields.items() if getattr(release, name) != value]
    if different and not created:
        raise InvalidData(
            f"There is a release {release} already, with other {', '.join(different)} than the file says: "
            "leave them out, or name another version."
        )
    return release


def _create_nodes(cluster: Cluster, nodes: Sequence[NodeDescription]) -> None:
    """Nodes of no cluster that have these uids are replaced: the file says what they are now."""
    for chunk in _chunks(nodes):
        Node.objects.filter(uid__in=[node.uid for node in chunk], cluster__isnull=True).delete()
        Node.objects.bulk_create(Node(uid=node.uid, cluster=cluster, **node.fields) for node in chunk)


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
