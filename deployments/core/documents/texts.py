"""Texts that can be stored: PostgreSQL keeps no NUL character, and no encoding keeps half a surrogate pair."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from deployments.core.errors import InvalidData

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def storable(value: Any) -> Any:
    """The same data (of JSON's kinds) with U+FFFD in place of every character that can't be stored."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {storable(key): storable(item) for key, item in value.items()}
    return [storable(item) for item in value] if isinstance(value, list | tuple) else value


def refuse_unstorable(value: Any, what: str) -> None:
    """Let data pass that can be stored as it is.

    Args:
        what: what the data are, for the message ("The graph").

    Raises:
        InvalidData: a text in it, or a key, has a NUL character or half a surrogate pair; the message says where.
    """
    path = _unstorable(value)
    if path is not None:
        where = ".".join(str(storable(step)) for step in path)
        raise InvalidData(
            f"{what} has a character that can't be stored (NUL, or half a surrogate pair){f' in {where}' if where else ''}: take it out.",
            where=where,
        )


def _unstorable(value: Any) -> list[Any] | None:
    """The way to the first such text; None if there is none."""
    if isinstance(value, str):
        return [] if _UNSTORABLE.search(value) else None
    if isinstance(value, Mapping):
        for key, item in value.items():
            found = [] if _unstorable(key) is not None else _unstorable(item)
            if found is not None:
                return [key, *found]
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value, start=1):
            found = _unstorable(item)
            if found is not None:
                return [place, *found]
    return None
