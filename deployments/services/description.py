"""A cluster file as something to be stored: what planning reads (see `core.cluster_file`), and what else the database keeps.

```yaml
name: shop                       # else the file's own name
release: {name: Shop, version: shop-1.0, operating_system: …, description: …}
roles_metadata: {…}              # of the release, as tags_metadata
mode: ha_compact
task_based_deployment: true      # false: role after role
task_based_always: false         # true: even if the default graph has tasks of the old format
max_nodes_per_call: 50           # how many nodes may be busy at once; 0 = no limit
fleet: default                   # the fleet worker that serves the nodes
common: {…}                      # facts common to all nodes: what graphs read as $common
settings: {…}                    # what people edit
nodes:
  - uid: 1                       # unique in the whole system
    name: node-1
    roles: [controller]
    tags: [primary-controller]   # else those of its roles
    data: {…}                    # facts of this node: what graphs read as $node
    status: provisioned          # hostname, mac, ip, labels, meta, os_platform
```

The `cluster` of a planning case is one too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import Model

from deployments.core.cases import cluster_file
from deployments.core.cases.cluster_file import ClusterFile, FileNode
from deployments.core.documents.texts import refuse_unstorable
from deployments.core.errors import InvalidData
from deployments.core.names import did_you_mean
from deployments.models import Cluster, Node, Release
from deployments.models.node import STATUSES as NODE_STATUSES

_CLUSTER_TYPES: Mapping[str, type] = {
    "mode": str, "task_based_deployment": bool, "task_based_always": bool, "max_nodes_per_call": int, "fleet": str, "settings": dict,
}  # fmt: skip
_NODE_TYPES: Mapping[str, type] = {
    "hostname": str, "status": str, "mac": str, "ip": str, "labels": dict, "meta": dict, "os_platform": str,
}  # fmt: skip
_RELEASE_TYPES: Mapping[str, type] = {"description": str, "operating_system": str}
_WORDS = {str: "a text", bool: "true or false", int: "a whole number", dict: "a mapping"}
_READY_TO_DEPLOY = "provisioned"
_MOST_NODES = 2_147_483_647


@dataclass(frozen=True, slots=True)
class ReleaseDescription:
    """A release by name and version; `fields` are what else is said of it."""

    name: str
    version: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeDescription:
    """A node; `fields` are columns of the model."""

    uid: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClusterDescription:
    """A cluster; `fields` are columns of the model."""

    name: str
    release: ReleaseDescription | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    nodes: tuple[NodeDescription, ...] = ()

    def renumbered(self, uids: Mapping[str, str], name: str) -> ClusterDescription:
        """Under another name, with other uids (old to new), also where the facts name them as a `uid`."""
        nodes = tuple(NodeDescription(uids.get(node.uid, node.uid), _with_uids(node.fields, uids)) for node in self.nodes)
        return replace(self, name=name, nodes=nodes, fields=_with_uids(self.fields, uids))


def read(data: Any, default_name: str) -> ClusterDescription:
    """Read a cluster file's content.

    Raises:
        InvalidData: it is not a cluster file; the sentence says where and what to do.
    """
    if isinstance(data, Mapping) and isinstance(data.get("cluster"), Mapping) and "nodes" not in data:
        data = data["cluster"]
    parsed = cluster_file.parse(data)
    fields = {"common": dict(parsed.common), **_fields(data, _CLUSTER_TYPES, "The cluster")}
    _check_cluster(fields, parsed)
    nodes = tuple(_node(node, raw) for node, raw in zip(parsed.nodes, data.get("nodes") or [], strict=True))
    for key in ("hostname", "mac"):
        _no_doubles(nodes, key)
    name = parsed.name or default_name
    return ClusterDescription(name, _release(data.get("release"), parsed, name), fields, nodes)


def _check_cluster(fields: Mapping[str, Any], parsed: ClusterFile) -> None:
    if not parsed.nodes:
        raise InvalidData("The cluster file names no nodes: it needs `nodes`, a list of nodes, each with a `uid`.")
    modes = [mode for mode, _ in Cluster.MODES]
    if fields.get("mode", modes[0]) not in modes:
        raise InvalidData(f"The cluster's `mode` must be one of {', '.join(modes)}.")
    if not 0 <= fields.get("max_nodes_per_call", 0) <= _MOST_NODES:
        raise InvalidData(f"The cluster's `max_nodes_per_call` must be 0 (no limit) or more, and at most {_MOST_NODES:,}.")


def _release(data: Any, parsed: ClusterFile, cluster: str) -> ReleaseDescription | None:
    """The release that is named, or one of the cluster's own where the file brings roles or tags of its own."""
    given = {"roles_metadata": parsed.roles_metadata, "tags_metadata": parsed.tags_metadata}
    metadata = {key: dict(value) for key, value in given.items() if value}
    if data is None:
        return ReleaseDescription(cluster, f"{cluster}-1.0", metadata) if metadata else None
    if not isinstance(data, Mapping):
        raise InvalidData("The cluster's `release` must be a mapping with `name` and `version`.")
    known = [*_RELEASE_TYPES, "name", "version"]
    for key in data:
        if key not in known:
            raise InvalidData(f"The release has the unknown key '{key}'{did_you_mean(str(key), known) or '.'}")
    name, version = data.get("name"), data.get("version")
    if not (isinstance(name, str) and name and isinstance(version, str) and version):
        raise InvalidData("The cluster's `release` needs a `name` and a `version`, both texts.")
    return ReleaseDescription(name, version, _fields(data, _RELEASE_TYPES, "The release") | metadata)


def _node(node: FileNode, raw: Mapping[str, Any]) -> NodeDescription:
    where = f"Node {node.uid}"
    fields = {"status": _READY_TO_DEPLOY, **_fields(raw, _NODE_TYPES, where)}
    if fields["status"] not in NODE_STATUSES:
        raise InvalidData(f"{where}: there is no status '{fields['status']}'; use one of {', '.join(NODE_STATUSES)}.", node=node.uid)
    name = node.name or f"node-{node.uid}"
    fields |= {
        "name": name,
        "roles": list(node.roles),
        "tags": list(node.tags or ()),
        "data": {"name": node.name, **node.data} if node.name else dict(node.data),
    }
    return NodeDescription(node.uid, fields)


def _fields(data: Mapping[str, Any], types: Mapping[str, type], where: str) -> dict[str, Any]:
    """What is given of these keys, each of its type (YAML's true is no number)."""
    fields = {key: data[key] for key in types if data.get(key) is not None}
    for key, value in fields.items():
        if not isinstance(value, types[key]) or (types[key] is int and isinstance(value, bool)):
            raise InvalidData(f"{where}: `{key}` must be {_WORDS[types[key]]}.")
    return fields


def _no_doubles(nodes: Collection[NodeDescription], key: str) -> None:
    values = Counter(node.fields[key] for node in nodes if node.fields.get(key))
    double = [value for value, times in values.items() if times > 1]
    if double:
        raise InvalidData(f"Several nodes of the file have the {key} {double[0]}: every node needs its own.")


def check_room(description: ClusterDescription) -> None:
    """Make sure that the database can keep it, whichever that is.

    Raises:
        InvalidData: a text is too long, or has a character that can't be stored.
    """
    release = description.release
    parts: list[tuple[str, type[Model], Mapping[str, Any]]] = [
        ("The cluster", Cluster, {"name": description.name, **description.fields}),
        *((f"Node {node.uid}", Node, node.fields) for node in description.nodes),
        *([("The release", Release, {"name": release.name, "version": release.version, **release.fields})] if release else []),
    ]
    for what, model, fields in parts:
        refuse_unstorable(fields, what)
        for key, value in fields.items():
            most = getattr(model._meta.get_field(key), "max_length", None)
            if most is not None and isinstance(value, str) and len(value) > most:
                raise InvalidData(f"{what}: `{key}` is longer than {most} characters ({len(value)}).", where=key)


def _with_uids(data: Any, uids: Mapping[str, str]) -> Any:
    if isinstance(data, Mapping):
        return {key: _new_uid(value, uids) if key == "uid" else _with_uids(value, uids) for key, value in data.items()}
    return [_with_uids(value, uids) for value in data] if isinstance(data, list) else data


def _new_uid(value: Any, uids: Mapping[str, str]) -> Any:
    """A number stays a number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return _with_uids(value, uids)
    new = uids.get(str(value))
    return value if new is None else int(new) if isinstance(value, int) else new
