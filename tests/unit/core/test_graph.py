"""Reading, checking and merging graphs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.core.documents import safe_yaml
from deployments.core.errors import FuelwebError, InvalidData
from deployments.core.facts import ClusterFacts, NodeFacts
from deployments.core.graph import load_tasks, merge, validate
from deployments.core.graph.lint import KNOWN_KEYS
from deployments.core.planning.planner import plan

GOOD = """
- {id: base, type: puppet, version: 2.1.0, role: [web]}
- {id: app, type: shell, requires: [base], cross-depends: [{name: base, role: self}], parameters: {cmd: "true"}}
"""


def test_a_good_graph():
    graph = load_tasks(GOOD)
    assert [task["id"] for task in graph.tasks] == ["base", "app"]
    assert graph.warnings == ()
    assert load_tasks(b'{"tasks": [{"id": "a", "type": "noop"}]}').tasks == ({"id": "a", "type": "noop"},)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- {id: a, type: pupet}", "did you mean 'puppet'?"),
        ("- {id: a, type: [1]}", "has the type"),
        ("- {type: puppet}", "Task 1 of the graph has the id None"),
        ("- just text", "Entry 1 of the graph is no task"),
        ("just text", "no list of tasks"),
        ("- {id: a, type: noop}\n- {id: a, type: noop}", "Tasks duplication found: a"),
        ("- {id: a, type: noop, version: 2.1}", "write it in quotes"),
        ("- {id: a, type: noop, requires: b}", "must be a list of task ids"),
        ("- {id: a, type: noop, cross-depends: [{role: x}]}", "has no name"),
        ("- {id: a, type: noop, cross-depends: [{name: x, policy: some}]}", "'all' or 'any'"),
        ("- {id: a, type: noop, parameters: {strategy: {type: fast}}}", "'parallel' or 'one_by_one'"),
        ("- {id: a, type: noop, parameters: {strategy: {type: parallel, amount: -1}}}", "0 for no limit"),
        ("- {id: a, type: noop, parameters: {x: {yaql_exp: 1}}}", "must hold an expression"),
        ("- {id: a, type: noop, retry: {attempts: many}}", "must hold numbers"),
        ("- {id: a, type: noop, retry: {attempts: 1001}}", "1 to 1000 attempts"),
        ("- {id: a, type: noop, retry: {attempts: 2, delay: 1.0e+300}}", "a delay of 0 seconds to a year"),
        ("- {id: a, type: noop, retry: {attempts: 2, delay: -1}}", "a delay of 0 seconds to a year"),
        ("- {id: a\n- b", "line 3, column 1"),
        ("- !!python/object:os.system {}", "no valid YAML"),
        ("? {a: 1}\n: b", "plain value|no valid YAML"),
        ("- {id: a, type: noop, parameters: {day: 2020-01-01}}", "put dates and the like into quotes"),
        ("- {id: a, type: noop, parameters: {names: !!set {b}}}", "JSON has no form"),
        ("- {id: a, type: noop, parameters: {data: !!binary aGk=}}", "JSON has no form"),
        ("- {id: a, type: noop, parameters: {2020-01-01: x}}", "keys are texts"),
        ("- &a [*a]", "inside of what it stands for"),
        ("[" * 100 + "]" * 100, "levels deep"),
        ("[" * 100_000 + "]" * 100_000, "levels deep"),
        ("- " * 100 + "a", "levels deep"),
    ],
)
def test_bad_graphs_say_what_to_do(text, sentence):
    with pytest.raises(InvalidData, match=sentence):
        load_tasks(text)


def test_a_few_lines_cannot_fill_the_memory():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(InvalidData, match="once its aliases are replaced"):
        safe_yaml.load("\n".join(lines), "The graph")
    with pytest.raises(InvalidData, match="at most 100 are read"):
        safe_yaml.load("x" * 101, "The graph", most_bytes=100)


def test_mistakes_that_are_allowed_warn():
    warnings = [
        str(each.message) for each in load_tasks(GOOD + "- {id: x, type: noop, paramters: {}, requires: [bas, '/(a|a)*$/']}").warnings
    ]
    assert len(warnings) == 2
    assert "unknown key 'paramters', which is ignored; did you mean 'parameters'?" in warnings[0]
    assert "did you mean 'base'?" in warnings[1]


def test_later_graphs_replace_whole_tasks():
    release = [{"id": "a", "x": 1}, {"id": "b"}, {"id": "c"}]
    cluster = [{"id": "d"}, {"id": "a", "y": 2}]
    assert merge(release, [{"id": "b", "plugin": 1}], cluster) == [{"id": "a", "y": 2}, {"id": "b", "plugin": 1}, {"id": "c"}, {"id": "d"}]
    assert merge(release) == release


# -- whatever comes in, the answer is a sentence --------------------------------------------------------------------------

names = st.sampled_from(["a", "b", "/a/", "/(/", "", "{x}", "self", "*"])
junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), names, st.builds(lambda text: {"yaql_exp": text}, names)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["name", "role", "type", "amount"]), inner, max_size=2)
    ),
    max_leaves=4,
)
keys = st.sampled_from(sorted({*KNOWN_KEYS, "unknown"} - {"id", "type"}))
tasks = st.lists(
    st.builds(
        lambda name, kind, rest: {**rest, "id": name, "type": kind},
        st.one_of(st.sampled_from(["a", "b", "c"]), junk),
        st.one_of(st.sampled_from(["puppet", "group", "stage"]), junk),
        st.dictionaries(keys, junk, max_size=4),
    ),
    max_size=4,
)


@settings(max_examples=150, deadline=None)
@given(tasks)
def test_any_graph_is_checked_and_planned_or_refused(written):
    cluster = ClusterFacts({}, (NodeFacts("1", ("a",)), NodeFacts("2", ("b",))))
    for step in (validate, lambda graph: plan(graph, cluster)):
        try:
            step(written)
        except FuelwebError as error:
            assert str(error)


def test_an_id_that_history_has_no_room_for_is_refused():
    assert not validate([{"id": "x" * 255, "type": "stage"}])
    with pytest.raises(InvalidData, match="Task 1 of the graph has an id of 256 characters: 255 are kept at most"):
        validate([{"id": "x" * 256, "type": "stage"}])
