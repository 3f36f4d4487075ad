"""What people or nodes have written is shown as they wrote it: it is no markup of the terminal's."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from rich.console import Console

from deployments.core.plan import Plan, PlanWarning, TaskRun
from deployments.core.simulation.simulate import simulate
from deployments.management import simulation_view
from deployments.management.watch import _details, summary
from deployments.models import Cluster
from history.models import TaskRun as Row
from history.models import Transaction
from tests.integration.restart.system import System, a_cluster, a_task

pytestmark = pytest.mark.django_db
STRANGE = "[/x] [red]"


@pytest.fixture
def cluster() -> Cluster:
    cluster = a_cluster([a_task("a"), a_task(f"b{STRANGE}", requires=["a"])], {"1": ["web"]})
    cluster.name = f"shop {STRANGE}"
    cluster.save()
    return cluster


@pytest.fixture
def parent(cluster: Cluster) -> Transaction:
    parent = System().deploy(cluster, fail=["a/1"])
    Row.objects.filter(transaction__parent=parent, status="error").update(reason=STRANGE, task_name=f"a{STRANGE}")
    return parent


def run(*arguments: Any) -> str:
    output = StringIO()
    call_command(*(str(argument) for argument in arguments), stdout=output, stderr=output)
    return output.getvalue()


def test_the_history(parent: Transaction) -> None:
    told = run("history", parent.id)
    assert f"shop {STRANGE}" in told
    assert told.count(STRANGE) >= 3


def test_the_summary_after_watching(parent: Transaction) -> None:
    console = Console(file=StringIO(), width=160)
    summary(parent, console)
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert f"(shop {STRANGE})" in told
    assert f"a{STRANGE}" in told


def test_what_runs_while_watching(parent: Transaction) -> None:
    Row.objects.filter(transaction__parent=parent).update(status="running")
    console = Console(file=StringIO(), width=160)
    for part in _details(parent, {"running": 2, "pending": 0}, 0):
        console.print(part)
    assert f"a{STRANGE}" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_clock_that_was_set_back_is_not_shown(parent: Transaction) -> None:
    assert parent.time_start
    parent.time_end = parent.time_start - timedelta(milliseconds=3)
    console = Console(file=StringIO(), width=160)
    summary(parent, console)
    assert " in under 1 ms " in console.file.getvalue()  # type: ignore[attr-defined]


def test_the_drain_view(parent: Transaction, cluster: Cluster) -> None:
    Transaction.objects.filter(id=parent.id).update(status="running")
    Transaction.objects.filter(parent=parent).update(status="running")
    Row.objects.filter(transaction__parent=parent, task_name__startswith="a").update(status="running", time_end=None)
    assert f"a{STRANGE}" in run("drain", cluster.id)


def test_the_simulation() -> None:
    runs = (TaskRun(f"a{STRANGE}", f"1{STRANGE}", "shell"), TaskRun("b", "2", "shell"))
    plan = Plan(nodes=("null", f"1{STRANGE}", "2"), runs=runs, bundles=(), warnings=(PlanWarning(f"Look at {STRANGE}."),))
    console = Console(file=StringIO(), width=160)
    simulation_view.show(simulate(plan, {"*": 5}, fail=[runs[0].name]), {"*": 5}, console)
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert f"a{STRANGE}/1{STRANGE}" in told
    assert f"Look at {STRANGE}." in told


# -- lists --------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("option", ["--nodes", "--tasks"])
@pytest.mark.parametrize("written", ["", " , "])
def test_an_empty_list_is_refused(cluster: Cluster, option: str, written: str) -> None:
    with pytest.raises(CommandError, match=f"^{option} is empty: give .* with commas between them, or leave it out.$"):
        run("deploy", cluster.id, f"{option}={written}")
    assert not Transaction.objects.exists()


@pytest.mark.parametrize("option", ["--nodes", "--tasks", "--statuses"])
def test_an_empty_filter_of_the_history_is_refused(parent: Transaction, option: str) -> None:
    with pytest.raises(CommandError, match=f"{option} is empty"):
        run("history", parent.id, f"{option}=")


def test_durations_of_a_rehearsal_may_be_yaml(cluster: Cluster, tmp_path: Any) -> None:
    file = tmp_path / "durations.yaml"
    file.write_text("a: 2.5\n'*': 1\n")
    run("deploy", cluster.id, "--rehearse=10", f"--durations={file}")
    assert Transaction.objects.get(parent=None).rehearsal["durations"] == {"a": 2.5, "*": 1}


@pytest.mark.parametrize(
    ("text", "said"), [("[1]", "no mapping of names"), ("a: .nan", "the number in a is infinite or none"), ("a: x", "duration of a is 'x'")]
)
def test_durations_that_are_none_are_one_sentence(cluster: Cluster, tmp_path: Any, text: str, said: str) -> None:
    file = tmp_path / "durations.yaml"
    file.write_text(text)
    with pytest.raises(CommandError, match=said):
        run("deploy", cluster.id, "--rehearse=10", f"--durations={file}")
    assert not Transaction.objects.exists()
