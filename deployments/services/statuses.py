"""Node and cluster states, moved by one conditional UPDATE each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, QuerySet

from deployments.core.states import CLUSTER, NODE
from deployments.models import Cluster, Node
from history.states import Table

GIVEN = ("status", "pending_addition", "pending_deletion", "error_type", "error_msg")
"""What a graph may give its nodes when they end."""
DELETED = "deleted"
"""The status by which a graph lets a node leave its cluster."""
CALLBACKS = {"ready": "on_success", "error": "on_error", "stopped": "on_stop"}


@dataclass(frozen=True, slots=True)
class NodeEnd:
    """A node's part in a transaction is over."""

    uid: str
    cluster_id: int
    status: str
    reason: str
    callbacks: Mapping[str, Any]
    rehearsed: bool = False
    """It was only practised: the status moves, all else of the node stays as it is."""

    def write(self) -> None:
        """Set the status that the graph names for this end, or the usual one where the table of moves has it."""
        wanted = (self.callbacks.get(CALLBACKS[self.status]) or {}).get("node_attributes", {})
        given = {name: "" if wanted[name] is None else wanted[name] for name in GIVEN if name in wanted}
        if self.rehearsed:
            given = {name: value for name, value in given.items() if name == "status" and value != DELETED}
        # A node that has left the cluster meanwhile (its graph may set it free) is another's now.
        nodes = Node.objects.filter(uid=self.uid, cluster_id=self.cluster_id)
        if given.get("status") == DELETED:
            set_free(nodes)
            return
        values: dict[str, Any] = {"status": self.status, "progress": 100, "error_type": "", "error_msg": ""}
        if self.status == "error":
            values |= {"error_type": "deploy", "error_msg": self.reason}
        if "status" not in given:
            nodes = nodes.filter(status__in=_before(NODE, self.status))
        values |= given
        if values["status"] == "ready" and not self.rehearsed:
            _give_roles(nodes)
        nodes.update(**values)


def set_free(nodes: QuerySet[Node]) -> None:
    """These nodes leave their clusters and are as if newly discovered."""
    nodes.update(
        cluster=None, status="discover", status_before_rehearsal="", roles=[], pending_roles=[], tags=[], pending_addition=False,
        pending_deletion=False, progress=0, error_type="", error_msg="",
    )  # fmt: skip


def _give_roles(nodes: QuerySet[Node]) -> None:
    """What was deployed with its pending roles has them now (Nailgun)."""
    for node in nodes.exclude(pending_roles=[]):
        roles = list(dict.fromkeys([*node.roles, *node.pending_roles]))
        Node.objects.filter(pk=node.pk).update(roles=roles, pending_roles=[], pending_addition=False)


def nodes_began(uids: Collection[str]) -> None:
    """The first attempt was claimed on these nodes."""
    Node.objects.filter(uid__in=uids, status__in=_before(NODE, "deploying")).update(status="deploying", progress=0)


def cluster_began(cluster_id: int) -> None:
    """Something was started in the cluster."""
    _move_cluster(cluster_id, "deployment")


def cluster_ended(cluster_id: int, outcome: str, *, began: bool) -> None:
    """The cluster's status after a transaction that ended `ready`, `error` or `stopped`.

    Where nothing was started it keeps the status it had, unless there was nothing to do; `operational` means that every node is ready.
    """
    if not began and outcome != "ready":
        return
    if outcome == "ready":
        Cluster.objects.filter(id=cluster_id).update(changes=[])
    complete = outcome == "ready" and not Node.objects.filter(cluster_id=cluster_id).exclude(status="ready").exists()
    cluster_began(cluster_id)
    _move_cluster(cluster_id, "error" if outcome == "error" else "operational" if complete else "partially_deployed")


def _move_cluster(cluster_id: int, status: str) -> None:
    Cluster.objects.filter(id=cluster_id, status__in=_before(CLUSTER, status)).update(status=status)


def _before(table: Table, status: str) -> list[str]:
    """The states from which the table lets this one be reached."""
    return [old for old, new in table.moves if new == status]


def begin_rehearsal(cluster: Cluster, now: datetime) -> None:
    """Mark the cluster at its first rehearsal and remember the statuses that a real deploy will give back."""
    marked = Cluster.objects.filter(id=cluster.id, rehearsed_at=None).update(rehearsed_at=now, status_before_rehearsal=F("status"))
    if marked:
        Node.objects.filter(cluster=cluster).update(status_before_rehearsal=F("status"))


def forget_rehearsal(cluster: Cluster) -> None:
    """Clear the mark and give cluster and nodes back what they were before the first rehearsal."""
    marked = Cluster.objects.filter(id=cluster.id, rehearsed_at__isnull=False)
    if marked.update(rehearsed_at=None, status=F("status_before_rehearsal"), status_before_rehearsal=""):
        Node.objects.filter(cluster=cluster).exclude(status_before_rehearsal="").update(
            status=F("status_before_rehearsal"), status_before_rehearsal="", error_type="", error_msg="", progress=0
        )
