"""Fuel's place for a cluster's flag "task by task": the field `task_deploy` of the settings' section `common`.

The flag itself is `Cluster.task_based_deployment`. Whoever edits the settings as Fuel's client does reads it and sets it there as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployments.core.errors import InvalidData
from deployments.core.fuel_release import is_before_task_based
from deployments.models import Cluster, Release

_SECTION, _FIELD = "common", "task_deploy"
_NEW = {"type": "checkbox", "label": "Task based deployment"}


def told_by(settings: Mapping[str, Any]) -> bool | None:
    """What these settings say; None if they don't.

    Raises:
        InvalidData: they say neither true nor false.
    """
    section = settings.get(_SECTION)
    field = section.get(_FIELD) if isinstance(section, Mapping) else None
    if field is None:
        return None
    value = field.get("value") if isinstance(field, Mapping) else field
    if not isinstance(value, bool):
        raise InvalidData(f"{_SECTION}.{_FIELD}.value: must be true or false")
    return value


def initial_flag(release: Release, settings: Mapping[str, Any]) -> bool:
    """What a new cluster begins with where nobody has said it: what its settings say, else on, but off for releases of a Fuel before 8.0,
    which knew the order of roles only.

    Raises:
        InvalidData: the settings say neither true nor false.
    """
    said = told_by(settings)
    return not is_before_task_based(release.version) if said is None else said


def shown_settings(cluster: Cluster) -> dict[str, Any]:
    """The settings for people, with the flag in Fuel's place."""
    section = cluster.settings.get(_SECTION, {})
    if not isinstance(section, Mapping):
        return dict(cluster.settings)
    field = section.get(_FIELD)
    field = field if isinstance(field, Mapping) else _NEW
    return {**cluster.settings, _SECTION: {**section, _FIELD: {**field, "value": cluster.task_based_deployment}}}


def settings_for_graphs(cluster: Cluster) -> dict[str, Any]:
    """The settings as they are stored; where they have the field, it says what the flag says."""
    section = cluster.settings.get(_SECTION)
    return shown_settings(cluster) if isinstance(section, Mapping) and _FIELD in section else dict(cluster.settings)
