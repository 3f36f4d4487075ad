"""Sequences: graphs that are run one after the other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError
from django.db import transaction as database

from deployments.core.errors import InvalidData
from deployments.models import Cluster, Release, Sequence
from deployments.models.graph import GRAPH_TYPE_PATTERN
from deployments.services.errors import Conflict, NotFound


def find_sequence(sequence_id: int) -> Sequence:
    """A sequence by its id.

    Raises:
        NotFound: there is none.
    """
    found = Sequence.objects.select_related("release").filter(pk=sequence_id).first()
    if found is None:
        raise NotFound("Sequence not found")
    return found


def of_cluster(sequence: Sequence, cluster: Cluster) -> Sequence:
    """The sequence, if the cluster can run it.

    Raises:
        NotFound: it belongs to another release.
    """
    if sequence.release_id != cluster.release_id:
        raise NotFound(f"Sequence '{sequence.name}' is not found for cluster {cluster.name}")
    return sequence


def create(data: Mapping[str, Any]) -> Sequence:
    """Make a sequence out of `{release, name, graphs}`.

    Raises:
        InvalidData: something is missing or not as it must be.
        NotFound: there is no such release.
        Conflict: the release has one of this name.
    """
    _check_keys(data, {"release", "name", "graphs"}, needed={"release", "name", "graphs"})
    release = data["release"]
    if not isinstance(release, int) or isinstance(release, bool):
        raise InvalidData("release: must be the id of a release")
    if not 0 < release < 2**62 or not Release.objects.filter(pk=release).exists():
        raise NotFound("Release not found")
    return _save(Sequence(release_id=release), data)


def change(sequence: Sequence, data: Mapping[str, Any]) -> Sequence:
    """Change its name or its graphs.

    Raises:
        InvalidData: something is not as it must be.
        Conflict: the release has one of this name.
    """
    _check_keys(data, {"name", "graphs"}, needed=set())
    return _save(sequence, data)


def _save(sequence: Sequence, data: Mapping[str, Any]) -> Sequence:
    if "name" in data:
        if not isinstance(data["name"], str) or not 0 < len(data["name"]) <= 255:
            raise InvalidData("name: must be a text of 1 to 255 characters")
        sequence.name = data["name"]
    if "graphs" in data:
        sequence.graphs = checked_graphs(data["graphs"])
    try:
        with database.atomic():
            sequence.save()
    except IntegrityError as error:
        raise Conflict(f'Sequence with name "{sequence.name}" already exist for release {sequence.release_id}.') from error
    return sequence


def checked_graphs(graphs: Any) -> list[dict[str, Any]]:
    """The graphs of a sequence as they may be stored.

    Raises:
        InvalidData: they are not `[{type, nodes?, tasks?}, …]`.
    """
    if not isinstance(graphs, list) or not graphs:
        raise InvalidData("graphs: must be a list of at least one {type: …}")
    for graph in graphs:
        if not isinstance(graph, dict) or not isinstance(graph.get("type"), str) or not re.match(GRAPH_TYPE_PATTERN, graph["type"]):
            raise InvalidData("graphs: each needs a `type` made of letters, digits, - and _")
        if not set(graph) <= {"type", "nodes", "tasks"}:
            raise InvalidData("graphs: each may have `type`, `nodes` and `tasks`, and nothing else")
        if not _is_list(graph.get("nodes", []), int | str) or not _is_list(graph.get("tasks", []), str):
            raise InvalidData("graphs: `nodes` are ids of nodes, `tasks` are ids of tasks")
    return graphs


def _is_list(value: Any, kind: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, kind) and not isinstance(each, bool) for each in value)


def _check_keys(data: Mapping[str, Any], known: set[str], needed: set[str]) -> None:
    if missing := sorted(needed - set(data)):
        raise InvalidData(f"{missing[0]!r} is a required property")
    if strange := sorted(set(data) - known):
        raise InvalidData(f"Additional properties are not allowed: {', '.join(strange)}")
