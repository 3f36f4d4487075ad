"""Many rows in one UPDATE statement (measured: 5-7 µs a row, against 225 µs for a statement and commit of its own)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, models

_CHUNK = 400


def update_where(
    model: type[models.Model], key: Sequence[str], expected: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> int:
    """Set `columns` of the rows found by `key` whose column `expected` still has the given value; how many moved.

    Each row holds: the key's values, the expected value, then one value per column.
    """
    if not rows:
        return 0
    names = [model._meta.get_field(name).column for name in (*key, *columns)]
    types = [model._meta.get_field(name).db_type(connection) for name in (*key, *columns)]
    table = connection.ops.quote_name(model._meta.db_table)
    postgres = connection.vendor == "postgresql"

    def value(index: int) -> str:
        name = f"v.{_alias(index)}"
        return f"CAST({name} AS {_plain(types[index])})" if postgres else name

    keys = " AND ".join(f"{table}.{names[i]} = {value(i)}" for i in range(len(key)))
    sets = ", ".join(f"{names[i]} = {value(i)}" for i in range(len(key), len(names)))
    moved = 0
    with connection.cursor() as cursor:
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            marks = "(" + ", ".join(["%s"] * (len(names) + 1)) + ")"
            flat = [_plain_value(item) for row in chunk for item in (*row[: len(key)], *row[len(key) + 1 :], row[len(key)])]
            cursor.execute(
                f"UPDATE {table} SET {sets} FROM (VALUES {', '.join([marks] * len(chunk))}) AS v "
                f"WHERE {keys} AND {table}.{expected} = v.{_alias(len(names))}",
                flat,
            )
            moved += cursor.rowcount
    return moved


def _alias(index: int) -> str:
    """How both databases name the columns of VALUES."""
    return f"column{index + 1}"


def _plain(db_type: str | None) -> str:
    return {"bigserial": "bigint", "serial": "integer"}.get(db_type or "", db_type or "text").split(" GENERATED")[0]


def _plain_value(item: Any) -> Any:
    if isinstance(item, datetime):
        return connection.ops.adapt_datetimefield_value(item)
    return json.dumps(item) if isinstance(item, dict) else item
