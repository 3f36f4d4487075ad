"""What is skipped says why, and is still shown with the type of its task."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from django.core.management import call_command
from rich.console import Console

from deployments.management.watch import summary
from deployments.models import Cluster, Graph
from deployments.services.deployment_history import HistoryFilter, items
from deployments.services.explanation import why
from history.models import Transaction
from tests.integration.restart.system import System, a_cluster, a_task, rows

pytestmark = pytest.mark.django_db

TASKS = [
    {"id": "begin", "type": "stage"},
    a_task("base", requires=["begin"], condition={"yaql_exp": "changed(\n  $.base)"}),
    a_task("legacy", condition="settings:common.debug.value == true"),
    a_task("never", condition=False),
    a_task("site", requires=["base"]),
    a_task("gate", type="anchor"),
]
SETTINGS = {"common": {"debug": {"value": False}}}


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
def cluster() -> Cluster:
    return a_cluster(TASKS, {"1": ["web"]}, common={"base": 1}, settings=SETTINGS)


def reasons(parent: Transaction) -> dict[str, tuple[str, str, str]]:
    return {row.task_name: (row.type, row.status, row.reason) for row in rows(parent)}


def printed(*command: str, **options: object) -> str:
    out = io.StringIO()
    call_command(*command, stdout=out, **options)
    return out.getvalue()


def test_each_reason_is_told_beside_the_tasks_own_type(system: System, cluster: Cluster) -> None:
    system.deploy(cluster)
    assert reasons(system.deploy(cluster)) == {
        "begin": ("stage", "skipped", "a stage does nothing: others wait for each other at it"),
        "base": ("shell", "skipped", "its condition is false: changed( $.base)"),
        "legacy": ("shell", "skipped", "its condition is false: settings:common.debug.value == true"),
        "never": ("shell", "skipped", "its condition is false: false"),
        "site": ("shell", "ready", ""),
        "gate": ("anchor", "skipped", "an anchor does nothing: others wait for each other at it"),
    }  # fmt: skip


def test_what_was_not_asked_for(system: System, cluster: Cluster) -> None:
    found = reasons(system.deploy(cluster, tasks=["base"]))
    assert found["base"] == ("shell", "ready", "")
    assert found["site"] == found["never"] == ("shell", "skipped", "it is not among the tasks asked for")


def test_what_is_outside_of_the_subgraphs(system: System, cluster: Cluster) -> None:
    found = reasons(system.deploy(cluster, subgraphs=[{"start": ["site"], "end": ["site"]}]))
    assert found["base"] == ("shell", "skipped", "it is outside the part of the graph that was asked for")
    assert found["never"][2] == "its condition is false: false", "the first reason stays"


def test_what_is_reused_names_the_request(system: System, cluster: Cluster) -> None:
    first = system.deploy(cluster)
    again = system.deploy(cluster, reuse=True)
    assert reasons(again)["site"] == ("shell", "skipped", f"reused from transaction {first.id}")
    third = system.deploy(cluster, reuse=True)
    assert reasons(third)["site"] == ("shell", "skipped", f"reused from transaction {first.id}"), "where it really ran"


def test_what_a_graph_switches_off_names_that_graph(system: System, cluster: Cluster) -> None:
    Graph.objects.create(release=cluster.release, type="default", tasks=[a_task("stale", type="puppet"), a_task("old", type="puppet")])
    Graph.objects.filter(cluster=cluster).update(
        tasks=[*TASKS, {"id": "stale", "type": "skipped", "role": ["web"]}, {"id": "old", "type": "skipped"}]
    )
    parent = system.deploy(cluster)
    assert reasons(parent)["stale"] == ("puppet", "skipped", "switched off by the graph of cluster c")
    told = {item["task_name"]: (item["node_id"], item["type"], item["reason"]) for item in items(parent, HistoryFilter())}
    assert told["stale"] == ("1", "puppet", "switched off by the graph of cluster c")
    assert told["old"] == ("-", "puppet", "switched off by the graph of cluster c")


def test_what_has_no_form_that_changes_nothing(system: System, cluster: Cluster) -> None:
    Graph.objects.filter(cluster=cluster).update(tasks=[a_task("file", type="upload_file")])
    found = reasons(system.deploy(cluster, noop=True))
    assert found == {"file": ("upload_file", "skipped", "a no-operation run has nothing to try of type upload_file")}


def test_what_failed_and_may_tells_its_failure(system: System, cluster: Cluster) -> None:
    Graph.objects.filter(cluster=cluster).update(tasks=[a_task("odd", fail_on_error=False)])
    assert reasons(system.deploy(cluster, fail=["odd/1"]))["odd"] == ("shell", "skipped", "as told")


def test_what_an_executor_skips_without_a_word(system: System, cluster: Cluster) -> None:
    Graph.objects.filter(cluster=cluster).update(tasks=[a_task("idle")])
    seal = system.keys.seal_report
    system.keys.seal_report = lambda report: seal(replace(report, state="skipped") if report.kind == "outcome" else report)  # type: ignore[method-assign]
    assert reasons(system.deploy(cluster))["idle"] == ("shell", "skipped", "its executor had nothing to do")


def test_every_view_tells_it(system: System, cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    system.deploy(cluster)
    parent = system.deploy(cluster)
    reason = "its condition is false: changed( $.base)"
    assert reason in printed("history", str(parent.id)) and "shell" in printed("history", str(parent.id), "--statuses", "skipped")
    assert {row["type"] for row in json.loads(printed("history", str(parent.id), "--format", "json")) if row["task_name"] == "base"} == {
        "shell"
    }
    table = printed("deployment_tasks", "--task-id", str(parent.id), "--task-name", "base")
    assert reason in table and "shell" in table
    assert why(parent.id, "base/1") == f"base/1 (shell) is over: skipped ({reason})."
    shown = printed("deploy", "c", "--plan")
    assert f"1 skipped: {reason} – base (shell)" in shown
    lines = {line["task"]: line for line in json.loads(printed("deploy", "c", "--plan", "--format", "json"))["runs"]}
    assert (lines["base"]["type"], lines["base"]["why"]) == ("shell", reason)


def test_a_dry_run_says_what_would_be_skipped(system: System, cluster: Cluster) -> None:
    system.deploy(cluster)
    dry = system.deploy(cluster, dry_run=True)
    reason = "its condition is false: changed( $.base)"
    assert reasons(dry)["base"] == ("shell", "pending", reason)
    assert why(dry.id, "base/1") == f"base/1 was not started: it was a dry run. It does nothing: {reason}."


def test_watching_counts_the_reasons(system: System, cluster: Cluster) -> None:
    system.deploy(cluster)
    out = io.StringIO()
    summary(system.deploy(cluster), Console(file=out, width=200))
    assert "1 skipped: its condition is false: changed( $.base)" in out.getvalue()
