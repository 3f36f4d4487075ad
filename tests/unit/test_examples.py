"""Whoever begins with an example begins with one that has no mistake in it."""

from __future__ import annotations

from pathlib import Path

import pytest

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
