"""Critical path and lower bounds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.core.plan import Plan
from deployments.core.simulation.bounds import critical_path, lower_bound, lower_bounds
from deployments.core.simulation.durations import run_durations
from tests.unit.core.scheduling import plan_of, plans


def test_the_longest_chain_is_found_over_nodes_and_joins():
    left = " ".join(f"a/{node}" for node in range(1, 7))
    right = " ".join(f"b/{node}" for node in range(1, 7))
    plan = plan_of(f"{left} {right}", f"{left} > {right}")
    path = critical_path(plan, {"*": 1, "a/3": 7, "b/5": 9})
    assert [plan.runs[run].name for run in path] == ["a/3", "b/5"]


def test_an_empty_plan_takes_no_time():
    plan = Plan(nodes=("null",), runs=(), bundles=())
    assert critical_path(plan, {}) == [] and lower_bound(plan, {}) == 0


@pytest.mark.parametrize(
    "durations, limits, places, seconds, what",
    [
        ({"a": 10}, {}, 0, 20, "the longest chain of dependencies"),
        ({"w": 30}, {}, 0, 60, "the work of node 3"),
        ({"a": 10}, {"a": 1}, 0, 40, "task a on at most 1 node at once"),
        ({"a": 10}, {"a": 3}, 0, 20, "the longest chain of dependencies"),
        ({"a": 10, "w": 5}, {}, 1, 50, "all the work on at most 1 busy node"),
    ],
)
def test_the_rule_that_decides_is_named(durations, limits, places, seconds, what):
    plan = replace(plan_of("a/1 a/2 a/4 a/5 w/3 v/3", "a/1 > a/2", "a/4 > a/5", limits=limits), max_nodes_per_call=places)
    bounds = lower_bounds(plan, {**durations, "v": durations.get("w", 0)})
    if "w" in durations and places:
        bounds = lower_bounds(plan, durations | {"v": 5})
    assert (bounds[0].seconds, bounds[0].what) == (seconds, what)


@settings(max_examples=100, deadline=None)
@given(plans(), st.dictionaries(st.sampled_from(["*", "t0", "t1", "t2/1"]), st.integers(0, 9)))
def test_the_path_is_a_chain_and_none_is_longer(plan, durations):
    seconds = run_durations(plan, durations)
    edges = set(plan.edges())
    path = critical_path(plan, durations)
    assert all(pair in edges for pair in zip(path, path[1:], strict=False))
    before: dict[int, list[int]] = {}
    for source, target in edges:
        before.setdefault(target, []).append(source)
    longest: dict[int, int] = {}

    def until(run: int) -> int:
        if run not in longest:
            longest[run] = seconds[run] + max((until(other) for other in before.get(run, ())), default=0)
        return longest[run]

    assert sum(seconds[run] for run in path) == max(until(run) for run in range(len(plan.runs)))
