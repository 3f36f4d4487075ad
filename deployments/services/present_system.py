"""The operating system that a node has now: what ran on the one before it is no past."""

from __future__ import annotations

from collections.abc import Mapping

from deployments.core.plan import MASTER_NODE
from deployments.core.states import PROVISION
from history import past


def on_present_system(found: Mapping[past.Name, int]) -> dict[past.Name, int]:
    """Of these runs (by each the child that it belongs to): those that no provisioning of their node has followed, however it ended."""
    if not found:
        return {}
    nodes = {node for _, node in found} - {MASTER_NODE}
    installed = past.last_installed(nodes, PROVISION, since=min(found.values()))
    return {(task, node): child for (task, node), child in found.items() if child >= installed.get(node, 0)}
