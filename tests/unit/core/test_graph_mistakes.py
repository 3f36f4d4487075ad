"""Mistakes that plugins of the real world make: each is taken as it was meant, or refused by a sentence that says what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.core.errors import InvalidData
from deployments.core.graph import load_tasks
from deployments.core.graph.warning_lines import warning_lines
from deployments.core.plan import PlanWarning

TASK = "- {id: a, type: shell, version: 2.1.0, parameters: {cmd: 'true'}, "

REFUSED = {
    "fuel-plugin-kubernetes.yaml": "unknown key 'required_form': did you mean 'required_for'",
    "odd-murano-comment-in-folded-yaql.yaml": "begins no comment",
    "odd-old-format-tasks.yaml": "format of plugins before Fuel 9",
}


def lines(text: str) -> list[str]:
    return warning_lines(load_tasks(text).warnings)


@pytest.mark.parametrize(
    ("rest", "sentence"),
    [
        ("require: [b]}", "unknown key 'require': did you mean 'requires'"),
        ("require_for: [b]}", "unknown key 'require_for': did you mean 'required_for'"),
        ("required_form: [b]}", "unknown key 'required_form': did you mean 'required_for'"),
        ("cross_depend: [{name: b}]}", "unknown key 'cross_depend': did you mean 'cross_depends'"),
        ("cross-depended-bye: [{name: b}]}", "unknown key 'cross-depended-bye': did you mean 'cross-depended-by'"),
        ("roles: [no]}", "`roles` of task 'a' holds False, which is no text: write it in quotes"),
        ("role: 1.5}", "`role` of task 'a' holds 1.5, which is no text"),
        ("tags: [web, 7]}", "`tags` of task 'a' holds 7, which is no text"),
        ("condition: {yaql_exp: \"$.uid = 'o1' and\"}}", "can't be parsed, .* unexpected end of statement"),
        ("condition: {yaql_exp: '$.a +* 2'}}", r"unexpected '\*' at position 5"),
        ("condition: 'settings:a.b == ('}", "can't be parsed"),
        ("requires: [{yaql_exp: 'foo('}]}", "can't be parsed"),
        ('condition: {yaql_exp: "$.a # only then\\n and $.b"}}', "a # within a folded or quoted text begins no comment"),
    ],
)
def test_what_would_be_lost_or_fail_later_is_refused(rest, sentence):
    with pytest.raises(InvalidData, match=sentence):
        load_tasks(TASK + rest)


def test_a_hash_in_a_text_of_an_expression_is_no_mistake():
    assert not lines(TASK + "roles: ['*'], condition: {yaql_exp: \"$.name = '#1'\"}}")


def test_the_key_that_is_wrong_in_fuels_own_library_is_warned_of_only():
    assert "did you mean 'cross-depended-by'" in lines(TASK + "role: '*', cross-depened-by: [{name: a}]}")[0]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n# nothing\n", "[]", "tasks:\n# none\n"])
def test_a_file_without_tasks_is_an_empty_graph(text):
    assert load_tasks(text).tasks == ()


def test_the_format_before_fuel_9_is_refused_by_its_name():
    text = "- role: [controller]\n  stage: post_deployment\n  type: shell\n  parameters: {cmd: ls}"
    with pytest.raises(InvalidData, match="format of plugins before Fuel 9 .* give it an `id`"):
        load_tasks(text)


def test_a_task_that_names_itself_is_warned_of():
    assert lines(TASK + "role: '*', requires: [a]}") == ["`requires` of task 'a' names the task itself, which has no effect: take it out."]


def test_tasks_that_wait_for_each_other_are_warned_of():
    text = "\n".join(f"- {{id: {name}, type: noop, role: '*', requires: [{other}]}}" for name, other in ("ab", "bc", "ca", "da"))
    assert lines(text) == ["Tasks wait for each other in a circle: a → c → b → a. No node that has all of them can be deployed."]


def test_equal_warnings_are_one_line():
    said = [PlanWarning(f"Task '{n}' is old.", f"{n}") for n in range(9)] + [PlanWarning("Else."), PlanWarning("Task 'x' is new.", "x")]
    assert warning_lines(said) == ["Task '0' is old. The same of 8 more tasks: 1, 2, 3, 4, 5, …", "Else.", "Task 'x' is new."]
    assert warning_lines(said[:3]) == ["Task '0' is old. The same of 1, 2."]


def test_plugins_of_the_real_world_are_taken_or_refused_by_a_sentence(shared: Path):
    for file in sorted((shared / "graphs" / "plugins").glob("*.yaml")):
        sentence = REFUSED.get(file.name)
        if sentence is None:
            assert len(load_tasks(file.read_bytes()).tasks) > 0 or file.name == "odd-calico-empty-tasks.yaml", file.name
            continue
        with pytest.raises(InvalidData, match=sentence):
            load_tasks(file.read_bytes())
