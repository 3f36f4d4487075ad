"""Reading parts of documents that people have written: each is of the kind it should be, or a sentence says what to write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployments.core.errors import InvalidData

Document = Mapping[str, Any]
"""Part of a document; `key`s below are its keys, and what is absent or null counts as not written."""


def mapping(data: Document, key: str, of: str = "the case") -> Mapping[str, Any]:
    """The mapping under a key; empty if there is none.

    Raises:
        InvalidData: something else stands there, or a key in it is no text.
    """
    value = data.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidData(f"`{key}` of {of} is {short(value)}: write a mapping of names to values.", where=key)
    for name in value:
        if not isinstance(name, str):
            raise InvalidData(f"`{key}` of {of} has the key {short(name)}: keys are texts, so put it in quotes.", where=key)
    return value


def listed(data: Document, key: str, of: str = "the case") -> list[Any]:
    """The list under a key; empty if there is none.

    Raises:
        InvalidData: something else stands there.
    """
    value = data.get(key)
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise InvalidData(f"`{key}` of {of} is {short(value)}: write a list.", where=key)
    return list(value)


def mappings(data: Document, key: str, of: str = "the case") -> list[Mapping[str, Any]]:
    """The list of mappings under a key; empty if there is none.

    Raises:
        InvalidData: something else stands there.
    """
    found = listed(data, key, of)
    for item in found:
        if not isinstance(item, Mapping):
            raise InvalidData(f"`{key}` of {of} holds {short(item)}: write a list of mappings.", where=key)
    return found


def names(data: Document, key: str, of: str = "the case") -> tuple[str, ...]:
    """The list of names under a key, numbers (as uids may be written) as texts; empty if there is none.

    Raises:
        InvalidData: something else stands there.
    """
    found = listed(data, key, of)
    for item in found:
        if not is_name(item):
            raise InvalidData(f"`{key}` of {of} holds {short(item)}: write a list of names.", where=key)
    return tuple(map(str, found))


def whole_number(data: Document, key: str, of: str = "the case", *, default: int, least: int = 0) -> int:
    """The whole number under a key.

    Raises:
        InvalidData: something else stands there, or a smaller number than `least`.
    """
    value = data.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidData(f"`{key}` of {of} is {short(value)}: write a whole number of at least {least}.", where=key)
    return value


def switch(data: Document, key: str, of: str = "the case", *, default: bool) -> bool:
    """True or false under a key.

    Raises:
        InvalidData: something else stands there.
    """
    value = data.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise InvalidData(f"`{key}` of {of} is {short(value)}: write true or false.", where=key)
    return value


def is_name(value: Any) -> bool:
    """A text, or a number as uids may be written."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def short(value: Any) -> str:
    """As people would see it, cut where it gets long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
