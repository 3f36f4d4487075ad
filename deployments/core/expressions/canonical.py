"""Equal data becomes one object, so that comparing and remembering go by identity.

A cluster of a thousand nodes has the same few values a thousand times; an expression that has been evaluated for one of them need not
be evaluated for the next. Types count: 1, 1.0 and True are three values here.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, MappingView, Sequence, Set
from contextlib import contextmanager
from itertools import islice
from math import inf
from typing import Any

MOST_ITEMS = 100_000
"""Items that a lazy sequence of an expression may give (the language's `limitIterators`)."""

MOST_OF_ONE = 64 * 1000**2
"""Bytes of new data that one evaluation may give, its intermediate values included."""
MOST_OF_ALL = 256 * 1000**2
"""Bytes of new data that all evaluations of a plan together may give."""

_SCALARS = frozenset((str, int, float, bool, type(None)))
_UNKNOWN = object()
_PER_ITEM = 8
"""Bytes of a reference, so that long lists of small values count too."""


class TooMuch(ValueError):
    """An evaluation gives more data than it may."""


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
        self._made = 0
        self._most_made: float = inf
        self._left = MOST_OF_ALL

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """Count what is new to it inside of this block, and refuse more than an evaluation may give.

        Raises (inside):
            TooMuch: with what was more than allowed. Each further new value raises it again, should somebody swallow it.
        """
        before = self._made
        self._most_made = before + min(MOST_OF_ONE, self._left)
        try:
            yield
        finally:
            self._left -= self._made - before
            self._most_made = inf

    def freeze(self, value: Any) -> Any:
        """The one object for this value: tuples for sequences, `Frozen` for mappings. Mappings of another order are another value.

        Raises:
            NotData: functions and other objects of the language.
        """
        if id(value) in self._containers:
            return value
        if type(value) in _SCALARS:
            known = self._scalars.get((type(value), value), _UNKNOWN)
            return known if known is not _UNKNOWN else self._keep_scalar(value)
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

    def _keep_scalar(self, value: Any) -> Any:
        self._count(len(value) if isinstance(value, str) else _PER_ITEM)
        self._scalars[type(value), value] = value
        return value

    def _count(self, size: int) -> None:
        self._made += size
        if self._made > self._most_made:
            all_of_them = self._left < MOST_OF_ONE
            most, whose = (MOST_OF_ALL, "all expressions of this graph together give") if all_of_them else (MOST_OF_ONE, "it gives")
            raise TooMuch(f"{whose} more than {most // 1000**2} MB")

    def _keep(self, kept: dict[Any, Any], key: Hashable, value: Any) -> Any:
        self._count(_PER_ITEM * len(value))
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
