"""Long lists, sent while they are read: however long they are, nobody holds them in memory, and the first lines come at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api.formats import yaml_text

SHOWN = 1000
"""How many items the page for browsers shows."""
_AT_ONCE = 200
"""How many items are written as one piece."""


def streamed(request: Request, items: Iterable[Any]) -> HttpResponseBase:
    """The whole list as JSON or YAML; to a browser, its first `SHOWN` items.

    The items are plain data. What goes wrong before the first of them is answered by its status; later, by an answer that breaks off.
    """
    renderer = request.accepted_renderer
    if renderer.format not in ("json", "yaml"):
        return Response(list(islice(items, SHOWN)))
    pieces = _json(items) if renderer.format == "json" else _yaml(items)
    first = next(pieces)
    return StreamingHttpResponse(chain((first,), pieces), content_type=renderer.media_type)


def _json(items: Iterable[Any]) -> Iterator[str]:
    before = "["
    for batch in _batches(items):
        yield before + json.dumps(batch, ensure_ascii=False, separators=(",", ":"))[1:-1]
        before = ","
    yield "]" if before == "," else "[]"


def _yaml(items: Iterable[Any]) -> Iterator[str]:
    empty = True
    for batch in _batches(items):
        empty = False
        # Without aliases, which could not reach back into a piece that is sent already.
        yield yaml_text(json.loads(json.dumps(batch)))
    if empty:
        yield "[]\n"


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    while batch := list(islice(rest, _AT_ONCE)):
        yield batch
