"""Numbers that can be stored: JSON has no form for what is infinite or no number at all (YAML's `.inf` and `.nan`)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from deployments.core.errors import InvalidData


def refuse_infinite(value: Any, what: str) -> None:
    """Let data pass whose numbers are all finite.

    Args:
        what: what the data are, for the message ("The graph").

    Raises:
        InvalidData: one isn't; the message says where, items of lists by their id where they have one.
    """
    path = _infinite(value)
    if path is not None:
        where = ".".join(path)
        raise InvalidData(
            f"{what}: the number{f' in {where}' if where else ''} is infinite or none at all, and JSON has no form for it.", where=where
        )


def _infinite(value: Any) -> list[str] | None:
    """The way to the first such number; None if there is none."""
    if isinstance(value, float):
        return None if math.isfinite(value) else []
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(key, float) and not math.isfinite(key):
                return [str(key)]
            if (found := _infinite(item)) is not None:
                return [str(key), *found]
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value, start=1):
            if (found := _infinite(item)) is not None:
                return [_name_of(item, place), *found]
    return None


def _name_of(item: Any, place: int) -> str:
    name = item.get("id") if isinstance(item, Mapping) else None
    return name if isinstance(name, str) else str(place)
