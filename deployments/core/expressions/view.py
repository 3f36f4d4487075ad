"""What the expressions of a task see on one node: `$` (new), the data of its last successful run (old), `$node` and `$common`."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any

from deployments.core.expressions.canonical import Canon, Frozen
from deployments.core.expressions.memory import Answer, Question, Tracer

ABSENT = object()
NOTHING: Mapping[str, Any] = {}


class Reader:
    """Makes the questions that roots ask, one object for each, and knows who is asking."""

    def __init__(self, canon: Canon, tracer: Tracer) -> None:
        self.canon, self.tracer = canon, tracer
        self._keys: dict[tuple[str, Any], _Key] = {}
        self._wholes: dict[str, _Whole] = {}

    def key(self, space: str, key: Any) -> Question:
        """What does this key of `new`, `old` or `node` hold?"""
        found = self._keys.get((space, key))
        if found is None:
            found = self._keys[space, key] = _Key(space, key)
        return found

    def whole(self, space: str) -> Question:
        """What does all of `new`, `old` or `node` hold?"""
        found = self._wholes.get(space)
        if found is None:
            found = self._wholes[space] = _Whole(space)
        return found


class _Key:
    __slots__ = ("_key", "_space")

    def __init__(self, space: str, key: Any) -> None:
        self._space, self._key = space, key

    def ask(self, view: View) -> Answer:
        return id(view.root(self._space).peek(self._key))


class _Whole:
    __slots__ = ("_space",)

    def __init__(self, space: str) -> None:
        self._space = space

    def ask(self, view: View) -> Answer:
        return id(view.root(self._space).whole())


class Root(Mapping[str, Any]):
    """A mapping at the root of a view: `top` over `base`. Whoever reads it leaves a trace, by key where that is all that was read."""

    __slots__ = ("_base", "_reader", "_space", "_top", "_whole")

    def __init__(self, reader: Reader, space: str, top: Frozen, base: Mapping[str, Any] = NOTHING) -> None:
        self._reader, self._space, self._top, self._base = reader, space, top, base
        self._whole: Frozen | None = None

    def peek(self, key: Any) -> Any:
        """The value or `ABSENT`, without a trace."""
        found = self._top.get(key, ABSENT)
        return self._base.get(key, ABSENT) if found is ABSENT else found

    def whole(self) -> Frozen:
        """All of it in one canonical mapping, without a trace."""
        if self._whole is None:
            self._whole = self._reader.canon.freeze({**self._base, **self._top})
        return self._whole

    def all(self) -> Frozen:
        """All of it, with a trace."""
        whole = self.whole()
        self._reader.tracer.note(self._reader.whole(self._space), id(whole))
        return whole

    def _read(self, key: Any) -> Any:
        found = self.peek(key)
        self._reader.tracer.note(self._reader.key(self._space, key), id(found))
        return found

    def __getitem__(self, key: str) -> Any:
        found = self._read(key)
        if found is ABSENT:
            raise KeyError(key)
        return found

    def get(self, key: str, default: Any = None) -> Any:
        found = self._read(key)
        return default if found is ABSENT else found

    def __contains__(self, key: object) -> bool:
        return self._read(key) is not ABSENT

    def __iter__(self) -> Iterator[str]:
        return iter(self.all())

    def __len__(self) -> int:
        return len(self.all())

    def keys(self) -> KeysView[str]:
        return self.all().keys()

    def values(self) -> ValuesView[Any]:
        return self.all().values()

    def items(self) -> ItemsView[str, Any]:
        return self.all().items()

    def __eq__(self, other: object) -> bool:
        return self.all() == (other.all() if isinstance(other, Root) else other)

    def __hash__(self) -> int:
        return hash(self.all())


class View:
    """One node, with the old data that counts for the task at hand. Tasks with the same old data share a view."""

    __slots__ = ("answers", "new", "node", "old", "values")

    def __init__(self, new: Root, old: Root, node: Root) -> None:
        self.new, self.old, self.node = new, old, node
        self.answers: dict[Question, Any] = {}
        self.values: dict[Any, Any] = {}

    def root(self, space: str) -> Root:
        """`new`, `old` or `node`."""
        return self.new if space == "new" else self.old if space == "old" else self.node
