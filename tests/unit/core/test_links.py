"""Links: every distinct pair of a plan exactly once, wide relations narrow."""

from __future__ import annotations

import networkx
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.core.links import find_cycle, link
from deployments.core.plan import Bundle, Plan, TaskRun

RUNS = 40


def plan_of(*bundles: tuple[tuple[int, ...], tuple[int, ...]], runs: int = RUNS) -> Plan:
    return Plan(
        nodes=(),
        runs=tuple(TaskRun(f"t{i}", "1", "puppet") for i in range(runs)),
        bundles=tuple(Bundle(sources, targets) for sources, targets in bundles),
    )


indexes = st.lists(st.integers(0, RUNS - 1), min_size=1, max_size=RUNS, unique=True).map(tuple)
blocks = st.tuples(st.integers(0, RUNS - 1), st.integers(1, RUNS)).map(lambda b: tuple(range(b[0], min(RUNS, b[0] + b[1]))))
bundles = st.lists(st.tuples(indexes | blocks, indexes | blocks), max_size=12)


@settings(max_examples=150, deadline=None)
@given(bundles)
def test_every_pair_is_there_once(made):
    plan = plan_of(*made)
    links = link(plan)
    pairs = list(links.pairs())
    assert len(pairs) == len(set(pairs)) == links.count()
    assert set(pairs) == set(plan.edges())
    assert links.stored <= len(pairs)


@settings(max_examples=150, deadline=None)
@given(bundles)
def test_joins_stand_between_runs_only(made):
    links = link(plan_of(*made))
    before = links.predecessors()
    assert [len(vertices) for vertices in before] == list(links.predecessor_counts)
    for join in range(links.runs, len(links.successors)):
        assert all(vertex < links.runs for vertex in (*before[join], *links.successors[join]))
        assert not set(before[join]) & set(links.successors[join])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(indexes, indexes).filter(lambda b: len(b[0]) * len(b[1]) < 30), max_size=10))
def test_a_cycle_is_found_exactly_where_there_is_one(made):
    plan = plan_of(*made)
    cycle = find_cycle(link(plan), plan)
    graph = networkx.DiGraph(plan.edges())
    assert bool(cycle) != networkx.is_directed_acyclic_graph(graph)
    edges = set(plan.edges())
    assert all(pair in edges for pair in zip(cycle, cycle[1:] + cycle[:1], strict=True))
    assert len(cycle) == len(set(cycle))


def test_all_to_all_grows_as_the_sum():
    sources, targets = tuple(range(300)), tuple(range(300, 700))
    links = link(plan_of((sources, targets), (sources, targets), (sources[:2], targets[:50]), runs=700))
    assert links.stored == 700
    assert links.count() == 300 * 400


def test_a_relation_of_many_runs_to_themselves_stays_small():
    everybody = tuple(range(512))
    links = link(plan_of((everybody, everybody), runs=512))
    assert links.count() == 512 * 511
    assert links.stored < 512 * 2 * 10


def test_the_circle_starts_with_the_first_run_and_is_short():
    plan = plan_of(((1,), (2,)), ((2,), (3,)), ((3,), (1,)), ((2,), (1,)), ((0,), (1,)), ((3,), (4,)), runs=5)
    assert find_cycle(link(plan), plan) == [1, 2]


def test_an_edge_to_itself_is_no_circle():
    plan = plan_of(((0,), (0,)), ((0,), (0, 1)), runs=2)
    assert find_cycle(link(plan), plan) == []
