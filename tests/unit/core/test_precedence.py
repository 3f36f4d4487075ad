"""Which node gets a free place first."""

from __future__ import annotations

import pytest

from deployments.core.events import Begin, Dispatch, RunEnded
from deployments.core.links import link
from deployments.core.plan import Plan
from deployments.core.scheduling.places import Places
from deployments.core.scheduling.precedence import Precedence
from deployments.core.scheduling.schedule import Scheduler
from deployments.core.simulation.simulate import simulate
from tests.unit.core.scheduling import CheckedScheduler, plan_of, tolerant


def order(plan: Plan) -> list[str]:
    """The nodes as they are served before anything has happened."""
    links = link(plan)
    places = Places(plan, links, range(len(plan.runs)))
    precedence = Precedence(plan, links, places.node_of, len(places.nodes))
    return sorted(places.nodes, key=lambda node: precedence.rank[places.nodes.index(node)])


def test_the_node_with_the_most_runs_left_goes_first_and_the_sync_node_last():
    plan = plan_of(
        "a/1 a/2 b/2 a/10 b/10 a/master b/master c/master x/3 y/3 z/3 a/null b/null c/null d/null", "a/1 > a/2",
        types={"x/3": "noop", "y/3": "noop", "z/3": "noop"},
    )  # fmt: skip
    assert order(plan) == ["master", "2", "10", "1", "3", "null"]


@pytest.mark.parametrize("edges", [(), ("a/1 > b/1",), ("s/null > a/1 a/2",)])
def test_nodes_that_never_wait_for_each_other_are_served_in_their_order(edges):
    assert order(plan_of("a/1 b/1 a/2 b/2 c/2 s/null", *edges, types={"s/null": "stage"})) == ["1", "2", "null"]


def test_a_wide_relation_within_one_node_makes_no_node_wait_for_another():
    letters = "abcdefgh"
    within = " > ".join(" ".join(f"{letter}/1" for letter in half) for half in (letters[:4], letters[4:]))
    plan = plan_of(" ".join(f"{letter}/1" for letter in letters) + " " + " ".join(f"{letter}/2" for letter in letters + "xyz"), within)
    assert len(link(plan).successors) > len(plan.runs), "the relation is stored through a join"
    assert order(plan) == ["1", "2", "null"]


@pytest.mark.parametrize(
    "limit, max_nodes, expected", [(1, 2, "2 3 1"), (1, 0, "2 3 1"), (1, 1, "1 3 2"), (2, 3, "1 3 2"), (0, 2, "1 3 2")]
)
def test_nodes_before_a_scarce_task_go_first_in_their_order(limit, max_nodes, expected):
    """Scarce: fewer places than runs of it, and fewer than nodes may be busy."""
    plan = plan_of("a/1 b/1 c/1 q/2 a/3 q/3", "a/1 > q/2", limits={"q": limit}, max_nodes_per_call=max_nodes)
    assert order(plan) == [*expected.split(), "null"]


def test_all_nodes_come_to_a_barrier_together():
    """Two places, three nodes, four runs each before all wait for all: 6 rounds; one node after the other would need 8."""
    nodes, tasks = "123", "abcd"
    chains = [f"{before}/{node} > {after}/{node}" for node in nodes for before, after in zip(tasks, tasks[1:], strict=False)]
    barrier = " ".join(f"d/{node}" for node in nodes) + " > " + " ".join(f"z/{node}" for node in nodes)
    plan = plan_of(" ".join(f"{task}/{node}" for node in nodes for task in tasks + "z"), *chains, barrier, max_nodes_per_call=2)
    result = simulate(plan, {"*": 1, "z": 0}, scheduler=CheckedScheduler(plan))
    assert result.makespan == 6


def test_a_node_that_waits_is_ranked_by_what_is_left_of_it_now():
    """Node 1 had more to do than node 3 until, while it waited, a failure on node 4 blocked most of it."""
    plan = plan_of(
        "a/1 b/1 c/1 d/1 a/2 b/2 c/2 d/2 e/2 a/3 b/3 a/4 b/4 c/4 d/4 e/4", "a/4 > b/1 c/1 d/1",
        max_nodes_per_call=2, groups=tolerant("1 2 3 4"),
    )  # fmt: skip
    index = {run.name: number for number, run in enumerate(plan.runs)}
    lived = CheckedScheduler(plan)
    lived.handle(Begin(), now=0)
    assert lived.undone == [index["a/2"], index["a/4"]]
    rebuilt = CheckedScheduler(plan, lived.snapshot())
    rebuilt.handle(Begin(), now=0)
    for scheduler in (lived, rebuilt):
        scheduler.handle(RunEnded(index["a/4"], "error"), now=1)
        assert scheduler.undone == [index["a/2"], index["a/3"]]


@pytest.mark.parametrize("limits", [{}, {"a": 7}, {"a": 2, "b": 1}])
def test_a_thousand_related_nodes_all_get_their_turn(limits):
    nodes = range(1, 1001)
    plan = plan_of(
        " ".join(f"{task}/{node}" for node in nodes for task in "ab"), "a/1000 > b/1", limits=limits, max_nodes_per_call=50,
        groups=tolerant(" ".join(map(str, nodes))),
    )  # fmt: skip
    scheduler = Scheduler(plan)
    waiting = [i.run for i in scheduler.handle(Begin(), now=0) if isinstance(i, Dispatch)]
    ended = 0
    while waiting:
        out = scheduler.handle(RunEnded(waiting.pop(0), "ready"), now=0)
        ended += 1
        waiting += [i.run for i in out if isinstance(i, Dispatch)]
    assert ended == 2000
