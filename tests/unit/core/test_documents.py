"""Documents from people: what a parser would lose or change without a word is refused."""

from __future__ import annotations

import pytest

from deployments.core.documents import safe_yaml
from deployments.core.errors import InvalidData
from deployments.core.graph.loading import load_tasks

MERGED = """
one: &one {a: 1, b: 2}
two: {<<: *one, b: 3}
three:
  <<: *one
  <<: {c: 4}
  b: 5
four: *one
"""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- id: a\n  roles: [web]\n  type: noop\n  roles: [db]", "the key 'roles' on lines 2 and 4 in one mapping"),
        ("x: 1\ny: {z: 1, z: 2}", "the key 'z' twice on line 2"),
        ("x: 1\n'x': 2", "on lines 1 and 2"),
        ('{"a": 1,\n "b": {"c": 1,\n "c": 2}}', "the key 'c' on lines 2 and 3"),
        ('[{"a": 1,\n\t"a": 2}]', "the key 'a'"),
        ("a: &x {b: 1}\nc: {<<: *x, d: 1, d: 2}", "the key 'd' twice on line 2"),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_both_lines(text, sentence):
    with pytest.raises(InvalidData, match=sentence):
        safe_yaml.load(text, "The graph")


def test_merges_and_keys_of_other_kinds_are_no_duplicates():
    assert safe_yaml.load(MERGED, "The file")["two"] == {"a": 1, "b": 3}
    assert safe_yaml.load(MERGED, "The file")["three"] == {"a": 1, "b": 5, "c": 4}
    assert safe_yaml.load("1: a\n'1': b", "The file") == {1: "a", "1": "b"}
    assert safe_yaml.load("- {a: 1}\n- {a: 2}", "The file") == [{"a": 1}, {"a": 2}]
    assert safe_yaml.load('{"a": {"a": "a"}, "b": ["a", "a"]}', "The file") == {"a": {"a": "a"}, "b": ["a", "a"]}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("- {id: alpha, type: noop}\n- {id: beta, type: shell, parameters: {timeout: .inf}}", "in beta.parameters.timeout"),
        ("- {id: alpha, type: shell, parameters: {list: [1, -.inf]}}", "in alpha.parameters.list.2"),
        ("- {id: alpha, type: shell, parameters: {timeout: .nan}}", "in alpha.parameters.timeout"),
        ('[{"id": "alpha", "type": "shell", "parameters": {"timeout": 1e999}}]', "in alpha.parameters.timeout"),
        ('[{"id": "alpha", "type": "shell", "parameters": {"timeout": NaN}}]', "in alpha.parameters.timeout"),
    ],
)
def test_a_number_that_json_can_not_hold_is_refused_with_its_place(text, where):
    with pytest.raises(InvalidData, match=f"The graph: the number {where} is infinite or none at all"):
        load_tasks(text)
