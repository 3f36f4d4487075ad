"""What runs depend on: watched parts of conditions, digests of inputs, and how differences are named."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.core.expressions.canonical import Canon
from deployments.core.expressions.language import Language
from deployments.core.expressions.memory import Tracer
from deployments.core.facts import ClusterFacts, NodeFacts, PastFacts
from deployments.core.planning.differences import differing_keys
from deployments.core.planning.planner import Planned, plan_and_watch
from deployments.core.planning.settings_facts import settings_facts, united


def planned(condition: str, common: dict[str, Any], old: dict[str, Any] | None = None, **facts: Any) -> Planned:
    task = {
        "id": "t",
        "type": "shell",
        "version": "2.1.0",
        "role": ["web"],
        "condition": {"yaql_exp": condition},
        "parameters": {"cmd": "x"},
    }
    past = PastFacts(old, {"1": {"uid": "1"}}) if old is not None else None
    return plan_and_watch([task], ClusterFacts(common, (NodeFacts("1", ("web",)),), old_default=past, **facts))


def inputs(condition: str, common: dict[str, Any], old: dict[str, Any] | None = None) -> str:
    made = planned(condition, common, old)
    return made.watch.inputs(made.plan)[0]


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("changedAny($.a.b, $.get('c', 1)) and $.d", ["$.a.b", "$.get('c', 1)"]),
        ("not changed($.a) or ('x' in added($.a.keys()))", ["$.a", "$.a.keys()"]),
        ("(changed($.a['b c']))", ["$.a['b c']"]),
        ("old($.a) != $.a", ["$.a"]),
        ("changed({a => $.a, b => [1, $.b]})", ["{a => $.a, b => [1, $.b]}"]),
        ("changed($.a.values().where(('x' in $.roles) or not $.b))", ["$.a.values().where(('x' in $.roles) or not $.b)"]),
        ("$.a.values().any(changed($))", ["$.a.values()"]),
        ("def(f, changed($.a)) -> f()", ["$"]),
        ("$.a = 1", []),
        ("true", []),
    ],
)
def test_what_an_expression_watches(condition: str, names: list[str]) -> None:
    language = Language(Canon(), Tracer(), {})
    assert list(language.watched(condition)) == names


def test_what_is_not_watched_is_no_input() -> None:
    condition = "changed($.a) or true"
    assert inputs(condition, {"a": 1, "b": 1}) == inputs(condition, {"a": 1, "b": 2})
    assert inputs(condition, {"a": 1, "b": 1}) != inputs(condition, {"a": 2, "b": 1})


def test_old_data_are_no_input() -> None:
    condition = "changedAny($.a, $.b) or true"
    assert inputs(condition, {"a": 1, "b": 1}) == inputs(condition, {"a": 1, "b": 1}, {"a": 5})


def test_the_order_of_keys_is_no_input_but_types_are() -> None:
    condition = "changed($.a) or true"
    assert inputs(condition, {"a": {"x": 1, "y": 2}}) == inputs(condition, {"a": {"y": 2, "x": 1}})
    assert len({inputs(condition, {"a": value}) for value in (1, 1.0, True, "1", None, [1])}) == 6


def test_a_part_that_can_not_be_worked_out_does_no_harm() -> None:
    assert inputs("true or changed($.gone.x)", {"a": 1}) == inputs("true or changed($.gone.x)", {"a": 2})


def test_a_run_that_does_nothing_has_no_inputs() -> None:
    assert inputs("$.a = 2", {"a": 1}) == ""


def test_changes_are_named_even_where_everything_runs_again() -> None:
    made = planned(
        "changedAny($.a, $.b, $.c)", {"a": {"x": {"y": 2}}, "b": 1}, {"a": {"x": {"y": 1}}, "b": 1, "c": 3}, fresh=frozenset("1")
    )
    assert made.watch.changes("t", "1") == ["$.a.x.y", "$.c"]
    assert planned("changed($.a)", {"a": 1}).watch.changes("t", "1") == ["$.a"]


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1, "b": {"c": 1, "d": 1}}, {"a": 1, "b": {"c": 2, "d": 1}}, ["b.c"]),
        ({"a": 1}, {"b": 1}, ["a", "b"]),
        ({"a": 1}, {"a": 1.0}, ["a"]),
        ({"a": {"b": {"c": {"d": 1}}}}, {"a": {"b": {"c": {"d": 2}}}}, ["a.b.c"]),
        ({}, {str(key): 1 for key in range(9)}, ["0", "1", "2", "3", "…"]),
        ([1], [1, 2], [""]),
    ],
)
def test_differences_are_named_by_path(old: Any, new: Any, keys: list[str]) -> None:
    assert differing_keys(old, new) == keys


def test_settings_become_facts() -> None:
    settings = {
        "storage": {"metadata": {"label": "Storage"}, "osd": {"value": 2, "type": "text"}, "plain": 3},
        "common": {"debug": {"value": True}, "metadata": {}},
        "additional_components": {"heat": {"value": True}, "sahara": {"value": False}},
        "heat": {"workers": {"value": 4}},
    }
    assert settings_facts(settings) == {
        "storage": {"osd": 2, "plain": 3}, "debug": True, "heat": {"workers": 4, "enabled": True}, "sahara": {"enabled": False},
    }  # fmt: skip
    assert settings_facts({}) == {}


def test_mappings_are_united_at_every_depth() -> None:
    below = {"a": {"x": 1, "y": 1}, "b": [1]}
    assert united(below, {"a": {"y": 2}, "b": [2], "c": 3}) == {"a": {"x": 1, "y": 2}, "b": [2], "c": 3}
    assert below == {"a": {"x": 1, "y": 1}, "b": [1]}
