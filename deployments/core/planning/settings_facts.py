"""What people edit, as the facts that expressions read: `{section: {field: {value, …}}}` → `{section: {field: value}}` (Nailgun)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TOP = "common"
_COMPONENTS = "additional_components"


def settings_facts(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The values of editable settings.

    The fields of the section `common` stand at the top; each switch of `additional_components` becomes `{name: {enabled: …}}`. What
    the pages need to draw a section (its `metadata`) is left out.
    """
    facts = {name: _values(section) for name, section in settings.items()}
    top, components = facts.pop(_TOP, {}), facts.pop(_COMPONENTS, {})
    for name, enabled in _items(components):
        if isinstance(enabled, bool) and isinstance(facts.setdefault(name, {}), dict):
            facts[name]["enabled"] = enabled
    return {**facts, **dict(_items(top))}


def united(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both in one mapping, at every depth; where they contradict each other `above` counts."""
    both = dict(below)
    for key, value in above.items():
        known = both.get(key)
        both[key] = united(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return both


def _values(section: Any) -> Any:
    if not isinstance(section, Mapping):
        return section
    return {
        name: field["value"] if isinstance(field, Mapping) and "value" in field else field
        for name, field in section.items()
        if name != "metadata"
    }


def _items(section: Any) -> list[tuple[str, Any]]:
    return list(section.items()) if isinstance(section, Mapping) else []
