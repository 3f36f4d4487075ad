"""Whatever stands in a case, in place of what should: it is planned and simulated, or one sentence says what is wrong."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.core.cases import normal_form
from deployments.core.cases.case_report import case_report, summary
from deployments.core.cases.cases import load, parse_planning_case, plan_case
from deployments.core.cases.traversal_case import read_traversal_case, rehearse
from deployments.core.errors import LONGEST, FuelwebError, InvalidData
from deployments.core.planning import drawing
from deployments.core.planning.role_based import role_based
from deployments.core.simulation.simulate import simulate

TRAVERSAL: dict[str, Any] = {
    "graph": {
        "1": [
            {"id": "a", "type": "puppet", "requires": [["s", None]], "parameters": {"strategy": {"type": "parallel", "amount": 1}}},
            {"id": "b", "type": "shell", "fail_on_error": False, "requires": [["a", "1"]], "required_for": [{"name": "a", "node_id": "2"}]},
        ],
        "2": [{"id": "a", "type": "puppet", "parameters": {"cwd": "/"}}],
        "null": [{"id": "s", "type": "stage"}],
    },
    "fault_tolerance_groups": [{"name": "web", "node_ids": ["1", "2"], "fault_tolerance": 1}],
    "durations": {"a": 5, "b/1": 2.5, "*": 1},
    "fail": ["a/2"],
    "fail_at_start": ["b/1"],
    "offline": ["2"],
    "stop_at": 3,
    "max_nodes_per_call": 1,
    "noop_run": False,
    "subgraphs": [{"start": ["s"], "end": ["a/1", "a/2-3"]}],
    "nodes": {"1": "online"},
}
TASK: dict[str, Any] = {
    "id": "b", "type": "shell", "version": "2.1.0", "role": ["web"], "condition": {"yaql_exp": "$.x = 1"}, "fail_on_error": True,
    "requires": ["a"], "required_for": [{"yaql_exp": "'c'"}], "cross-depends": [{"name": "a", "role": ["web"], "policy": "any"}],
    "cross-depended-by": [{"name": "/c/", "role": "self"}], "retry": {"attempts": 2, "delay": 1}, "idempotent": True,
    "parameters": {"cmd": "echo {CLUSTER_ID}", "retries": 1, "strategy": {"type": "parallel", "amount": 2}, "x": {"yaql_exp": "$.x"}},
}  # fmt: skip
PLANNING: dict[str, Any] = {
    "tasks": [
        {"id": "a", "type": "puppet", "version": "2.1.0", "tags": ["web"], "condition": "cluster:x == 1", "parameters": {}},
        TASK,
        {"id": "c", "type": "stage", "requires": ["b"]},
        {"id": "g", "type": "group", "role": "web", "tasks": ["d"], "fault_tolerance": "50%", "requires": ["h"],
         "parameters": {"strategy": {"type": "one_by_one"}}},
        {"id": "h", "type": "group", "role": "db"},
        {"id": "d", "type": "upload_file", "version": "2.0.0", "groups": ["web"], "parameters": {"path": "/x", "data": "y"}},
    ],
    "cluster": {
        "nodes": [{"uid": "1", "name": "n", "roles": ["web"], "data": {"y": 1}}, {"uid": "2", "tags": ["web"]}],
        "common": {"x": 1, "cluster": {"id": 3}},
        "roles_metadata": {"web": {"name": "Web", "tags": ["web"], "has_primary": True}},
        "tags_metadata": {"web": {"has_primary": False}},
        "old": {"a": {"common": {"x": 0}, "nodes": {"1": {"y": 0}}},
                "all_tasks": {"common": {}, "nodes": [{"uid": "1", "roles": ["web"]}]}},
    },
    "only_task_ids": ["a", "b"],
    "settings": {"LCM_CHECK_TASK_VERSION": True, "MASTER_IP": "10.0.0.1"},
    "max_nodes_per_call": 1,
}  # fmt: skip
OTHERS: tuple[Any, ...] = (
    5,
    "x",
    None,
    [],
    {},
    [5],
    [[]],
    [{}],
    -1,
    1.5,
    float("nan"),
    True,
    {"yaql_exp": "$"},
    {"yaql_exp": 5},
    "/(/",
    "{",
)

Path = tuple[Any, ...]


def paths(value: Any, above: Path = ()) -> Iterator[Path]:
    """The ways to everything below a value."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*above, key)
        yield from paths(item, (*above, key))


def damaged(case: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """A copy with another value there, unless an earlier damage took the place away."""
    case = copy.deepcopy(case)
    place: Any = case
    try:
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = copy.deepcopy(value)
    except (LookupError, TypeError):
        pass
    return case


def run_traversal(case: dict[str, Any]) -> None:
    show(read_traversal_case(case))


def run_planning(case: dict[str, Any]) -> None:
    parsed = parse_planning_case(case)
    plan, links = plan_case(parsed)
    json.dumps(["".join(normal_form.chunks(plan)), normal_form.summary(plan, links, with_hashes=True)])
    assert drawing.dot(plan, parsed.tasks) and drawing.table(plan, links)
    show(rehearse(plan, {}))
    role_based(plan, parsed.tasks)


def show(rehearsal: Any) -> None:
    result = simulate(
        rehearsal.plan, rehearsal.durations, fail=rehearsal.fail, fail_at_start=rehearsal.fail_at_start, stop_at=rehearsal.stop_at,
        offline=rehearsal.offline,
    )  # fmt: skip
    json.dumps([case_report(result, rehearsal.durations, rehearsal.node_words), summary(result, rehearsal.durations)])


KINDS = {"traversal": (TRAVERSAL, run_traversal), "planning": (PLANNING, run_planning)}


def sentence_or_success(kind: str, case: dict[str, Any]) -> None:
    try:
        KINDS[kind][1](case)
    except FuelwebError as error:
        assert str(error) and "\n" not in str(error)


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_cases_are_good(kind: str) -> None:
    KINDS[kind][1](KINDS[kind][0])


@pytest.mark.parametrize(("kind", "path"), [(kind, path) for kind, (case, _) in KINDS.items() for path in paths(case)], ids=str)
def test_one_value_is_another(kind: str, path: Path) -> None:
    for value in OTHERS:
        sentence_or_success(kind, damaged(KINDS[kind][0], path, value))


@pytest.mark.parametrize("path", [path for path in paths(PLANNING)], ids=str)
def test_a_sentence_does_not_quote_all_of_a_long_value(path: Path) -> None:
    try:
        run_planning(damaged(PLANNING, path, "x" * 70_000))
    except FuelwebError as error:
        assert len(str(error)) <= LONGEST and json.dumps(error.as_dict())


def test_a_case_has_no_half_characters() -> None:
    with pytest.raises(InvalidData, match="The case has a character that can't be stored"):
        load(json.dumps({**PLANNING, "tasks": [{"id": "\ud800", "type": "puppet"}]}))


def test_what_a_node_once_saw_is_a_mapping() -> None:
    cluster = {**PLANNING["cluster"], "old": {"a": {"nodes": {"1": "x"}}}}
    with pytest.raises(InvalidData, match="`1` of `nodes` in `old` of 'a' must be a mapping"):
        run_planning({**PLANNING, "cluster": cluster})


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(sorted(KINDS)))
def test_several_values_are_others(data: st.DataObject, kind: str) -> None:
    case = KINDS[kind][0]
    ways = st.sampled_from(list(paths(case)))
    anything = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    )
    for path, value in data.draw(st.lists(st.tuples(ways, st.sampled_from(OTHERS) | anything), min_size=1, max_size=4)):
        case = damaged(case, path, value)
    sentence_or_success(kind, case)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("stop_at", float("nan")), ("stop_at", -1), ("subgraphs", [3]),
        ("fault_tolerance_groups", [5]), ("fault_tolerance_groups", [{"name": "g", "node_ids": None}]), ("fail", "a/1"),
        ("max_nodes_per_call", "x"), ("max_nodes_per_call", True), ("noop_run", "no"),
    ],
)  # fmt: skip
def test_what_a_traversal_case_may_not_say(key: str, value: Any) -> None:
    with pytest.raises(InvalidData, match=key):
        run_traversal({**TRAVERSAL, key: value})


@pytest.mark.parametrize("side", ["a", 5, [5], [{}], {"a": 1}])
def test_a_side_of_a_subgraph_is_a_list_of_names(side: Any) -> None:
    with pytest.raises(InvalidData, match="`start` of a subgraph is .*: write a list"):
        run_traversal({**TRAVERSAL, "subgraphs": [{"start": side}]})


@pytest.mark.parametrize(
    ("key", "value"),
    [("max_nodes_per_call", "x"), ("only_task_ids", "a"), ("only_task_ids", 5), ("only_task_ids", [{}]), ("settings", [1])],
)
def test_what_a_planning_case_may_not_say(key: str, value: Any) -> None:
    with pytest.raises(InvalidData, match=key):
        run_planning({**PLANNING, key: value})
