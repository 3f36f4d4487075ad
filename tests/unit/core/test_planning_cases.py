"""The conformance suite: what the original systems planned."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from deployments.core.cases import normal_form
from deployments.core.cases.cases import plan_case
from deployments.core.errors import FuelwebError
from deployments.limits import timer_limit
from deployments.management.documents import read_case, read_planning_case

CASES = Path(__file__).resolve().parents[4] / "shared" / "cases"
RULES = sorted(CASES.glob("planning-rules/*.json"))
REAL = sorted(CASES.glob("planning/*.input.json*"))
WHY = f"the conformance cases are not here ({CASES})"


@pytest.fixture(scope="module")
def compare() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compare_cases", CASES / "compare.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def printed(path: Path, *, summary: bool = False) -> dict[str, Any]:
    """What `manage.py plan --case` prints."""
    try:
        made, links = plan_case(read_planning_case(path, read_case(path)), limit=timer_limit())
    except FuelwebError as error:
        return {"error": error.as_dict()}
    return normal_form.summary(made, links, with_hashes=True) if summary else json.loads("".join(normal_form.chunks(made)))


@pytest.mark.skipif(not RULES, reason=WHY)
@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_rules(path, compare):
    if path.name.startswith("31-"):
        assert any("fault tolerance ''" in warning for warning in printed(path)["warnings"])
        return
    case = compare.load(path)
    expected = {"error": {}} if path.name[:2] in compare.RULE_ERRORS else case["expected"]
    assert compare.compare_plan(path.name, expected, printed(path), case) == []


@pytest.mark.skipif(not REAL, reason=WHY)
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name.split(".input")[0])
def test_real_graphs(path, compare):
    expected = compare.expectation(path)
    got = printed(path, summary="nodes" not in expected)
    assert compare.compare_plan(path.name, expected, got, compare.load(path)) == []
