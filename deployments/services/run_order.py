"""By which order a graph runs on a cluster, task by task or role by role, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deployments.core.fuel_release import fuel_version, is_before_task_based
from deployments.core.graph.templates import is_of_old_format
from deployments.core.wording import listed
from deployments.models import Cluster
from deployments.models.graph import DEFAULT_TYPE

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class RunOrder:
    """Task by task, or role by role; `why` is said where the order is not the usual one."""

    by_roles: bool = False
    why: str = ""
    warning: str = ""
    """For whoever asks for the deployment: what its graph makes of it."""

    @property
    def text(self) -> str:
        """For people: `task by task`, `role by role: release 7.0`."""
        return ": ".join(filter(None, ("role by role" if self.by_roles else "task by task", self.why)))


def run_order(cluster: Cluster, graph_type: str, tasks: Iterable[Mapping[str, Any]]) -> RunOrder:
    """How this graph, whose tasks these are, is to be run on the cluster.

    The flag of the cluster comes first. Where it is on, a default graph with tasks of the old format is run role by role as a whole: these
    say nothing of other nodes, so their order is that of the roles (Fuel 8.0). A cluster may insist on task by task.
    """
    usual = usual_order(cluster)
    if usual.by_roles:
        return usual
    old = sorted(str(task["id"]) for task in tasks if is_of_old_format(task)) if graph_type == DEFAULT_TYPE else []
    if not old:
        return usual
    are = f"task {old[0]} is" if len(old) == 1 else f"tasks {listed(old, _MOST_NAMED)} are"
    if cluster.task_based_always:
        return RunOrder(why=f"the cluster insists on it, although {are} of the old format")
    warning = (
        f"The default graph runs role by role as a whole, because {are} of the old format (version below 2.0.0), which knows no "
        "dependencies across nodes: write `version: 2.1.0` in each, or set task_based_always for the cluster."
    )
    return RunOrder(by_roles=True, why=f"{are} of the old format", warning=warning)


def usual_order(cluster: Cluster) -> RunOrder:
    """How the cluster's graphs are run, as far as no graph says otherwise."""
    return RunOrder() if cluster.task_based_deployment else RunOrder(by_roles=True, why=why_off(cluster))


def why_off(cluster: Cluster) -> str:
    """Why the cluster's flag is off: by its release, or because somebody has set it so."""
    version = cluster.release.version
    if is_before_task_based(version):
        return "release {}.{}".format(*(fuel_version(version) or ()))
    return "the cluster is set so"
