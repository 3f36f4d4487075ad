"""The scheduler against what Astute itself did, case by case; where we differ on purpose, against what we say instead."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from deployments.core.cases.case_report import case_report
from deployments.core.cases.traversal_case import read_traversal_case
from deployments.core.errors import FuelwebError
from deployments.core.planning.role_based import role_based
from deployments.core.simulation.bounds import lower_bound
from deployments.core.simulation.simulate import simulate
from tests.unit.core.scheduling import CheckedScheduler

SHARED = Path(__file__).resolve().parents[4] / "shared"
TRAVERSAL = SHARED / "cases" / "traversal"
CASES = sorted(path.name for path in TRAVERSAL.glob("*.json") if not path.name.startswith("durations"))


@pytest.fixture(scope="module")
def compare(shared: Path) -> ModuleType:
    """The comparison that comes with the cases."""
    spec = importlib.util.spec_from_file_location("compare_cases", shared / "cases" / "compare.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def report(case: dict) -> dict:
    try:
        rehearsal = read_traversal_case(case)
        small = len(rehearsal.plan.runs) < 50
        result = simulate(
            rehearsal.plan, rehearsal.durations, fail=rehearsal.fail, fail_at_start=rehearsal.fail_at_start, stop_at=rehearsal.stop_at,
            offline=rehearsal.offline, scheduler=CheckedScheduler(rehearsal.plan) if small else None,
        )  # fmt: skip
        return case_report(result, rehearsal.durations, rehearsal.node_words)
    except FuelwebError as error:
        return {"error": error.as_dict()}


@pytest.mark.parametrize("name", CASES or [pytest.param("", marks=pytest.mark.skip("the conformance cases are not here"))])
def test_case(name: str, compare: ModuleType) -> None:
    case = json.loads((TRAVERSAL / name).read_text())
    assert compare.compare_traversal(name, compare.expectation(TRAVERSAL / name), report(case), case) == []


@pytest.mark.parametrize(
    "plan, durations, graph, task_based, by_role",
    [("c05-3ctl-10cmp", "durations", "newton", 13430, 26790), ("c15-8.0-3ctl-2cmp-1cinder", "durations-8.0", "8.0", 11692, 24189)],
)
def test_makespans(shared: Path, plan: str, durations: str, graph: str, task_based: int, by_role: int) -> None:
    """Task by task comes down to the lower bound; role by role takes what the old engine took, to the second."""
    expected = json.loads((shared / "cases" / "planning" / f"{plan}.expected.json").read_text())
    planned = read_traversal_case({"graph": expected["nodes"], "fault_tolerance_groups": expected["fault_tolerance_groups"]}).plan
    seconds = json.loads((TRAVERSAL / f"{durations}.json").read_text())
    tasks = yaml.safe_load((shared / "graphs" / f"fuel-library-{graph}-tasks.yaml").read_text())
    assert simulate(planned, seconds).makespan == lower_bound(planned, seconds) == task_based
    old = role_based(planned, tasks)
    assert simulate(old, seconds).makespan == by_role
    assert {run.name for run in planned.runs} == {run.name for run in old.runs if run.type != "anchor"}
