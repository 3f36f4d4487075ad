"""Texts that can be stored: PostgreSQL keeps no NUL character, and no encoding keeps half a surrogate pair."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from deployments.core.errors import InvalidData

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""Control characters but tab and end of line, marks that turn the direction of writing, and what has no width."""


def visible(text: str) -> str:
    """The text with every character that a terminal would obey, or hide, written as its escape (`\\x1b`, `\\u202e`)."""
    return _INVISIBLE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


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
