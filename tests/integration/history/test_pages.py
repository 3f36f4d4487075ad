"""Long lists in pages, and rows as CSV."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from history import queries
from history.models import TaskRun, Transaction
from history.pages import BadCursor, page
from history.sheet import csv_lines

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def child(db: None) -> Transaction:
    child = Transaction.objects.create(name="deployment", actor="ann", created_at=START)
    TaskRun.objects.bulk_create(
        TaskRun(
            transaction=child, position=number, node="1", task_name=f"t{number}", type="shell", time_start=START + timedelta(number // 3)
        )
        for number in range(10)
    )
    return child


def read_all(limit: int) -> Iterator[TaskRun]:
    cursor: str | None = ""
    while cursor is not None:
        found = page(queries.biography("1"), queries.BIOGRAPHY_ORDER, limit, cursor)
        assert len(found.rows) <= limit
        yield from found.rows
        cursor = found.next


@pytest.mark.parametrize("limit", [1, 2, 3, 9, 10, 11])
def test_pages_together_are_the_list_even_where_times_are_the_same(child: Transaction, limit: int) -> None:
    assert list(read_all(limit)) == list(queries.biography("1"))


def test_what_comes_meanwhile_moves_nothing(child: Transaction) -> None:
    first = page(queries.biography("1"), queries.BIOGRAPHY_ORDER, 4)
    TaskRun.objects.create(transaction=child, position=99, node="1", task_name="new", type="shell", time_start=START + timedelta(99))
    second = page(queries.biography("1"), queries.BIOGRAPHY_ORDER, 6, first.next or "")
    assert [row.task_name for row in [*first.rows, *second.rows]] == [f"t{number}" for number in reversed(range(10))]


def cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


TIME = "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    "strange",
    [
        *("x", "%%", "ä"),
        *map(cursor, ("{}", "[1]", '["not a time", 1]', "[null, null]", "[[], {}]", "[true, 1]")),
        *map(cursor, (f'["{TIME}", 99999999999999999999]', f'["{TIME}", "a\\u0000"]')),
    ],
)
def test_a_strange_cursor_is_refused(child: Transaction, strange: str) -> None:
    with pytest.raises(BadCursor, match="leave it out"):
        page(queries.biography("1"), queries.BIOGRAPHY_ORDER, 3, strange)


def test_csv_is_made_line_by_line_and_starts_no_formula() -> None:
    read = []

    def rows() -> Iterator[tuple[object, ...]]:
        for row in [("=1+1", "-", None, START), ("a,b", "+x", 3, "\tx"), ('q"', "-x", "@x", "line\nline")]:
            read.append(row)
            yield row

    lines = csv_lines(["a", "b", "c", "d"], rows())
    assert next(lines) == "a,b,c,d\n"
    assert read == []
    assert next(lines) == "'=1+1,-,,2026-01-01T00:00:00\n"
    assert len(read) == 1
    assert list(csv.reader(io.StringIO("".join(lines)))) == [["a,b", "'+x", "3", "'\tx"], ['q"', "'-x", "'@x", "line\nline"]]
