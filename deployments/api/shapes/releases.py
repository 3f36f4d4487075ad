"""The roles of a release, as the Fuel client reads them."""

from __future__ import annotations

from typing import Any

from deployments.models import Release


def role_items(release: Release) -> list[dict[str, Any]]:
    """`[{name, meta, volumes_roles_mapping}]`, by name."""
    return [role_item(name, meta) for name, meta in sorted(release.roles_metadata.items())]


def role_item(name: str, meta: Any) -> dict[str, Any]:
    """One role; the client needs all four keys of its `meta`."""
    said = meta if isinstance(meta, dict) else {}
    return {"name": name, "meta": {"name": name, "description": "", "group": "other", "conflicts": [], **said}, "volumes_roles_mapping": []}
