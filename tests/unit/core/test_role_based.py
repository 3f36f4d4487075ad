"""The old order, role by role."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings

from deployments.core.cases.traversal_case import read_traversal_case
from deployments.core.plan import SYNC_NODE, Bundle, Plan, ToleranceGroup
from deployments.core.planning.role_based import barrier, role_based, without_barriers
from deployments.core.planning.waves import priorities
from deployments.core.simulation.simulate import simulate
from tests.unit.core.scheduling import CheckedScheduler, plan_of, plans


def group(name: str, requires: str = "", **strategy) -> dict:
    return {"id": name, "type": "group", "role": [name], "requires": requires.split(), "parameters": {"strategy": strategy}}


def cluster(roles: dict[str, str], *tasks: dict) -> tuple[Plan, list[dict]]:
    """Every node runs `one` and `two` of its role."""
    runs = " ".join(f"{task}-{role}/{node}" for role, nodes in roles.items() for node in nodes.split() for task in ("one", "two"))
    groups = tuple(ToleranceGroup(role, tuple(nodes.split()), 9) for role, nodes in roles.items())
    return plan_of(runs, groups=groups), list(tasks)


def starts(plan: Plan, tasks: list[dict], durations: dict | None = None, **options) -> dict[str, float]:
    made = role_based(plan, tasks)
    result = simulate(made, durations or {"*": 10}, scheduler=CheckedScheduler(made), **options)
    return {made.runs[run].name: at for run, at in result.starts.items() if made.runs[run].node != SYNC_NODE}


def test_roles_go_in_the_order_of_their_requires_and_wait_for_the_slowest_node():
    plan, tasks = cluster(
        {"controller": "1 2", "compute": "3", "cinder": "4"},
        group("compute", "controller"), group("cinder", "controller"), group("controller"),
    )  # fmt: skip
    assert starts(plan, tasks, {"*": 10, "one-controller/2": 25}) == {
        "one-controller/1": 0, "two-controller/1": 10, "one-controller/2": 0, "two-controller/2": 25,
        "one-compute/3": 35, "two-compute/3": 45, "one-cinder/4": 35, "two-cinder/4": 45,
    }  # fmt: skip


def test_one_by_one_and_parallel_with_an_amount_go_in_parts():
    plan, tasks = cluster({"a": "1 2", "b": "3 4 5"}, group("a", type="one_by_one"), group("b", "a", type="parallel", amount=2))
    at = starts(plan, tasks)
    assert [at[f"one-a/{node}"] for node in "12"] == [0, 20]
    assert [at[f"one-b/{node}"] for node in "345"] == [40, 40, 60]


def test_not_more_nodes_than_the_limit_are_in_one_step():
    plan, tasks = cluster({"a": "1 2 3 4 5"}, group("a", type="parallel"))
    at = starts(replace(plan, max_nodes_per_call=2), tasks)
    assert [at[f"one-a/{node}"] for node in "12345"] == [0, 0, 20, 20, 40]


def test_a_group_without_nodes_counts_as_done_but_keeps_its_level():
    plan, tasks = cluster({"a": "1", "c": "2"}, group("a"), group("b", "a"), group("c", "b"))
    assert [[share.group for share in priority] for priority in priorities(plan, tasks)] == [["a"], ["c"]]


def test_what_leads_to_the_deployment_and_what_follows_it_goes_task_by_task():
    stage = {"type": "stage"}

    def on(name, requires, **more):
        return {"id": name, "type": "puppet", "requires": requires, **more}

    graph = {
        "null": [{"id": "deploy_start", **stage, "requires": [["pre", "1"], ["pre", "2"], ["prep", "1"]]},
                 {"id": "deploy_end", **stage, "requires": [["deploy_start", None], ["main", "1"], ["main", "2"]]}],
        "1": [on("prep", []), on("pre", [["prep", "1"]]), on("main", [["deploy_start", None]]), on("post", [["deploy_end", None]])],
        "2": [on("pre", []), on("main", [["deploy_start", None]]), on("post", [["deploy_end", None]])],
    }  # fmt: skip
    plan = replace(read_traversal_case({"graph": graph}).plan, groups=(ToleranceGroup("all", ("1", "2"), 9),))
    at = starts(plan, [group("all"), {"id": "main", "type": "puppet", "role": ["all"]}], {"*": 10, "pre/1": 15})
    assert at == {"prep/1": 0, "pre/1": 10, "pre/2": 10, "main/1": 25, "main/2": 25, "post/1": 35, "post/2": 35}


def test_a_node_with_two_roles_does_one_after_the_other_in_their_waves():
    runs = "one-a/1 one-b/1 one-b/2"
    groups = (ToleranceGroup("a", ("1",), 9), ToleranceGroup("b", ("1", "2"), 9))
    tasks = [group("a"), group("b", "a"), *({"id": f"one-{role}", "type": "puppet", "tags": [role]} for role in "ab")]
    assert starts(plan_of(runs, groups=groups), tasks) == {"one-a/1": 0, "one-b/1": 10, "one-b/2": 10}


def test_relations_against_the_order_are_dropped_with_a_warning():
    plan, tasks = cluster({"a": "1", "b": "2"}, group("a"), group("b", "a"))
    against = replace(plan, bundles=(Bundle((2,), (0,)),))
    made = role_based(against, tasks)
    assert made.warnings[-1].message == (
        "Role by role, one-a/1 comes before one-b/2, although it depends on it: the old order knows no such relations."
    )
    assert simulate(made, {"*": 10}).finish.status == "ready"


def test_a_failed_node_does_not_hold_up_the_others():
    plan, tasks = cluster({"a": "1 2", "b": "3"}, group("a"), group("b", "a"))
    made = role_based(plan, tasks)
    result = simulate(made, {"*": 10}, fail=["one-a/1"], scheduler=CheckedScheduler(made))
    assert {made.runs[run].name for run in result.blocked} == {"two-a/1"}
    assert result.finish.status == "ready"


def test_a_graph_without_roles_keeps_its_own_order_and_loses_only_parallelism_on_a_node():
    plan = plan_of("a/1 b/1 x/2", "x/2 > a/1", groups=(ToleranceGroup("all", ("1", "2"), 9),))
    assert starts(replace(plan, groups=()), [])["a/1"] == 10


@settings(max_examples=80, deadline=None)
@given(plans(tries=False))
def test_no_run_is_lost_or_doubled_and_a_node_has_one_order(plan):
    made = role_based(plan, [group("controller"), group("compute", "controller"), group("everybody", "compute")])
    added = [run for run in made.runs if run.task.startswith("step-")]
    assert sorted(run.name for run in made.runs) == sorted(run.name for run in (*plan.runs, *added))
    assert all(run == barrier(int(run.task[5:9])) for run in added)
    result = simulate(made, {"*": 1}, scheduler=CheckedScheduler(made))
    assert result.finish.status == "ready"


@settings(max_examples=80, deadline=None)
@given(plans(tries=False))
def test_people_see_the_same_order_without_barriers(plan):
    made = role_based(plan, [group("controller"), group("compute", "controller"), group("everybody", "compute")])
    shown = without_barriers(made)
    assert sorted(run.name for run in shown.runs) == sorted(run.name for run in plan.runs)

    def order(of):
        after = {}
        for first, second in of.edges():
            after.setdefault(of.runs[first].name, set()).add(of.runs[second].name)
        names = {run.name for run in plan.runs}
        reached = {}
        for name in names:
            stack, seen = [name], set()
            while stack:
                for other in after.get(stack.pop(), ()):
                    if other not in seen:
                        seen.add(other)
                        stack.append(other)
            reached[name] = seen & names
        return reached

    assert order(shown) == order(made)
