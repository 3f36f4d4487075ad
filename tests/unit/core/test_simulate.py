"""Simulations: what is told of them, and what is refused."""

from __future__ import annotations

import pytest

from deployments.core.cases.case_report import case_report, summary
from deployments.core.cases.traversal_case import read_traversal_case
from deployments.core.errors import CriticalNodesOffline, InvalidData
from deployments.core.simulation import simulation_drawing
from deployments.core.simulation.simulate import simulate
from tests.unit.core.scheduling import CheckedScheduler, plan_of, tolerant


def checked(plan, durations=None, **options):
    return simulate(plan, durations, scheduler=CheckedScheduler(plan), **options)


def test_the_most_exact_name_of_a_duration_counts():
    result = checked(plan_of("a/1 a/2 b/3"), {"*": 1, "a": 2, "a/2": 3})
    assert result.finishes == {0: 2, 1: 3, 2: 1}
    assert result.makespan == 3


def test_a_run_that_fails_every_time_is_tried_as_often_as_it_may():
    result = checked(plan_of("a/1", attempts=3, retry_delay=10), {"a": 5}, fail=["a/1"])
    assert (result.status, result.starts, result.finishes) == (("error",), {0: 0}, {0: 35})


def test_a_run_that_fails_at_its_start_has_no_times():
    result = checked(plan_of("a/1 b/2", groups=tolerant("1 2")), {"*": 5}, fail_at_start=["a/1"])
    assert (result.starts, result.failed_nodes) == ({1: 0}, {"1"})


def test_a_stop_at_the_moment_of_an_end_lets_nothing_start():
    result = checked(plan_of("a/1 b/1", "a/1 > b/1"), {"*": 5}, stop_at=5)
    assert result.status == ("ready", "pending")
    assert result.node_ends["1"].status == "stopped"
    assert case_report(result, {})["success"] is None


def test_a_stop_after_the_end_is_none():
    result = checked(plan_of("a/1"), {"*": 5}, stop_at=6)
    assert (result.finish.status, result.drained) == ("ready", False)


def test_astutes_words():
    plan = plan_of("a/1 b/1 x/2 y/3 z/3", "a/1 > b/1 x/2", "y/3 > z/3", groups=tolerant("1 2 3", 1))
    told = case_report(checked(plan, {"*": 5}, fail=["a/1"], stop_at=5), {"*": 5}, {"2": "offline"})
    assert told["tasks"] == {"a/1": "failed", "b/1": "dep_failed", "x/2": "dep_failed", "y/3": "successful", "z/3": "skipped"}
    assert told["nodes"] == {"1": "failed", "2": "skipped", "3": "skipped", "null": "skipped"}
    assert (told["failed_nodes"], told["failed_tasks"], told["emergency_brake"]) == (["1"], ["a/1"], True)


def test_summary_counts_every_run_once():
    plan = plan_of("a/1 b/1 x/2 y/3 z/3 s/3", "a/1 > b/1 x/2", "y/3 > z/3", types={"s/3": "skipped"}, groups=tolerant("1 2 3", 1))
    told = summary(checked(plan, {"*": 5}, fail=["a/1"], stop_at=5), {"*": 5})
    assert told["counts"] == {"tasks": 6, "ready": 1, "skipped": 0, "error": 1, "blocked": 2, "not_started": 2, "nodes": 4}


def test_a_critical_node_that_is_offline_is_an_error():
    with pytest.raises(CriticalNodesOffline, match="Critical nodes are not available for deployment: 1."):
        case_report(checked(plan_of("a/1"), offline=["1"]), {})


@pytest.mark.parametrize(
    "options, message",
    [
        ({"fail": ["a/2"]}, "a/2 is to fail, but the plan has no such task run. Did you mean a/1?"),
        ({"fail_at_start": ["zzz"]}, "zzz is to fail, but the plan has no such task run. Write task/node."),
        ({"offline": ["7"]}, "Node 7 is to be offline, but the plan has no such node."),
        ({"durations": {"a": -1}}, "The duration of a is -1: write seconds, from 0 to 1,000,000,000."),
        ({"durations": {"a": "long"}}, "The duration of a is 'long': write seconds, from 0 to 1,000,000,000."),
        ({"durations": {"a": float("nan")}}, "The duration of a is nan: write seconds, from 0 to 1,000,000,000."),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(options, message):
    with pytest.raises(InvalidData) as error:
        simulate(plan_of("a/1"), **options)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "case, message",
    [
        ({}, "no graph"),
        ({"graph": {"1": [{"id": "a"}]}}, "node 1 has to hold tasks with id and type"),
        ({"graph": {"1": [{"id": "a", "type": "puppet"}] * 2}}, "Task a is twice in the list of node 1"),
        ({"graph": {"1": [{"id": "a", "type": "puppet", "requires": [["b", None]]}]}}, "names b/null in requires"),
        ({"graph": {"1": [{"id": "a", "type": "puppet", "requires": ["b"]}]}}, "write .task, node."),
        ({"graph": {}, "max_nodes_per_call": -1}, "max_nodes_per_call. of the case is -1"),
        ({"graph": {}, "stop_at": "noon"}, "stop_at. of the case is 'noon'"),
        ({"graph": {}, "fail": "a/1"}, "fail. of the case"),
        ({"graph": {}, "durations": [1]}, "durations. of the case"),
        ({"graph": {}, "fault_tolerance_groups": [{"name": "x"}]}, "needs name, node_ids and fault_tolerance"),
    ],
)
def test_a_case_that_can_not_be_read_says_where(case, message):
    with pytest.raises(InvalidData, match=message):
        read_traversal_case(case)


def test_the_drawing_shows_every_run_and_what_became_of_it():
    plan = plan_of("a/1 b/1 x/2 st/null", "a/1 > b/1 x/2 st/null", types={"st/null": "stage"}, groups=tolerant("1 2"))
    drawing = simulation_drawing.dot(checked(plan, {"*": 5}, fail=["a/1"]), {"*": 5})
    assert 'label="a/1 0–5 s", fillcolor=salmon' in drawing
    assert drawing.count("fillcolor=orange") == 2 and drawing.count("fillcolor=cyan") == 1
    assert drawing.count(" -> ") == 3 and drawing.count("penwidth") == 1
