"""`manage.py simulate`: files in, a report out, errors in one sentence with exit code 1; no database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

TASKS = """
- {id: deploy_start, type: stage}
- {id: web, type: group, role: [web], fault_tolerance: 1}
- {id: install, type: shell, version: 2.1.0, role: [web], parameters: {cmd: "true"}, requires: [deploy_start]}
- {id: start, type: shell, version: 2.1.0, role: [web], parameters: {cmd: "true"}, requires: [install]}
"""
CLUSTER = "nodes: [{uid: '1', tags: [web]}, {uid: '2', tags: [web]}, {uid: '3', tags: [web]}]"


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "tasks.yaml").write_text(TASKS)
    (tmp_path / "cluster.yaml").write_text(CLUSTER)
    (tmp_path / "durations.json").write_text('{"*": 30, "start/2": 90}')
    return [f"--{name}={tmp_path / file}" for name, file in
            (("tasks", "tasks.yaml"), ("cluster", "cluster.yaml"), ("durations", "durations.json"))]  # fmt: skip


@pytest.fixture
def case(tmp_path: Path) -> str:
    graph = {"1": [{"id": "a", "type": "puppet"}], "null": []}
    (tmp_path / "case.json").write_text(json.dumps({"graph": graph, "durations": {"a": 5}, "offline": ["1"]}))
    return f"--case={tmp_path / 'case.json'}"


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    call_command("simulate", *arguments)
    return capsys.readouterr().out


def test_json_has_every_run(files, capsys):
    told = json.loads(said(capsys, *files, "--format=json"))
    assert (told["success"], told["makespan"], told["lower_bound"]) == (True, 120, 120)
    assert told["finishes"] == {"deploy_start/null": 0, **{f"install/{n}": 30 for n in "123"}, "start/1": 60, "start/2": 120, "start/3": 60}
    assert told["critical_path"] == ["install/2", "start/2"]


def test_options_come_on_top(files, capsys):
    told = json.loads(said(capsys, *files, "--format=json", "--fail=install/3", "--offline=1"))
    assert told["failed_nodes"] == ["1", "3"] and told["success"] is False
    assert "web: nodes 1 and 3 failed, 2 of 3, 1 may fail" in told["reason"]
    assert json.loads(said(capsys, *files, "--format=summary", "--only=install"))["makespan"] == 30
    assert json.loads(said(capsys, *files, "--format=summary", "--stop-at=10"))["counts"]["not_started"] == 3


def test_role_by_role_takes_no_less(files, capsys):
    assert json.loads(said(capsys, *files, "--format=summary", "--role-based"))["makespan"] == 120


def test_the_table_says_what_decides_and_what_failed(files, capsys):
    told = said(capsys, *files, "--fail=install/3")
    for words in ("ready after 2:00 (120 s)", "At best 2:00", "Critical path: 2:00 in 2 tasks", "install/3", "keeps from running"):
        assert words in told


def test_the_drawing_is_dot(files, capsys):
    assert said(capsys, *files, "--format=dot").startswith("digraph simulation {")


@pytest.mark.parametrize("form", ["json", "table", "summary", "dot"])
def test_an_error_of_a_case_is_printed_and_exits_1(case, form, capsys):
    with pytest.raises(SystemExit) as stop:
        call_command("simulate", case, f"--format={form}")
    assert stop.value.code == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert error == {"kind": "CriticalNodesOffline", "message": "Critical nodes are not available for deployment: 1.", "node": "1"}


@pytest.mark.parametrize(
    "options, message",
    [
        (["--fail=instal/3"], "Did you mean install/3?"),
        (["--offline=9"], "Node 9 is to be offline, but the plan has no such node."),
        (["--durations=/nowhere"], "The durations /nowhere can't be read"),
        (["--case=x"], "Give either --case FILE, or --tasks FILE and --cluster FILE."),
    ],
)
def test_what_makes_no_sense_is_one_sentence(files, options, message):
    with pytest.raises(CommandError, match=message.replace("?", r"\?")):
        call_command("simulate", *files, *options)


def test_a_planned_case_has_no_roles_any_more(case):
    with pytest.raises(CommandError, match="--only and --role-based need a graph and a cluster"):
        call_command("simulate", case, "--role-based")


@pytest.mark.parametrize("when", ["nan", "inf", "-1"])
def test_a_stop_at_no_time_is_one_sentence(files, when):
    with pytest.raises(CommandError, match="--stop-at is .*: write seconds, from 0 to"):
        call_command("simulate", *files, f"--stop-at={when}")


@pytest.mark.parametrize("option", ["--only", "--offline"])
def test_an_empty_list_is_one_sentence(files, option):
    with pytest.raises(CommandError, match=f"{option} is empty"):
        call_command("simulate", *files, f"{option}=")
