"""The graph that a cluster runs: its release's, changed by its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def merge(release: Iterable[Mapping[str, Any]], *later: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """One task list out of several: release, then plugins, then cluster (Nailgun).

    A task of a later list replaces the whole task of the same id, in its place; new ones come at the end. Within one list nothing is
    replaced.
    """
    merged = list(release)
    for tasks in later:
        merged = _merged(merged, list(tasks))
    return merged


def _merged(earlier: list[Mapping[str, Any]], later: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    replacements: dict[Any, list[Mapping[str, Any]]] = {}
    for task in later:
        replacements.setdefault(task["id"], []).append(task)
    merged: list[Mapping[str, Any]] = []
    placed: set[Any] = set()
    for task in earlier:
        if task["id"] not in replacements:
            merged.append(task)
        elif task["id"] not in placed:
            placed.add(task["id"])
            merged.extend(replacements[task["id"]])
    return merged + [task for task in later if task["id"] not in placed]
