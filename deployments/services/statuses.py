"""Node and cluster states, moved by one conditional UPDATE each."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, QuerySet

from deployments.core.states import AS_BEFORE, CLUSTER, DELETED, NODE, PROVISION, passage
from deployments.models import Cluster, Node
from deployments.models.node import ERROR_TYPES, STATUSES
from history.states import Table

logger = logging.getLogger(__name__)

GIVEN = ("status", "pending_addition", "pending_deletion", "error_type", "error_msg")
"""What a graph may give its nodes when they end."""
CALLBACKS = {"ready": "on_success", "error": "on_error", "stopped": "on_stop"}


@dataclass(frozen=True, slots=True)
class NodeEnd:
    """A node's part in a transaction is over."""

    uid: str
    cluster_id: int
    graph_type: str
    outcome: str
    """`ready`, `error` or `stopped`."""
    reason: str
    callbacks: Mapping[str, Any]
    before: str = ""
    """What it was when the graph began there; empty if nothing was started."""
    rehearsed: bool = False
    """It was only practised: the status moves, all else of the node stays as it is."""

    def write(self) -> None:
        """Set the status that the graph names for this end, or the usual one where the table of moves has it."""
        given = self._given()
        # A node that has left the cluster meanwhile (its graph may set it free) is another's now.
        nodes = Node.objects.filter(uid=self.uid, cluster_id=self.cluster_id)
        usual = passage(self.graph_type).ends[self.outcome]
        status = given.get("status", usual)
        if status == DELETED:
            if self.rehearsed:
                nodes.filter(status="removing").update(status=self.before or "discover", progress=100)
            else:
                set_free(nodes)
            return
        if status == AS_BEFORE:
            # Why it was in error before is still told.
            nodes.filter(status__in=_before(NODE, self.before)).update(status=self.before, progress=100)
            return
        if "status" not in given:
            nodes = nodes.filter(status__in=_before(NODE, status))
        if status == "ready" and not self.rehearsed:
            _give_roles(nodes)
        nodes.update(**{**self._usual(status), **given, "status": status})

    def _usual(self, status: str) -> dict[str, Any]:
        values: dict[str, Any] = {"progress": 100, "error_type": "", "error_msg": ""}
        if status == "error":
            values |= {"error_type": passage(self.graph_type).error_type, "error_msg": self.reason}
        elif status == "stopped" and self.graph_type == PROVISION:
            # The graph calls it so; it must not be taken for an installed one that was stopped later.
            values["error_type"] = passage(PROVISION).error_type
        elif status == "provisioned" and self.graph_type == PROVISION and not self.rehearsed:
            values["pending_addition"] = False
        return values

    def _given(self) -> dict[str, Any]:
        """What the graph says of this end. What no node can be counts as not said: it must not hold up everything else."""
        wanted = (self.callbacks.get(CALLBACKS[self.outcome]) or {}).get("node_attributes", {})
        given = {name: "" if wanted[name] is None else wanted[name] for name in GIVEN if name in wanted}
        if given.get("status", DELETED) not in (*STATUSES, DELETED):
            logger.warning("The graph gives node %s the status %r, which no node can have.", self.uid, given.pop("status"))
        if given.get("error_type", "") not in ("", *ERROR_TYPES):
            logger.warning("The graph gives node %s the error type %r, which there is not.", self.uid, given.pop("error_type"))
        if self.rehearsed:
            given = {name: value for name, value in given.items() if name == "status" and value != DELETED}
        return given


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


def nodes_began(uids: Collection[str], graph_type: str) -> None:
    """The first attempt of a graph of this type was claimed on these nodes."""
    during = passage(graph_type).during
    Node.objects.filter(uid__in=uids, status__in=_before(NODE, during)).update(status=during, progress=0)


def states_of(uids: Collection[str]) -> dict[str, str]:
    """By uid: what these nodes are now."""
    return dict(Node.objects.filter(uid__in=uids).values_list("uid", "status"))


def cluster_began(cluster_id: int) -> None:
    """Something was started in the cluster."""
    _move_cluster(cluster_id, "deployment")


def cluster_ended(cluster_id: int, outcome: str, *, told: bool, deployed: Sequence[Any] = ()) -> None:
    """The cluster's status after a transaction that ended `ready`, `error` or `stopped`.

    Args:
        told: an end was told of a node; where it was of none the cluster keeps the status it had.
        deployed: the pending changes that are deployed now; later ones stay.
    """
    if not told:
        return
    if deployed:
        left = [change for change in Cluster.objects.values_list("changes", flat=True).get(id=cluster_id) if change not in deployed]
        Cluster.objects.filter(id=cluster_id).update(changes=left)
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
