"""Lists: `limit`, `offset` and `order_by`, and `Content-Range` in the answer (Nailgun)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from deployments.api import parameters
from deployments.api.errors import BadRequest, OutOfRange

MOST = 10_000
"""No answer holds more."""

PARAMETERS = [
    OpenApiParameter("limit", int, description=f"How many at most ({MOST} without it)."),
    OpenApiParameter("offset", int, description="How many to leave out at the beginning."),
    OpenApiParameter("order_by", str, description="Fields joined by commas; a - before one turns its order around."),
]


def listed(request: Request, rows: QuerySet[Any], shape: type[BaseSerializer[Any]], sortable: Collection[str]) -> Response:
    """One page of a list.

    Raises:
        BadRequest: a number is none, or the list can't be sorted like that.
        OutOfRange: it begins behind the end.
    """
    rows, content_range = paged(request, rows, sortable)
    response = Response(shape(rows, many=True).data)
    response["Content-Range"] = content_range
    return response


def paged(request: Request, rows: QuerySet[Any], sortable: Collection[str]) -> tuple[QuerySet[Any], str]:
    """The rows of the page, and what `Content-Range` says of them."""
    limit, offset = parameters.number(request, "limit"), parameters.number(request, "offset") or 0
    if order := parameters.words(request, "order_by"):
        if strange := [name for name in order if name.removeprefix("-") not in sortable]:
            raise BadRequest(f"Can't order by {', '.join(strange)}: use {', '.join(sorted(sortable))}.")
        rows = rows.order_by(*order, "pk")
    total = rows.count()
    if offset and offset >= total:
        raise OutOfRange(f"The list has {total} objects, so it can't begin behind {offset}.")
    last = min(total, offset + min(MOST, limit if limit is not None else MOST))
    span = f"{offset + 1}-{last}" if last > offset else "0-0"
    return rows[offset:last], f"objects {span}/{total}"
