"""What the planner knows of a cluster: data only, from wherever it comes (the database, a file, a case)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deployments.core.plan import SYNC_NODE

DEFAULT_MASTER_IP = "10.20.0.2"


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """A node: `tags` select its tasks (see `roles.assign_tags`), `data` is what expressions see beyond `uid` and `roles`."""

    uid: str
    tags: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)

    def deployment_info(self) -> dict[str, Any]:
        """What expressions see as `$node`: Fuel's deployment info. `roles` are the tags there."""
        return {"uid": self.uid, "roles": list(self.tags), **self.data}


@dataclass(frozen=True, slots=True)
class PastFacts:
    """The data of an earlier transaction: `nodes` holds each node's deployment info by uid."""

    common: Mapping[str, Any]
    nodes: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """A cluster as planning sees it.

    `old` holds by task id and node what the task's last successful run there saw: one node may have run it last in another transaction
    than its neighbour, with other common data. `old_default` stands for the tasks that are not in `old`. Nodes in `fresh` are treated as
    if nothing had ever run on them (new nodes, and such as were stopped or failed: all their tasks run again).
    """

    common: Mapping[str, Any] = field(default_factory=dict)
    nodes: tuple[NodeFacts, ...] = ()
    old: Mapping[str, Mapping[str, PastFacts]] = field(default_factory=dict)
    old_default: PastFacts | None = None
    fresh: frozenset[str] = frozenset()

    def past(self, task: str, node: str) -> PastFacts | None:
        """What the task's last successful run on this node saw, if there was one; a node that is `fresh` has a past too.

        A node that a past doesn't know, or of which it holds nothing, has no old data at all, not even the common part (Nailgun).
        Only the sync node has no data of its own and is known all the same.
        """
        past = self.old_default if task not in self.old else self.old[task].get(node)
        if past is None or node not in past.nodes:
            return None
        return past if past.nodes[node] or node == SYNC_NODE else None


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """What the installation decides: Nailgun's LCM_CHECK_TASK_VERSION and MASTER_IP; `shown` is what `{SETTINGS}` prints."""

    check_task_version: bool = False
    master_ip: str = DEFAULT_MASTER_IP
    shown: Mapping[str, Any] = field(default_factory=dict)
