"""Where two pieces of data differ, by path: `network_metadata.vips.public`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

_DEEPEST = 3


def differing_keys(old: Any, new: Any, path: str = "", *, most: int = 4) -> list[str]:
    """Paths of what was added, removed or changed, at most three keys deep; after `most` of them an ellipsis."""
    found = list(islice(_differing(old, new, path, 0), most + 1))
    return found if len(found) <= most else [*found[:most], "…"]


def _differing(old: Any, new: Any, path: str, depth: int) -> Iterator[str]:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping) or depth == _DEEPEST:
        if type(old) is not type(new) or old != new:
            yield path
        return
    for key in sorted(old.keys() | new.keys(), key=str):
        inner = f"{path}.{key}" if path else str(key)
        if key in old and key in new:
            yield from _differing(old[key], new[key], inner, depth + 1)
        else:
            yield inner
