"""How much data a plan may hold, so that those who load it, seal its messages and send them can rely on that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from deployments.core.errors import InvalidData

MOST_OF_RUN = 1_000_000
"""Bytes of one task run's parameters: they are sent in one message."""
MOST_OF_PLAN = 256_000_000
"""Bytes of all task runs' parameters: an owner has them in memory."""

_AROUND = 2
"""Bytes of quotes, brackets or a separator."""


class Volume:
    """Adds up the parameters of a plan's runs. Equal ones are one object, which is measured once."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}
        self._sum = 0

    def add(self, task: str, node: str, parameters: Mapping[str, Any]) -> None:
        """Count the parameters of one more run; they must stay alive as long as this.

        Raises:
            InvalidData: they, or those of all runs so far, are more than a plan may hold.
        """
        size = self._known.get(id(parameters))
        if size is None:
            size = self._known[id(parameters)] = measured(parameters, MOST_OF_RUN)
        self._sum += size
        if size > MOST_OF_RUN:
            raise InvalidData(
                f"Task '{task}' on node {node} has more than {MOST_OF_RUN // 1000**2} MB of parameters: "
                "put large content where the node can fetch it, and name the place.",
                task=task,
                node=node,
            )
        if self._sum > MOST_OF_PLAN:
            raise InvalidData(
                f"The parameters of this plan's task runs have more than {MOST_OF_PLAN // 1000**2} MB in all (reached by task '{task}' "
                f"on node {node}): deploy fewer nodes at a time, or put large content where the nodes can fetch it.",
                task=task,
                node=node,
            )


def measured(value: Any, at_most: int) -> int:
    """About as many bytes as the value's JSON has; counting ends beyond `at_most`, so that shared values can't make it endless."""
    size, waiting = 0, [iter((value,))]
    while waiting and size <= at_most:
        item = next(waiting[-1], waiting)
        if item is waiting:
            waiting.pop()
            continue
        size += _AROUND + _own_size(item)
        if inner := _items(item):
            waiting.append(iter(inner))
    return size


def _own_size(item: Any) -> int:
    if isinstance(item, str):
        return len(item) if item.isascii() else len(item.encode(errors="replace"))
    return 0 if isinstance(item, Mapping | list | tuple) else len(str(item))


def _items(item: Any) -> Iterable[Any]:
    if isinstance(item, Mapping):
        return chain.from_iterable(item.items())
    return item if isinstance(item, list | tuple) else ()
