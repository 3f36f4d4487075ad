"""A cluster as a file describes it: nodes with their roles, and the data that expressions see.

name: demo
nodes:
  - {uid: 1, name: web-1, roles: [web], data: {port: 8001}}
common: {port: 8000}
roles_metadata: {web: {tags: [web], has_primary: true}}      # optional, as `tags_metadata`
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deployments.core.documents import safe_yaml
from deployments.core.errors import InvalidData
from deployments.core.facts import ClusterFacts, NodeFacts, PastFacts
from deployments.core.names import did_you_mean
from deployments.core.plan import MASTER_NODE, SYNC_NODE
from deployments.core.planning.roles import assign_tags

CLUSTER_KEYS = ("name", "nodes", "common", "roles_metadata", "tags_metadata", "old")
NODE_KEYS = ("uid", "name", "roles", "roles_assigned", "tags", "data")
STORED_CLUSTER_KEYS = ("release", "mode", "task_based_deployment", "task_based_always", "max_nodes_per_call", "fleet", "settings")
STORED_NODE_KEYS = ("hostname", "status", "mac", "ip", "labels", "meta", "os_platform")
"""Keys that mean nothing to a plan: the database keeps them (see `services.description`)."""
_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}")
_ALL_TASKS = "all_tasks"


@dataclass(frozen=True, slots=True)
class FileNode:
    """A node of a cluster file. `tags` are there only where the file gives them itself."""

    uid: str
    name: str = ""
    roles: tuple[str, ...] = ()
    tags: tuple[str, ...] | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClusterFile:
    """A checked cluster file."""

    name: str
    nodes: tuple[FileNode, ...]
    common: Mapping[str, Any] = field(default_factory=dict)
    roles_metadata: Mapping[str, Any] = field(default_factory=dict)
    tags_metadata: Mapping[str, Any] = field(default_factory=dict)
    old: Mapping[str, PastFacts] = field(default_factory=dict)
    old_default: PastFacts | None = None

    def facts(self) -> ClusterFacts:
        """What the planner sees: tags worked out from roles where the file doesn't give them."""
        assigned = assign_tags({node.uid: node.roles for node in self.nodes}, self.roles_metadata, self.tags_metadata)
        nodes = tuple(NodeFacts(node.uid, assigned[node.uid] if node.tags is None else node.tags, _data_of(node)) for node in self.nodes)
        old = {task: dict.fromkeys(past.nodes, past) for task, past in self.old.items()}
        return ClusterFacts(self.common, nodes, old, self.old_default)


def load(text: str | bytes) -> ClusterFile:
    """Read and check a cluster file, YAML or JSON.

    Raises:
        InvalidData: it can't be read, or is no valid cluster (see `parse`).
    """
    return parse(safe_yaml.load(text, "The cluster file"))


def parse(data: Any, *, unknown_keys: bool = False) -> ClusterFile:
    """Check the data of a cluster file, or the `cluster` of a planning case.

    Args:
        unknown_keys: let keys pass that mean nothing here.

    Raises:
        InvalidData: the first thing that is wrong, with the node's uid or place.
    """
    _check_mapping(data, "The cluster file")
    if not unknown_keys:
        _check_keys(data, CLUSTER_KEYS + STORED_CLUSTER_KEYS, "The cluster file")
    listed = data.get("nodes") or []
    if not isinstance(listed, list):
        raise InvalidData("`nodes` of the cluster file must be a list.", where="nodes")
    nodes = tuple(_node(node, place, unknown_keys) for place, node in enumerate(listed, start=1))
    _check_uids(nodes)
    old = _part(data, "old")
    past = {task: _past(task, facts) for task, facts in old.items() if task != _ALL_TASKS}
    return ClusterFile(
        name=str(data.get("name") or ""),
        nodes=nodes,
        common=_part(data, "common"),
        roles_metadata=_part(data, "roles_metadata"),
        tags_metadata=_part(data, "tags_metadata"),
        old=past,
        old_default=_past(_ALL_TASKS, old[_ALL_TASKS]) if _ALL_TASKS in old else None,
    )


def _node(node: Any, place: int, unknown_keys: bool) -> FileNode:
    _check_mapping(node, f"Node {place} of the cluster file")
    uid = str(node.get("uid", ""))
    if not _UID.fullmatch(uid) or isinstance(node["uid"], bool | float):
        raise InvalidData(
            f"Node {place} of the cluster file has the uid {node.get('uid')!r}: a uid is a number or a short name.", where="uid"
        )
    what = f"Node {uid}"
    if not unknown_keys:
        _check_keys(node, NODE_KEYS + STORED_NODE_KEYS, what)
    return FileNode(
        uid=uid,
        name=str(node.get("name") or ""),
        roles=_texts(node.get("roles", node.get("roles_assigned")), "roles", uid),
        tags=_texts(node["tags"], "tags", uid) if node.get("tags") is not None else None,
        data=_part(node, "data", what),
    )


def _data_of(node: FileNode) -> Mapping[str, Any]:
    return {"name": node.name, **node.data} if node.name else node.data


def _past(task: str, facts: Any) -> PastFacts:
    what = f"`old` of '{task}'"
    _check_mapping(facts, what)
    nodes = facts.get("nodes") or {}
    if isinstance(nodes, list):
        nodes = _listed_info(nodes)
    _check_mapping(nodes, f"`nodes` in {what}")
    return PastFacts(_part(facts, "common", what), {uid: _part(nodes, uid, f"`nodes` in {what}") for uid in nodes})


def _listed_info(nodes: list[Any]) -> dict[str, Any]:
    """Nodes as a list stand for a whole cluster: its master and its sync points had run too."""
    listed = [_node(node, place, True) for place, node in enumerate(nodes, start=1)]
    info: dict[str, Any] = {node.uid: NodeFacts(node.uid, node.tags or node.roles, _data_of(node)).deployment_info() for node in listed}
    info.setdefault(MASTER_NODE, NodeFacts(MASTER_NODE, (MASTER_NODE,)).deployment_info())
    info.setdefault(SYNC_NODE, {})
    return info


def _check_uids(nodes: Iterable[FileNode]) -> None:
    seen: set[str] = set()
    for node in nodes:
        if node.uid in (MASTER_NODE, SYNC_NODE):
            raise InvalidData(f"A node can't have the uid '{node.uid}': the system itself uses it.", node=node.uid)
        if node.uid in seen:
            raise InvalidData(f"Two nodes of the cluster file have the uid {node.uid}; uids are unique.", node=node.uid)
        seen.add(node.uid)


def _texts(value: Any, key: str, uid: str) -> tuple[str, ...]:
    if value is None:
        return ()
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        raise InvalidData(f"`{key}` of node {uid} must be a list of names.", node=uid, where=key)
    return tuple(dict.fromkeys(listed))


def _part(data: Mapping[str, Any], key: str, what: str = "the cluster file") -> Mapping[str, Any]:
    part = data.get(key) or {}
    _check_mapping(part, f"`{key}` of {what}")
    return part


def _check_mapping(data: Any, what: str) -> None:
    if not isinstance(data, Mapping):
        raise InvalidData(f"{what} must be a mapping of keys to values.")
    for key in data:
        if not isinstance(key, str):
            raise InvalidData(f"{what} has the key {key!r}: keys are texts, so put it in quotes.")


def _check_keys(data: Mapping[str, Any], known: tuple[str, ...], what: str) -> None:
    for key in data:
        if key not in known:
            hint = did_you_mean(key, known, f"; known are {', '.join(known)}.")
            raise InvalidData(f"{what} has the unknown key '{key}'{hint}", where=key)
