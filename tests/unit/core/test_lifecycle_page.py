"""The page of lifecycles is the one that the tables make."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deployments.core.lifecycle_page import diagram, lifecycle_page
from deployments.core.states import CLUSTER, LAUNCH, NODE
from history.states import ATTEMPT, TASK_RUN, TRANSACTION, Table

PAGE = Path(__file__).resolve().parents[3] / "docs" / "lifecycle.md"
TABLES = [TRANSACTION, TASK_RUN, ATTEMPT, NODE, CLUSTER, LAUNCH]


def test_the_page_is_what_the_tables_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == lifecycle_page(), "Run: python manage.py diagrams > docs/lifecycle.md"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.about)
def test_a_diagram_shows_every_move_and_no_other(table: Table) -> None:
    arrows = re.findall(r"^    (\S+) --> (\S+)$", diagram(table), re.MULTILINE)
    assert [arrow for arrow in arrows if "[*]" not in arrow] == list(table.moves)
    assert arrows[0] == ("[*]", table.initial)
    assert {old for old, new in arrows if new == "[*]"} == set(table.states) - {old for old, _ in table.moves}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.about)
def test_a_table_tells_when_each_move_happens(table: Table) -> None:
    for (old, new), when in table.moves.items():
        assert f"| {old} | {new} | {when} |" in lifecycle_page()
