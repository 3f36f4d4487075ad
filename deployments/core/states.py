"""How nodes, clusters and launches may change: one table each, every row with its when. What is not here is illegal.

Transactions, task runs and attempts have theirs in `history.states`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deployments.core.errors import IllegalTransition
from history.states import IllegalMove, Table
from history.states import check as check_move


def check(table: Table, old: str, new: str, *, node: str | None = None) -> None:
    """Let a legal move pass.

    Raises:
        IllegalTransition: the table does not have it; the message names both states.
    """
    try:
        check_move(table, old, new)
    except IllegalMove as error:
        raise IllegalTransition(str(error), node=node) from None


NODE = Table("node", "discover", {
    ("discover", "provisioning"): "a provisioning graph claimed its first attempt there",
    ("provisioning", "provisioned"): "provisioning ended well",
    ("provisioning", "error"): "provisioning failed",
    ("provisioning", "discover"): "provisioning was stopped: half an operating system is none",
    ("discover", "deploying"): "the first attempt was claimed there, on a machine that brings its own operating system",
    ("provisioned", "deploying"): "the first attempt was claimed there",
    ("ready", "deploying"): "the first attempt of a later deployment was claimed there",
    ("stopped", "deploying"): "the deployment was started again after a stop",
    ("error", "deploying"): "the deployment was started again after a failure",
    ("deploying", "ready"): "all its task runs are done",
    ("deploying", "error"): "a task run of it failed, it went offline, or a failure elsewhere blocks the rest of it",
    ("deploying", "stopped"): "the deployment was stopped, or drained after too many failures, and it had runs left",
    ("discover", "error"): "it was offline when the deployment needed it",
    ("provisioned", "error"): "it was offline when the deployment needed it",
    ("ready", "error"): "it was offline when the deployment needed it",
    ("stopped", "error"): "it was offline when the deployment needed it",
    ("error", "ready"): "it had failed and what was left of it needed no attempt (all skipped)",
    ("discover", "ready"): "no task run of it needed an attempt (all skipped)",
    ("provisioned", "ready"): "no task run of it needed an attempt (all skipped)",
    ("stopped", "ready"): "no task run of it needed an attempt (all skipped)",
    ("discover", "provisioned"): "no task run of its provisioning needed an attempt (all skipped)",
    ("provisioned", "provisioning"): "it is provisioned anew",
    ("ready", "provisioning"): "it is provisioned anew",
    ("stopped", "provisioning"): "it is provisioned anew",
    ("error", "provisioning"): "it is provisioned anew",
    ("discover", "removing"): "a deletion graph claimed its first attempt there",
    ("ready", "removing"): "a deletion graph claimed its first attempt there",
    ("provisioned", "removing"): "a deletion graph claimed its first attempt there",
    ("stopped", "removing"): "a deletion graph claimed its first attempt there",
    ("error", "removing"): "a deletion graph claimed its first attempt there",
    ("removing", "discover"): "it left the cluster, or the environment was reset",
    ("removing", "error"): "it could not be removed",
    ("removing", "provisioned"): "its removal was stopped, and that is what it was before",
    ("removing", "ready"): "its removal was stopped, and that is what it was before",
    ("removing", "stopped"): "its removal was stopped, and that is what it was before",
})  # fmt: skip

DEPLOYMENT, PROVISION, DELETION = "default", "provision", "deletion"
"""Types of graphs that mean something for the life of a node. Every other type deploys."""
DELETED, AS_BEFORE = "deleted", "as before"
"""Ends that are no states: the node leaves its cluster; it becomes what it was when this graph began there."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What a node goes through while a graph runs on it: its state meanwhile, and by outcome (`ready`, `error`, `stopped`) afterwards."""

    during: str
    ends: Mapping[str, str]
    error_type: str


_PASSAGES = {
    PROVISION: Passage("provisioning", {"ready": "provisioned", "error": "error", "stopped": "discover"}, "provision"),
    DELETION: Passage("removing", {"ready": DELETED, "error": "error", "stopped": AS_BEFORE}, "deletion"),
}
_DEPLOYING = Passage("deploying", {"ready": "ready", "error": "error", "stopped": "stopped"}, "deploy")


def passage(graph_type: str) -> Passage:
    """What a graph of this type does to its nodes, unless its callbacks say something else."""
    return _PASSAGES.get(graph_type, _DEPLOYING)


CLUSTER = Table("cluster", "new", {
    ("new", "deployment"): "something was started",
    ("operational", "deployment"): "something was started",
    ("partially_deployed", "deployment"): "something was started",
    ("stopped", "deployment"): "something was started",
    ("error", "deployment"): "something was started",
    ("deployment", "operational"): "the transaction is ready and every node too",
    ("deployment", "partially_deployed"): "the transaction is ready but not every node, or it was stopped",
    ("deployment", "error"): "the transaction ended in error",
    ("deployment", "stopped"): "it was stopped before any node was finished (the older word, read but no longer written)",
    ("operational", "new"): "the environment was reset",
    ("partially_deployed", "new"): "the environment was reset",
    ("stopped", "new"): "the environment was reset",
    ("error", "new"): "the environment was reset",
    ("new", "remove"): "it is being deleted",
    ("operational", "remove"): "it is being deleted",
    ("partially_deployed", "remove"): "it is being deleted",
    ("stopped", "remove"): "it is being deleted",
    ("error", "remove"): "it is being deleted",
    ("deployment", "remove"): "it is being deleted by force",
    ("remove", "error"): "its deletion failed",
})  # fmt: skip

LAUNCH = Table("launch", "new", {
    ("new", "pending"): "its instances were asked for",
    ("pending", "running"): "all instances run",
    ("pending", "incomplete"): "it may be partial, and every instance runs or failed",
    ("pending", "failed"): "it may be partial, and all instances failed",
    ("pending", "rollback_in_progress"): "it may not be partial, and an instance failed or vanished",
    ("pending", "shutting_down"): "a person deleted it",
    ("running", "incomplete"): "an instance stopped running by itself",
    ("incomplete", "running"): "all instances run again",
    ("running", "stopped"): "all instances have stopped",
    ("incomplete", "stopped"): "all instances have stopped",
    ("running", "shutting_down"): "a person asked for it",
    ("incomplete", "shutting_down"): "a person asked for it",
    ("shutting_down", "stopped"): "the last instance has stopped",
    ("shutting_down", "failed"): "an instance could not be stopped",
    ("rollback_in_progress", "rollback_complete"): "every instance is gone",
    ("rollback_in_progress", "rollback_failed"): "an instance could not be stopped, or vanished",
    ("rollback_complete", "pending"): "another provider fits: it is launched there",
    ("rollback_complete", "failed"): "no other provider is left, or it was tried too often",
})  # fmt: skip
