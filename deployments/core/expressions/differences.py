"""What is in one value and not in another, as the functions `added` and `deleted` show it (Nailgun's data diff)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any

UNDEFINED = object()
"""The value of an expression that could not be evaluated on the old data."""


def surplus(value: Any, other: Any) -> Any:
    """What `value` has and `other` has not.

    Lists keep their order, mappings give the entries that are missing or different, texts the lines. Anything else is all there or not at
    all (null). Against nothing, or a value of another kind, all of it is surplus; an undefined value has none.
    """
    if value is UNDEFINED:
        return None
    for kind, difference in _DIFFERENCES:
        if isinstance(value, kind):
            return difference(value, other) if isinstance(other, kind) else value
    return None if other is not UNDEFINED and value == other else value


def _entries(value: Mapping[Any, Any], other: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: item for key, item in value.items() if key not in other or other[key] != item}


def _lines(value: str, other: str) -> list[str]:
    known = set(other.splitlines())
    return [line for line in value.splitlines() if line not in known]


def _items(value: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
    known = set(other)
    return tuple(item for item in value if item not in known)


def _members(value: Set[Any], other: Set[Any]) -> Set[Any]:
    return value - other


_DIFFERENCES: tuple[tuple[type, Callable[[Any, Any], Any]], ...] = ((Mapping, _entries), (str, _lines), (tuple, _items), (Set, _members))
