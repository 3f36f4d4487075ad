"""Uploading graphs. Checked before anything is stored, so a graph in the database can be planned or says here why not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction as database

from deployments.core.documents.texts import refuse_unstorable
from deployments.core.errors import InvalidData
from deployments.core.fuel_release import is_before_task_based
from deployments.core.graph import validate
from deployments.core.graph.unused_roles import strange_roles
from deployments.core.names import did_you_mean
from deployments.core.plan import PlanWarning
from deployments.models import Cluster, Graph, Release
from deployments.models.graph import GRAPH_TYPE_PATTERN
from deployments.models.node import ERROR_TYPES
from deployments.models.node import STATUSES as NODE_STATUSES
from deployments.services.run_order import run_order
from deployments.services.statuses import DELETED

_CALLBACKS = ("on_success", "on_error", "on_stop")
_ATTRIBUTES: Mapping[str, Any] = {
    "status": (*NODE_STATUSES, DELETED), "pending_addition": bool, "pending_deletion": bool, "error_type": (None, *ERROR_TYPES),
    "error_msg": str,
}  # fmt: skip
"""What a graph may give its nodes when they end (Nailgun): a type, or the values that are taken."""
_LONGEST = 255
_KEYS = ("name", "tasks", "node_filter", *_CALLBACKS)


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What came of an upload: the graph, whether it is new, and what looks like a mistake in it."""

    graph: Graph
    created: bool
    warnings: Sequence[PlanWarning]


def upload_graph(owner: Cluster | Release, graph_type: str, document: Any) -> Uploaded:
    """Store a graph in place of the owner's graph of this type, if there was one.

    `document` is a list of tasks or, as the Fuel client sends it, `{tasks, name?, node_filter?, on_success?, on_error?, on_stop?}`.

    Raises:
        InvalidData: it is not a graph; nothing was changed.
    """
    fields, warnings = checked(owner, graph_type, document)
    key = {"cluster": owner} if isinstance(owner, Cluster) else {"release": owner}
    with database.atomic():
        graph, created = Graph.objects.update_or_create(**key, type=graph_type, defaults=fields)
    return Uploaded(graph, created, warnings)


def checked(owner: Cluster | Release, graph_type: str, document: Any) -> tuple[dict[str, Any], list[PlanWarning]]:
    """The columns of a graph as `upload_graph` stores it, and what looks like a mistake in it.

    Raises:
        InvalidData: it is not a graph.
    """
    if not re.match(GRAPH_TYPE_PATTERN, graph_type) or len(graph_type) > _LONGEST:
        raise InvalidData(f"'{graph_type}' can't be a graph's type: use letters, digits, - and _ only, 255 at most.")
    refuse_unstorable(document, "The graph")
    fields = _read(document)
    return fields, [*validate(fields["tasks"]), *_about_roles(owner, fields["tasks"]), *_about_order(owner, graph_type, fields["tasks"])]


def _about_roles(owner: Cluster | Release, tasks: Sequence[Any]) -> list[PlanWarning]:
    """Of a cluster it is known which roles there are; the clusters of a release may have any."""
    if isinstance(owner, Release):
        return []
    known = {*owner.release.roles_metadata, *owner.release.tags_metadata}
    for node in owner.nodes.all():
        known |= {*node.roles, *node.pending_roles, *node.tags}
    return strange_roles(tasks, known)


def _about_order(owner: Cluster | Release, graph_type: str, tasks: Sequence[Any]) -> list[PlanWarning]:
    """Tasks of the old format decide the order of the whole graph."""
    cluster = owner if isinstance(owner, Cluster) else Cluster(release=owner, task_based_deployment=not is_before_task_based(owner.version))
    order = run_order(cluster, graph_type, tasks)
    return [PlanWarning(order.warning)] if order.warning else []


def _read(document: Any) -> dict[str, Any]:
    """The columns of a graph, all of them: what an upload leaves out is empty afterwards."""
    if isinstance(document, Sequence) and not isinstance(document, str):
        document = {"tasks": list(document)}
    if not isinstance(document, Mapping) or not isinstance(document.get("tasks"), list):
        raise InvalidData("A graph is a list of tasks, or a mapping with `tasks` (and `name`, `node_filter`, `on_success` …).")
    for key in document:
        if key not in _KEYS:
            raise InvalidData(f"The graph has an unknown key '{key}'{did_you_mean(str(key), _KEYS) or '; known are ' + ', '.join(_KEYS)}")
    fields = {"name": _text(document, "name"), "node_filter": _text(document, "node_filter"), "tasks": document["tasks"]}
    return {**fields, **{name: _callback(document, name) for name in _CALLBACKS}}


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key) or ""
    if not isinstance(value, str):
        raise InvalidData(f"The graph's `{key}` must be a text.")
    if key == "name" and len(value) > _LONGEST:
        raise InvalidData(f"The graph's `name` is longer than {_LONGEST} characters ({len(value)}).")
    return value


def _callback(document: Mapping[str, Any], key: str) -> Any:
    value = document.get(key)
    if value is not None and not (isinstance(value, Mapping) and isinstance(value.get("node_attributes"), Mapping)):
        raise InvalidData(f"The graph's `{key}` must be a mapping with `node_attributes`, itself a mapping.")
    for name, given in value["node_attributes"].items() if value else ():
        allowed = _ATTRIBUTES.get(name)
        if allowed is None:
            raise InvalidData(f"The graph's `{key}` can't give nodes '{name}'{did_you_mean(str(name), _ATTRIBUTES)}")
        if not (given in allowed if isinstance(allowed, tuple) else isinstance(given, allowed)):
            words = ", ".join(map(str, allowed)) if isinstance(allowed, tuple) else "true or false" if allowed is bool else "a text"
            raise InvalidData(f"The graph's `{key}` gives nodes a `{name}` that can't be: it must be {words}.")
    return value
