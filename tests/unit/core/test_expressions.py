"""Expressions: what they mean, and that remembering never changes it."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.core.errors import ExpressionError
from deployments.core.expressions.canonical import Canon
from deployments.core.expressions.evaluator import Evaluator
from deployments.core.facts import ClusterFacts, NodeFacts, PastFacts, PlanSettings
from deployments.core.time_limit import no_limit
from deployments.limits import timer_limit


def evaluator_of(cluster: ClusterFacts, limit: Any = no_limit) -> Evaluator:
    return Evaluator(cluster, PlanSettings(), limit)


def value_of(text: str, common: dict, *, node: dict | None = None, old: dict | None = None, limit: Any = no_limit) -> Any:
    """The plain value on node 1; `old` is the common data of an earlier run."""
    past = PastFacts(old, {"1": {"uid": "1"}}) if old is not None else None
    evaluator = evaluator_of(ClusterFacts(common, (NodeFacts("1", ("web",), node or {}),), old_default=past), limit)
    return evaluator.canon.thaw(evaluator.yaql(text, evaluator.view("t", "1"), task="t", node="1"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$.x", 1),
        ("$.roles", ["web"]),
        ("$.uid", "1"),
        ("$.deep", {"a": 1, "b": [1, 2], "c": 3}),
        ("$node.deep", {"c": 3}),
        ("$common.deep", {"a": 1, "b": [1, 2]}),
        ("$.get('missing', 7)", 7),
        ("$.list.where($ > 1).select($ * 10)", [20, 30]),
        ("$.list.toSet().intersect([3, 2].toSet())", [2, 3]),
        ("$.deep.keys()", ["a", "b", "c"]),
        ("$.deep.keys().toSet().union($.list.toSet()).len()", 6),
        ("switch($.x = 1 => 'one', true => 'more')", "one"),
        ("{a => $.x, b => [$.x]}.toJson()", '{"a": 1, "b": [1]}'),
        ("{b => [1], a => x}.toYaml()", "a: x\nb:\n- 1\n"),
        ("let(n => 2) -> $.list.where($ = $n)", [2]),
        ("def(twice, $ * 2) -> twice($.x)", 2),
        ("[1, 2].zip(sequence(5))", [[1, 5], [2, 6]]),
        ("$.list.any($ = new($.x))", True),
        ("len(old($)) > 0", False),
        ("old($.x).isUndef()", True),
        ("old($.x)", None),
        ("new($.x)", 1),
    ],
)
def test_what_expressions_give(text, value):
    common = {"x": 1, "list": [1, 2, 3], "deep": {"a": 1, "b": [1, 2]}}
    assert value_of(text, common, node={"deep": {"c": 3}}) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("changed($.same)", False),
        ("changed($.list)", True),
        ("changed($.new)", True),
        ("changed($.gone)", None),  # an error on the new data is an error
        ("changed($.get('gone'))", True),
        ("changedAny($.same, $.list)", True),
        ("changedAny($.same, $.same)", False),
        ("changedAll($.list, $.same)", False),
        ("changedAll($.list, $.text)", True),
        ("changed($.list.where($ > 2))", True),
        ("changed($.list.where($ = 1 or $ = 2))", False),
        ("added($.list)", [3]),
        ("deleted($.list)", [0]),
        ("added($.map)", {"b": 3, "c": 4}),
        ("deleted($.map)", {"b": 2}),
        ("added($.text)", ["l3"]),
        ("deleted($.text)", ["l2"]),
        ("added($.same)", None),
        ("added($.new)", [1]),
        ("deleted($.new)", None),
        ("added($.map.keys())", ["c"]),
        ("added($.map.values())", [3, 4]),
        ("3 in added($.list)", True),
    ],
)
def test_comparing_with_the_last_run(text, value):
    new = {"same": 1, "list": [1, 2, 3], "map": {"a": 1, "b": 3, "c": 4}, "text": "l1\nl3", "new": [1]}
    old = {"same": 1, "list": [0, 1, 2], "map": {"a": 1, "b": 2}, "text": "l1\nl2", "gone": 5}
    if text == "changed($.gone)":
        with pytest.raises(ExpressionError, match="no key 'gone'"):
            value_of(text, new, old=old)
    else:
        assert value_of(text, new, old=old) == value


def test_one_and_true_are_two_values():
    nodes = (NodeFacts("1", data={"v": 1}), NodeFacts("2", data={"v": True}), NodeFacts("3", data={"v": 1.0}))
    evaluator = evaluator_of(ClusterFacts({}, nodes))
    texts = [evaluator.yaql("$.v.toJson()", evaluator.view("t", uid), task="t", node=uid) for uid in "123"]
    assert texts == ["1", "true", "1.0"]


def test_nothing_random_and_no_clock():
    for text in ("now()", "random()"):
        with pytest.raises(ExpressionError, match="Unknown function"):
            value_of(text, {})


def test_an_error_names_task_node_and_expression():
    with pytest.raises(ExpressionError) as caught:
        value_of("$.a.nope", {"a": {}})
    assert caught.value.as_dict()["task"] == "t"
    assert caught.value.as_dict()["node"] == "1"
    assert str(caught.value) == "The expression `$.a.nope` of task 't' on node 1: the data has no key 'nope'."


@pytest.mark.parametrize("text", ["$.text.matches('(a|a)*c')", "range(0, 90000).select(range(0, 90000).sum()).sum()"])
def test_an_expression_may_not_take_for_ever(text):
    with pytest.raises(ExpressionError, match="took longer than 0.2 s") as caught:
        value_of(text, {"text": "a" * 40}, limit=timer_limit(0.2))
    assert caught.value.where == text


@pytest.mark.parametrize(
    "text",
    [
        "let(a => 'x' * 900000) -> range(200).select($a + str($))",
        "range(200).select('x' * 900000 + str($))",
        "let(a => 'x' * 900000) -> changed(range(200).select($a + str($)))",
        "'x' * 70000000",
    ],
)
def test_an_expression_may_not_give_more_than_64_megabytes(text):
    with pytest.raises(ExpressionError, match="it gives more than 64 MB") as caught:
        value_of(text, {})
    assert (caught.value.task, caught.value.node) == ("t", "1")


def test_all_expressions_of_a_plan_together_have_a_limit():
    evaluator = evaluator_of(ClusterFacts({}, (NodeFacts("1", ("web",), {}),)), no_limit)
    view = evaluator.view("t", "1")

    def give(number: int) -> None:
        evaluator.yaql(f"range(60).select('x' * 900000 + str($ + {number * 100}))", view, task=f"t{number}", node="1")

    for number in range(4):
        give(number)
    with pytest.raises(ExpressionError, match="all expressions of this graph together give more than 256 MB"):
        give(4)
    give(0)  # What was there before costs nothing again.


def test_endless_sequences_end():
    with pytest.raises(ValueError, match="more than 100000 items"):
        Canon().freeze(count())


# -- remembering ----------------------------------------------------------------------------------------------------------

EXPRESSIONS = (
    "$.a",
    "$.get(b)",
    "changed($.a)",
    "changed($)",
    "changedAny($.get(a), $.get(b), $.get(c))",
    "changedAll($.get(a), $.get(b))",
    "$.uid in added($.get(c, [])).select(str($))",
    "$.get(a) and changed($.get(b))",
    "$.get(c, []).where($ = new($.get(a))).len()",
    "added($.get(c, []))",
    "deleted($.get(c, []))",
    "$node.toJson()",
    "old($).get(a)",
    "len(old($))",
    "$.get(c, []).select(changed($.get(b)))",
    "$.get(c, []).toSet().len()",
    "let($.get(b)) -> changed($.get(a))",
    "$.get(c, []).orderBy($).toJson()",
    "'a' in $",
    "$.keys().len()",
)
values = st.one_of(st.integers(0, 2), st.booleans(), st.none())
data = st.fixed_dictionaries({}, optional={"a": values, "b": values, "c": st.lists(st.integers(0, 3), max_size=4)})


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(st.sampled_from(EXPRESSIONS), min_size=1, max_size=4, unique=True),
    common=data,
    nodes=st.lists(data, min_size=2, max_size=4),
    old=data,
    old_nodes=st.lists(data, max_size=4),
)
def test_remembering_changes_nothing(texts, common, nodes, old, old_nodes):
    facts = tuple(NodeFacts(str(uid), (), own) for uid, own in enumerate(nodes))
    past = PastFacts(old, {str(uid): {"uid": str(uid), **own} for uid, own in enumerate(old_nodes)})
    cluster = ClusterFacts(common, facts, old={"t": dict.fromkeys(past.nodes, past)})
    shared = evaluator_of(cluster)
    for text in texts:
        for node in facts:
            for task in ("t", "never-run"):
                assert outcome(shared, text, task, node.uid) == outcome(evaluator_of(cluster), text, task, node.uid), text


def outcome(evaluator: Evaluator, text: str, task: str, node: str) -> str:
    try:
        return repr(evaluator.canon.thaw(evaluator.yaql(text, evaluator.view(task, node), task=task, node=node)))
    except ExpressionError as error:
        return str(error)


def test_what_reads_common_data_only_is_evaluated_once():
    nodes = tuple(NodeFacts(str(uid), ("web",), {"own": uid}) for uid in range(300))
    evaluator = evaluator_of(ClusterFacts({"nodes": [{"uid": str(uid)} for uid in range(300)]}, nodes))
    frozen = evaluator.canon.freeze
    calls = []
    evaluator.canon.freeze = lambda value: calls.append(1) or frozen(value)  # type: ignore[method-assign]
    for node in nodes:
        view = evaluator.view("t", node.uid)
        assert evaluator.yaql("$.uid in added($.nodes).uid", view, task="t", node=node.uid) is True
    # Evaluating it for each node would freeze the list of all nodes for each of them: 90,000 items and more.
    assert len(calls) < 30_000


@pytest.mark.parametrize(("known", "changed"), [({}, True), (None, True), ({"uid": "1"}, False)])
def test_a_node_whose_old_data_are_empty_is_unknown_with_the_common_part_as_well(known, changed):
    past = PastFacts({"k": 1}, {} if known is None else {"1": known})
    evaluator = evaluator_of(ClusterFacts({"k": 1}, (NodeFacts("1", ("web",)),), old_default=past))
    assert evaluator.yaql("changed($.k)", evaluator.view("t", "1"), task="t", node="1") is changed


@pytest.mark.parametrize("text", ["$.a.key", "null.key", "$.x.key"])
def test_what_has_no_keys_is_said_to_have_none(text):
    with pytest.raises(ExpressionError, match="null, or a value that is no mapping, has no key 'key'"):
        value_of(text, {"a": None, "x": 1})
