"""Rows as CSV, line by line, for people who open them in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_lines(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The head and each row as a line with its end. Reads one row at a time; None is an empty cell."""
    writer = csv.writer(_Echo(), lineterminator="\n")
    yield writer.writerow(head)
    for row in rows:
        yield writer.writerow([_cell(value) for value in row])


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula is marked as text; a lone `-` (a task without a node) is none."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat()
    return f"'{value}" if isinstance(value, str) and value != "-" and value.startswith(_FORMULA) else value


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, line: str) -> str:
        """The line."""
        return line
