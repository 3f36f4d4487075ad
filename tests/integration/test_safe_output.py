"""What others have written (output of commands, reasons, names) moves no cursor and hides no word on an operator's terminal."""

from __future__ import annotations

import json
import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command, execute_from_command_line

from deployments.core.documents.texts import visible
from deployments.core.events import Begin
from deployments.models import Cluster, Node, Release
from history.models import Attempt, TaskRun, Transaction
from tests.integration.recorded import Recorded
from tests.unit.core.scheduling import plan_of, tolerant

EVIL = "a\x1b[31mred\x1b]0;title\x07\x08\x9b2J\u202egnihtemos\u200b\x7f end"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


@pytest.fixture
def evil(db: None) -> Recorded:
    """A deployment of which everything that can be was written by somebody hostile."""
    cluster = Cluster.objects.create(name="c", release=Release.objects.create(name="r", version="1"), status="error")
    run = Recorded(plan_of("a/1 b/2", groups=tolerant("1 2")), cluster_id=cluster.id)
    run.commit(Begin())
    run.finish({"a/1": f"error:{EVIL}"})
    Transaction.objects.update(actor=EVIL, message=EVIL, reason=EVIL, cluster_name="c")
    TaskRun.objects.update(reason=EVIL, task_name=EVIL, summary={"output": f"{EVIL}\n{EVIL}", "exit_code": 1})
    Attempt.objects.update(reason=EVIL)
    Node.objects.create(uid="1", cluster=cluster, name=EVIL, error_msg=EVIL, status="error")
    return run


@pytest.mark.parametrize(
    "command",
    [
        ("transactions", "list"), ("transactions", "list", "--format", "json"), ("deployment_tasks", "--task-id", "{id}"),
        ("deployment_tasks", "--task-id", "{id}", "--format", "json"), ("deployment_tasks", "--task-id", "{id}", "--format", "csv"),
        ("history", "{id}"), ("history", "{id}", "--format", "csv"),
        ("history", "{id}", "--format", "json"), ("failures", "{id}"), ("failures", "{id}", "--format", "json"), ("node_history", "1"),
        ("node_history", "1", "--format", "json"), ("clusters", "list"), ("verify", "{id}"), ("why", "{id}", f"{EVIL}/1"),
        ("why", "{id}", "none/1"),
    ],
)  # fmt: skip
def test_no_command_passes_it_on(evil: Recorded, command: tuple[str, ...]) -> None:
    out = StringIO()
    try:
        call_command(
            command[0], *(word.format(id=evil.parent.id) if word == "{id}" else word for word in command[1:]), stdout=out, stderr=out
        )
    except (CommandError, SystemExit) as error:
        # Django prints it through the command's own stderr, as `verify` does its findings.
        out.write(visible(str(error)))
    assert out.getvalue()
    assert RAW.findall(out.getvalue()) == []
    if "json" in command:
        told = json.loads(out.getvalue())
        assert told


def test_it_is_shown_as_what_it_is(evil: Recorded) -> None:
    out = StringIO()
    call_command("failures", str(evil.parent.id), stdout=out)
    assert r"a\x1b[31mred\x1b]0;title\x9b2J\u202egnihtemos\u200b\x7f end" in out.getvalue().replace("\n", "")
    told = StringIO()
    call_command("history", str(evil.parent.id), "--format", "json", stdout=told)
    assert any(row.get("reason") == EVIL or EVIL in str(row.values()) or EVIL in row.values() for row in json.loads(told.getvalue()))


def test_errors_go_the_same_way(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        execute_from_command_line(["manage.py", "clusters", "show", "no\x1b[2Jsuch"])
    assert RAW.findall(capsys.readouterr().err) == []
