"""Long lists in pages. A page goes on where the one before ended, however many rows came before or were added since."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)


class BadCursor(ValueError):
    """The cursor was not given out by this list: leave it out to begin at its start."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, and the cursor with which the list goes on; None at its end."""

    rows: Sequence[Row]
    next: str | None


def page(rows: QuerySet[Row], keys: Sequence[str], limit: int, cursor: str = "") -> Page[Row]:
    """At most `limit` rows after the cursor.

    `keys` are fields, `-` before those that descend; together they must be unique, none of them null, and an index in this order makes
    each page as fast as the first.

    Raises:
        BadCursor: the cursor is not one of this list.
    """
    ordered = rows.order_by(*keys)
    if cursor:
        ordered = _after(ordered, keys, _read(cursor, len(keys)))
    found = list(ordered[: limit + 1])
    if len(found) <= limit:
        return Page(found, None)
    del found[limit:]
    return Page(found, _write([getattr(found[-1], key.lstrip("-")) for key in keys]))


def _after(rows: QuerySet[Row], keys: Sequence[str], values: Sequence[Any]) -> QuerySet[Row]:
    beyond, equal = Q(), Q()
    for key, value in zip(keys, values, strict=True):
        name = key.lstrip("-")
        beyond |= equal & Q(**{f"{name}__{'lt' if key.startswith('-') else 'gt'}": value})
        equal &= Q(**{name: value})
    first = keys[0].lstrip("-")
    # Says nothing new, but a database can't begin to read an index at an alternative of conditions.
    begin = Q(**{f"{first}__{'lte' if keys[0].startswith('-') else 'gte'}": values[0]})
    try:
        return rows.filter(begin, beyond)
    except (ValueError, TypeError, ValidationError) as error:
        raise BadCursor(BadCursor.__doc__) from error


def _write(values: Sequence[Any]) -> str:
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps(plain, separators=(",", ":")).encode()).decode().rstrip("=")


def _read(cursor: str, length: int) -> list[Any]:
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error) as error:
        raise BadCursor(BadCursor.__doc__) from error
    if not isinstance(values, list) or len(values) != length or not all(_fits(value) for value in values):
        raise BadCursor(BadCursor.__doc__)
    return values


def _fits(value: Any) -> bool:
    """Numbers beyond a database's are no places in any list, nor are texts with characters that no database stores."""
    return isinstance(value, str) and "\0" not in value or type(value) is int and abs(value) < 2**63
