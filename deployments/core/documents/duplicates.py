"""Keys that stand twice in one mapping: parsers keep the last one and say nothing, so what is meant by the first is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from deployments.core.documents.typed import short
from deployments.core.errors import InvalidData

_MERGE = "tag:yaml.org,2002:merge"
_RESOLVER = yaml.resolver.Resolver()


class DuplicateKey(ValueError):
    """A JSON object has a key twice; its parser knows no lines."""


def without_duplicates(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object (an `object_pairs_hook` of `json.loads`).

    Raises:
        DuplicateKey: two of the keys are equal.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise DuplicateKey(f"the key {short(next(key for key in keys if keys.count(key) > 1))} stands twice in one object")
    return found


class KeyLines:
    """Follows the events of a YAML parser and remembers on which line each key of the open mappings stands."""

    def __init__(self, what: str) -> None:
        """`what` names the text in messages ("The graph")."""
        self._what = what
        self._open: list[_Open] = []

    def event(self, event: Any) -> None:
        """Take the next event.

        Raises:
            InvalidData: it is a key that the same mapping has already; the message names both lines.
        """
        if isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
        elif isinstance(event, yaml.NodeEvent):
            around = self._open[-1] if self._open else None
            if around is not None and around.is_key() and isinstance(event, yaml.ScalarEvent):
                self._check(around, event)
            if isinstance(event, yaml.CollectionStartEvent):
                self._open.append(_Open(isinstance(event, yaml.MappingStartEvent)))

    def _check(self, around: _Open, event: Any) -> None:
        tag = event.tag or _RESOLVER.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        first = around.lines.get((tag, event.value))
        around.lines[tag, event.value] = line
        # Several merges into one mapping are read in their order, and none is lost.
        if first is not None and tag != _MERGE:
            lines = f"on lines {first} and {line}" if first != line else f"twice on line {line}"
            raise InvalidData(
                f"{self._what} has the key {short(event.value)} {lines} in one mapping: only the last would count, so take one out.",
                where=event.value,
            )


class _Open:
    """A collection that has begun; in a mapping every other node is a key."""

    __slots__ = ("_nodes", "lines", "mapping")

    def __init__(self, mapping: bool) -> None:
        self.mapping = mapping
        self.lines: dict[tuple[str, str], int] = {}
        self._nodes = 0

    def is_key(self) -> bool:
        """Whether the node that begins now is a key; counts it."""
        self._nodes += 1
        return self.mapping and self._nodes % 2 == 1
