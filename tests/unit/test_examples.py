"""Whoever begins with an example begins with one that has no mistake in it."""

from __future__ import annotations

import re
import shlex
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from deployments.core.cases import cluster_file
from deployments.core.graph import load_tasks
from deployments.core.planning.planner import plan

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize("graph", sorted(EXAMPLES.glob("*/t*.yaml")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_example_is_planned_without_a_warning(graph: Path) -> None:
    loaded = load_tasks(graph.read_bytes())
    facts = cluster_file.load((graph.parent / "cluster.yaml").read_bytes()).facts()
    planned = plan([dict(task) for task in loaded.tasks], facts)
    assert planned.runs
    assert [*loaded.warnings, *planned.warnings] == []
    assert {task["id"] for task in loaded.tasks} == {run.task for run in planned.runs}


PAGES = [*sorted((EXAMPLES.parent / "docs").glob("*.md")), EXAMPLES.parent / "README.md"]
_OF_FUEL = {"differences-from-fuel", "design-notes"}
"""Pages that speak of Fuel's own facts."""
_FOUND = re.compile(r"`((?:\$\.|(?:changed|changedAny|changedAll|added|deleted|new|old)\()[^`…]+)`")
EXPRESSIONS = sorted(
    {
        code
        for page in PAGES
        if page.stem not in _OF_FUEL
        for code in _FOUND.findall(page.read_text(encoding="utf-8"))
        if "section" not in code
    }
)


def test_the_pages_have_expressions() -> None:
    assert len(EXPRESSIONS) > 8


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_of_the_pages_can_be_evaluated_on_the_first_example(expression: str) -> None:
    task = {"id": "t", "type": "shell", "version": "2.1.0", "roles": ["web"], "parameters": {"cmd": {"yaql_exp": f"str({expression})"}}}
    facts = cluster_file.load((EXAMPLES / "first" / "cluster.yaml").read_bytes()).facts()
    assert len(plan([task], facts).runs) == 2


CONDITIONS = sorted({code for page in PAGES for code in re.findall(r"`((?:settings|cluster):[^`…]+)`", page.read_text(encoding="utf-8"))})


def test_a_condition_of_the_old_form_holds_on_the_first_example_as_the_pages_say() -> None:
    assert CONDITIONS
    facts = cluster_file.load((EXAMPLES / "first" / "cluster.yaml").read_bytes()).facts()
    for condition in CONDITIONS:
        task = {"id": "t", "type": "shell", "version": "2.1.0", "roles": "*", "condition": condition, "parameters": {"cmd": "true"}}
        assert {run.node for run in plan([task], facts).runs if run.type == "shell"} == {"db-1"}, condition


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_that_need_no_server_run_as_the_pages_show_them(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`plan` and `simulate` in blocks of code, with the files that stand before them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(EXAMPLES)
    for block in re.findall(r"```\w*\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True) if "'" not in line or line.count("'") % 2 == 0 else []
            if words[:1] == ["echo"] and ">" in words:
                (tmp_path / words[-1]).write_text(" ".join(words[1 : words.index(">")]))
            elif "manage.py" in words[:2] and words[words.index("manage.py") + 1] in ("plan", "simulate"):
                told = StringIO()
                call_command(*words[words.index("manage.py") + 1 :], stdout=told)
