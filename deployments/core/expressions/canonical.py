"""Equal data becomes one object, so that comparing and remembering go by identity.

A cluster of a thousand nodes has the same few values a thousand times; an expression that has been evaluated for one of them need not
be evaluated for the next. Types count: 1, 1.0 and True are three values here.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, MappingView, Sequence, Set
from itertools import islice
from typing import Any

MOST_ITEMS = 100_000
"""Items that a lazy sequence of an expression may give (the language's `limitIterators`)."""

_SCALARS = frozenset((str, int, float, bool, type(None)))


class NotData(TypeError):
    """The value is not made of scalars, lists, mappings and sets."""


class Frozen(dict[Any, Any]):
    """A mapping that nobody changes and that can be hashed. Only a `Canon` makes them."""

    __slots__ = ("_hash",)

    def __hash__(self) -> int:  # type: ignore[override]
        try:
            return self._hash
        except AttributeError:
            self._hash: int = hash(frozenset(self.items()))
            return self._hash


class Canon:
    """Keeps one object for all equal ones, for ever, so the `id` of what `freeze` gives stands for the value."""

    def __init__(self) -> None:
        self._scalars: dict[tuple[type, Hashable], Any] = {}
        self._lists: dict[tuple[int, ...], tuple[Any, ...]] = {}
        self._mappings: dict[tuple[int, ...], Frozen] = {}
        self._sets: dict[frozenset[int], frozenset[Any]] = {}
        self._containers: set[int] = set()
        self._thawed: dict[int, Any] = {}

    def freeze(self, value: Any) -> Any:
        """The one object for this value: tuples for sequences, `Frozen` for mappings. Mappings of another order are another value.

        Raises:
            NotData: functions and other objects of the language.
        """
        if id(value) in self._containers:
            return value
        if type(value) in _SCALARS:
            return self._scalars.setdefault((type(value), value), value)
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, MappingView | Iterator | range):
            # Views of a mapping have its order, though keys are a set too.
            return self._list(_all_of(value))
        if isinstance(value, Set):
            return self._set(value)
        if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
            return self._list(value)
        return self._other(value)

    def thaw(self, value: Any) -> Any:
        """What JSON knows, for a frozen value: plain lists and dicts, the same object each time, not to be changed.

        Sets become sorted lists, and dates their text.
        """
        if not isinstance(value, tuple | Frozen | frozenset):
            return value if type(value) in _SCALARS else str(value)
        known = self._thawed.get(id(value))
        if known is None:
            known = self._thawed[id(value)] = self._plain(value)
        return known

    def _plain(self, value: tuple[Any, ...] | Frozen | frozenset[Any]) -> Any:
        if isinstance(value, Frozen):
            return {_plain_key(key): self.thaw(item) for key, item in value.items()}
        items = sorted(value, key=lambda item: (type(item).__name__, repr(item))) if isinstance(value, frozenset) else value
        return [self.thaw(item) for item in items]

    def _mapping(self, value: Mapping[Any, Any]) -> Frozen:
        pairs = [(self.freeze(key), self.freeze(item)) for key, item in value.items()]
        ids = tuple(number for key, item in pairs for number in (id(key), id(item)))
        found = self._mappings.get(ids)
        return found if found is not None else self._keep(self._mappings, ids, Frozen(pairs))

    def _list(self, value: Iterable[Any]) -> tuple[Any, ...]:
        items = tuple(map(self.freeze, value))
        ids = tuple(map(id, items))
        found = self._lists.get(ids)
        # The empty tuple is one object in the whole process anyway.
        return found if found is not None else self._keep(self._lists, ids, items)

    def _set(self, value: Set[Any]) -> frozenset[Any]:
        items = frozenset(map(self.freeze, value))
        ids = frozenset(map(id, items))
        found = self._sets.get(ids)
        return found if found is not None else self._keep(self._sets, ids, items)

    def _keep(self, kept: dict[Any, Any], key: Hashable, value: Any) -> Any:
        kept[key] = value
        self._containers.add(id(value))
        return value

    def _other(self, value: Any) -> Any:
        """Dates and the like: plain values that YAML knows."""
        if isinstance(value, str | int | float | bytes) or type(value).__module__ == "datetime":
            return self._scalars.setdefault((type(value), value), value)
        raise NotData(f"a {type(value).__name__} is not data")


def _all_of(value: Any) -> list[Any]:
    items = list(islice(value, MOST_ITEMS + 1))
    if len(items) > MOST_ITEMS:
        raise ValueError(f"more than {MOST_ITEMS} items")
    return items


def _plain_key(key: Any) -> Any:
    return key if type(key) in _SCALARS else str(key)
