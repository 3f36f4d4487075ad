"""The planner: one rule each, on clusters of a few nodes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deployments.core.errors import ExpressionError, FuelwebError, InvalidData, LoopDetected, TaskBaseDeploymentNotAllowed
from deployments.core.facts import ClusterFacts, NodeFacts, PlanSettings
from deployments.core.plan import Plan
from deployments.core.planning.planner import plan
from deployments.limits import timer_limit

WEB, DB, BARE = NodeFacts("1", ("web",)), NodeFacts("2", ("db", "primary-x")), NodeFacts("3")
CLUSTER = ClusterFacts({"cluster": {"id": 7}}, (WEB, DB, BARE))


def task(name: str, role: Any = "*", **keys: Any) -> dict[str, Any]:
    return {"id": name, "type": "puppet", "version": "2.1.0", "role": role, **keys}


def planned(*tasks: dict[str, Any], cluster: ClusterFacts = CLUSTER, **switches: Any) -> Plan:
    return plan(tasks, cluster, **switches)


def types(made: Plan) -> dict[str, str]:
    return {run.name: run.type for run in made.runs}


def edges(made: Plan) -> set[tuple[str, str]]:
    return {(made.runs[before].name, made.runs[after].name) for before, after in made.edges()}


def warnings(made: Plan) -> str:
    return "\n".join(warning.message for warning in made.warnings)


# -- where tasks run ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "nodes"),
    [
        ("*", "12"),
        (["*"], "12"),
        ("web", "1"),
        (["web", "db"], "12"),
        ("/.*/", "12"),
        ("/", "12"),
        ("/x/", ""),
        ("/primary/", "2"),
        ("nobody", ""),
        ({"a": 1}, ""),
        (None, ""),
    ],
)
def test_roles_mean_nodes(role, nodes):
    made = planned(task("a", role))
    assert "".join(run.node for run in made.runs) == nodes
    assert made.nodes == ("1", "2", "3", "null")


def test_the_master_is_reached_by_its_name_only():
    made = planned(task("a", ["master", "/.*/"]), task("b", "*"), **{"cluster": CLUSTER})
    assert set(types(made)) == {"a/1", "a/2", "a/master", "b/1", "b/2"}
    assert made.nodes == ("1", "2", "3", "master", "null")


def test_runs_are_sorted_by_node_then_task():
    nodes = tuple(NodeFacts(uid, ("x",)) for uid in ("10", "9", "b", "a"))
    made = planned(task("t"), task("s"), {"id": "z", "type": "stage"}, cluster=ClusterFacts(nodes=nodes))
    assert [run.name for run in made.runs] == ["s/9", "t/9", "s/10", "t/10", "s/a", "t/a", "s/b", "t/b", "z/null"]


def test_a_task_without_roles_disappears_with_a_warning():
    made = planned({"id": "a", "type": "puppet", "version": "2.1.0"})
    assert not made.runs
    assert "'a' has the roles None" in warnings(made)


# -- what they are there --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "runs"),
    [
        (None, True),
        (True, True),
        (False, False),
        ("settings:cluster.id == 7", True),
        ("cluster:id == 8", False),
        ({"yaql_exp": "$.cluster.id = 7"}, True),
        ({"yaql_exp": "[]"}, False),
        ({"yaql_exp": "''"}, False),
        ({"yaql_exp": "null"}, False),
        ({"yaql_exp": "'false'"}, True),
    ],
)
def test_conditions(condition, runs):
    made = planned(task("a", "web", condition=condition, parameters={"x": 1}))
    assert (made.runs[0].type, made.runs[0].fail_on_error) == (("puppet", True) if runs else ("skipped", False))
    assert dict(made.runs[0].parameters) == ({"cwd": "/", "x": 1} if runs else {})


def test_expressions_of_skipped_tasks_count_too():
    with pytest.raises(ExpressionError, match="task 'a' on node 1"):
        planned(task("a", "web", type="skipped", condition={"yaql_exp": "$.nope"}))
    with pytest.raises(ExpressionError, match="no key 'nope'"):
        planned(task("a", "web", condition=False, parameters={"x": {"yaql_exp": "$.nope"}}))


def test_a_legacy_condition_that_cannot_be_read_says_what_is_wrong():
    with pytest.raises(ExpressionError, match="ends where a value should stand"):
        planned(task("a", "web", condition="settings:a =="))


def test_names_and_results_are_filled_in():
    parameters = {"a": "c{CLUSTER_ID}", "b": ["{CLUSTER_ID.__class__}", {"yaql_exp": "$.uid"}], "regex": "{CLUSTER_ID}"}
    made = planned(task("t-{CLUSTER_ID}", parameters=parameters))
    assert [run.name for run in made.runs] == ["t-7/1", "t-7/2"]
    assert made.runs[1].parameters == {"cwd": "/", "a": "c7", "b": ["{CLUSTER_ID.__class__}", "2"], "regex": "{CLUSTER_ID}"}


def test_nodes_share_what_is_the_same_for_them():
    made = planned(task("t", parameters={"a": "{CLUSTER_ID}"}))
    assert made.runs[0].parameters is made.runs[1].parameters


def test_parameters_are_what_json_knows():
    made = planned(task("a", "web", parameters={"yaql_exp": "let(datetime(2020, 1, 2)) -> dict(day => $, names => set(b, a), $ => 1)"}))
    day = "2020-01-02 00:00:00+00:00"
    assert json.loads(json.dumps(made.runs[0].parameters)) == {"cwd": "/", "day": day, "names": ["a", "b"], day: 1}


def test_repetition():
    made = planned(
        task("a", "web"),
        task("b", "web", type="shell"),
        task("c", "web", type="shell", idempotent=True, retry={"attempts": 3, "delay": 10}),
    )
    assert [(run.idempotent, run.attempts, run.retry_delay) for run in made.runs] == [(True, 1, 0), (False, 1, 0), (True, 3, 10)]
    with pytest.raises(InvalidData, match="needs 1 to 1000 attempts"):
        planned(task("a", "web", retry={"attempts": 0}))


def test_only_some_tasks():
    tasks = (task("a", "web"), task("b", "web", requires=["a"]))
    made = planned(*tasks, only_tasks=["b"])
    assert types(made) == {"a/1": "skipped", "b/1": "puppet"}
    assert edges(made) == {("a/1", "b/1")}
    with pytest.raises(InvalidData, match="no task 'bb'"):
        planned(*tasks, only_tasks=["bb"])


def test_noop_changes_nothing_and_never_fails():
    made = planned(task("a", "web"), task("b", "web", type="upload_file"), noop=True)
    assert [(run.type, run.fail_on_error) for run in made.runs] == [("puppet", False), ("noop", False)]


def test_old_versions_warn_or_stop():
    old = task("a", "web", version="1.9.9")
    assert "below 2.0.0" in warnings(planned(old))
    with pytest.raises(TaskBaseDeploymentNotAllowed, match="'a'"):
        planned({**old, "role": "nobody"}, settings=PlanSettings(check_task_version=True))
    assert not planned({"id": "s", "type": "stage"}, settings=PlanSettings(check_task_version=True)).warnings


@pytest.mark.parametrize(
    ("first", "second", "stays"),
    [("puppet", "puppet", 1), ("skipped", "puppet", 2), ("puppet", "skipped", 1), ("puppet", "shell", 2)],
)
def test_one_id_twice(first, second, stays):
    made = planned(task("a", "web", type=first, requires=["r1"]), task("a", "web", type=second, requires=["r2"]), task("r1"), task("r2"))
    assert [before for before, after in edges(made) if after == "a/1"] == [f"r{stays}/1"]


# -- groups ---------------------------------------------------------------------------------------------------------------


def test_groups_add_tasks_to_their_nodes():
    made = planned(task("a", "web"), {"id": "g", "type": "group", "role": ["db"], "tasks": ["a"], "fault_tolerance": "50%"})
    assert set(types(made)) == {"a/1", "a/2"}
    assert [(group.name, group.nodes, group.tolerance) for group in made.groups] == [("g", ("2",), 0)]


def test_a_group_needs_its_tasks_only_where_it_has_nodes():
    group = {"id": "g", "type": "group", "role": ["db"], "tasks": ["ghots"]}
    with pytest.raises(InvalidData, match="did you mean 'ghost'"):
        planned(group, task("ghost", "web"))
    assert not planned({**group, "role": ["nobody"]}).groups


def test_the_smallest_strategy_of_the_runs_counts():
    strategy = {"type": "parallel", "amount": {"yaql_exp": "switch(('web' in $.roles) => 3, true => 0)"}}
    made = planned(task("a", parameters={"strategy": strategy}), task("b", parameters={"strategy": {"type": "one_by_one"}}))
    assert made.limits == {"a": 3, "b": 1}
    with pytest.raises(InvalidData, match="negative"):
        planned(task("a", parameters={"strategy": {"type": "parallel", "amount": -1}}))


# -- relations ------------------------------------------------------------------------------------------------------------


def test_requires_looks_on_the_node_and_at_sync_points():
    made = planned(task("a", "web"), task("b", requires=["a", "s"], required_for=["e"]), *({"id": n, "type": "stage"} for n in "se"))
    assert edges(made) == {("a/1", "b/1"), ("s/null", "b/1"), ("s/null", "b/2"), ("b/1", "e/null"), ("b/2", "e/null")}


@pytest.mark.parametrize(
    ("relation", "before"),
    [
        ({"name": "a"}, {"a/1", "a/2"}),
        ({"name": "a", "role": "db"}, {"a/2"}),
        ({"name": "a", "role": "self"}, {"a/1"}),
        ({"name": "a", "role": None}, set()),
        ({"name": "s", "role": None}, {"s/null"}),
        ({"name": "a", "role": ["web"], "tags": ["db"]}, {"a/2"}),
        ({"name": "/a|m/", "role": ["master", "web"]}, {"a/1", "m/master"}),
        ({"name": "m", "role": "*"}, set()),
        ({"name": "a", "policy": "any"}, {"a/1"}),
        ({"name": "a", "role": {"yaql_exp": "$.roles"}}, {"a/1"}),
        ({"name": "/.*/", "role": "self"}, {"a/1"}),
        ({"name": "a", "role": {"x": 1}}, set()),
        (None, set()),
    ],
)
@pytest.mark.parametrize("key", ["cross-depends", "cross_depends"])
def test_cross_depends(relation, before, key):
    stage = {"id": "s", "type": "stage"}
    made = planned(task("a"), task("m", "master"), stage, task("t", "web", **{key: [{}, relation]}))
    assert {one for one, after in edges(made) if after == "t/1"} == before


def test_cross_depended_by_is_the_other_way_round():
    made = planned(task("a"), task("t", "web", **{"cross-depended-by": [{"name": "a", "role": "db"}]}))
    assert edges(made) == {("t/1", "a/2")}


def test_policy_any_takes_the_lowest_node_that_has_the_task():
    nodes = tuple(NodeFacts(uid, ("web",) if uid == "1" else ("db",)) for uid in ("1", "10", "9"))
    made = planned(
        task("a", "db"), task("t", "*", **{"cross-depends": [{"name": "a", "policy": "any"}]}), cluster=ClusterFacts(nodes=nodes)
    )
    assert edges(made) == {("a/9", f"t/{uid}") for uid in ("1", "9", "10")}
    assert {each.candidates for each in made.policy_any} == {(("a", "9"), ("a", "10"))}


def test_a_whole_list_of_relations_may_be_one_expression():
    made = planned(task("a"), task("t", "web", **{"cross-depends": {"yaql_exp": "[{name => a, role => db}]"}}))
    assert edges(made) == {("a/2", "t/1")}


def test_names_that_are_not_there_are_dropped_with_a_warning():
    made = planned(task("netconfig"), task("t", "web", requires=["netconfg", "/^x/"], **{"cross-depends": [{"name": "ghost"}]}))
    assert not edges(made)
    assert "'netconfg', which is not in the graph, so the relation is dropped; did you mean 'netconfig'?" in warnings(made)
    assert "like '/^x/'" in warnings(made) and "'ghost'" in warnings(made)


def test_relations_that_reach_no_other_node_warn():
    made = planned(task("db", "db"), task("site", "web", requires=["db"]))
    assert not edges(made)
    assert "`requires` of task 'site' names 'db', which runs on none of its nodes" in warnings(made)
    assert "`cross-depended-by` reaches other nodes" in warnings(planned(task("site", "web"), task("db", "db", required_for=["site"])))
    both = {"cross-depends": [{"name": "db", "role": "db"}]}
    assert not warnings(planned(task("db", "db"), task("site", "web", requires=["db"], **both)))
    assert not warnings(planned(task("db", "db"), task("own", "web"), task("site", "web", requires=["db", "own"])))


def test_unknown_keys_warn():
    assert "did you mean 'cross-depended-by'?" in warnings(planned(task("t", "web", **{"cross-depened-by": []})))


@pytest.mark.parametrize(
    "tasks",
    [
        (task("a", "web", requires=["/(/"]),),
        (task("a", "/(/"),),
        (task("a", "web", requires={"x": 1}),),
        (task("a", "web", **{"cross-depends": [{"role": "*"}]}),),
        ({"type": "puppet"},),
        ({"id": "a"},),
        (task("a", "web", parameters={"yaql_exp": "[1]"}),),
        (task("a", "web", parameters={"x": {"yaql_exp": 5}}),),
        (task("a", "web", parameters={"x": {"yaql_exp": "1 +"}}),),
    ],
)
def test_what_cannot_be_planned_says_why(tasks):
    with pytest.raises(FuelwebError) as caught:
        planned(*tasks)
    assert len(str(caught.value)) > 20


def test_a_regular_expression_may_not_take_for_ever():
    with pytest.raises(InvalidData, match="took longer"):
        planned(task("a" * 40, "web"), task("b", "web", requires=["/(a|a)*b/"]), limit=timer_limit(0.2))


def test_circles_are_named_in_order():
    with pytest.raises(LoopDetected, match="a/1 → b/2 → c/2 → a/1") as caught:
        planned(
            task("a", "web", **{"cross-depends": [{"name": "c", "role": "db"}]}),
            task("b", "db", **{"cross-depends": [{"name": "a", "role": "web"}]}),
            task("c", "db", requires=["b"]),
        )
    assert caught.value.as_dict()["task"] == "a"
    with pytest.raises(LoopDetected, match="a/1 → a/2 → a/1"):
        planned(task("a", **{"cross-depends": [{"name": "a"}]}))


# -- slices ---------------------------------------------------------------------------------------------------------------

CHAIN = (task("a"), task("b", requires=["a"]), task("c", requires=["b"]), task("d", requires=["c"]))


@pytest.mark.parametrize(
    ("subgraph", "kept"),
    [
        ({"start": ["b"], "end": ["c"]}, "b/1 c/1 b/2 c/2"),
        ({"start": ["b/1"], "end": ["c"]}, "b/1 c/1"),
        ({"start": ["c"]}, "c/1 d/1 c/2 d/2"),
        ({"start": ["c"], "end": [None]}, "c/1 d/1 c/2 d/2"),
        ({"end": ["b/2"]}, "a/2 b/2"),
        ({"start": ["d/1-2"]}, "d/1 d/2"),
        ({"start": ["d/2,1"]}, "d/1 d/2"),
        ({"start": ["c"], "end": ["b"]}, ""),
    ],
)
def test_subgraphs(subgraph, kept):
    made = planned(*CHAIN, subgraphs=[subgraph])
    assert " ".join(run.name for run in made.runs if run.type != "skipped") == kept
    assert len(made.runs) == 8


def test_subgraphs_that_name_nothing_are_refused():
    with pytest.raises(InvalidData, match="which no planned task run is"):
        planned(*CHAIN, subgraphs=[{"start": ["e"]}])


# -- what is tolerated ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "old"), [("2", False), ("2.0", False), ("2.0.0", False), ("2.1", False), ("1.9.9", True), ("1", True)])
def test_a_version_with_fewer_numbers_is_filled_up_with_zeros(version, old):
    assert ("has a version below 2.0.0" in warnings(planned(task("a", version=version)))) is old


def test_an_empty_fail_on_error_is_the_usual_one():
    made = planned(task("a", "web", fail_on_error=None), task("b", "web", fail_on_error=False))
    assert {run.task: run.fail_on_error for run in made.runs} == {"a": True, "b": False}


def test_a_task_that_a_group_runs_needs_no_roles():
    group = {"id": "g", "type": "group", "role": ["web"], "tasks": ["a"]}
    made = planned(task("a", None), task("b", None), group)
    assert types(made) == {"a/1": "puppet"}
    assert warnings(made) == "Task 'b' has the roles None, so it runs nowhere: give a name or a list."


def test_an_unknown_type_is_warned_of():
    assert "Task 'a' has the unknown type 'shel', so nothing can carry it out; did you mean 'shell'?" in warnings(
        planned(task("a", type="shel"))
    )
    assert "unknown type 'wat', so nothing can carry it out; known are anchor," in warnings(planned(task("a", type="wat")))


def test_an_id_that_is_too_long_once_filled_in_is_refused():
    with pytest.raises(InvalidData, match=r"longer than 255 characters on node 1 \(301\): shorten it"):
        planned(task("a{CLUSTER_ID:>300}"))


def test_a_task_is_switched_off_by_a_skipped_one_without_a_role():
    assert planned(task("a"), {"id": "a", "type": "skipped"}).warnings == ()
