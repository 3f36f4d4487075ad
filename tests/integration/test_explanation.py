"""`failures` and `why`, on what the real ledger has written."""

from __future__ import annotations

import json
import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from deployments.core.events import Begin, RunRecalled
from deployments.services.explanation import failures_of, why
from history.models import Transaction
from tests.integration.recorded import Recorded
from tests.unit.core.scheduling import plan_of, tolerant

pytestmark = pytest.mark.django_db
PLAN = plan_of("keystone/2 nova/2 nova/1 own/1", "keystone/2 > nova/1", groups=tolerant("1 2"))


def begun(**values: object) -> Recorded:
    run = Recorded(plan_of("keystone/2 nova/2 nova/1 own/1", "keystone/2 > nova/1", groups=tolerant("1 2"), **values))  # type: ignore[arg-type]
    run.commit(Begin())
    return run


def failed() -> Recorded:
    return begun().finish({"keystone/2": "error:exit code 1"})


def said(*arguments: object) -> str:
    out = StringIO()
    call_command(*map(str, arguments), stdout=out)
    return out.getvalue()


def test_the_table_names_root_output_and_consequence() -> None:
    run = failed()
    assert said("failures", run.parent.id) == said("failures", run.child.id)
    assert said("failures", run.parent.id).splitlines() == [
        f"Transaction {run.child.id}: deployment default of c, error",
        "No node came through: keystone/2 failed (exit code 1).",
        "keystone on node 2 failed: exit code 1",
        "    keystone/2 says",
        "    exit code 1",
        "  2 task runs blocked by keystone on node 2: nova (2); on nodes 1 (1) and 2 (1).",
    ]


def test_json_holds_the_same() -> None:
    run = failed()
    (told,) = json.loads(said("failures", run.parent.id, "--format", "json"))
    assert (told["transaction"], told["status"], told["offline"], told["exceeded"]) == (run.child.id, "error", [], "")
    (failure,) = told["failures"]
    assert (failure["task"], failure["node"], failure["attempts"]) == ("keystone", "2", 1)
    assert failure["blocked"] == {"total": 2, "shared": 0, "by_task": {"nova": 2}, "by_node": {"1": 1, "2": 1}}


def test_an_offline_node_is_named() -> None:
    run = Recorded(PLAN)
    run.commit(Begin(("2",)))
    run.finish()
    assert said("failures", run.parent.id).splitlines()[-1] == (
        "Node 2 is offline. 3 task runs blocked by node 2, which is offline: nova (2) and keystone (1); on nodes 2 (2) and 1 (1)."
    )


def test_nodes_that_failed_while_it_stopped_are_told_in_the_same_sentence() -> None:
    run = Recorded(plan_of("a/1 b/2", groups=tolerant("1 2", tolerance=0)))
    run.commit(Begin())
    run.start("a/1")
    run.start("b/2")
    run.over("a/1", "error", "no")
    run.over("b/2", "error", "no")
    assert "node 1 failed, 1 of 2" in Transaction.objects.get(pk=run.child.id).message
    told = said("failures", run.parent.id)
    assert told.count("Fault tolerance exceeded") == 1, told
    assert "all: nodes 1 and 2 failed, 2 of 2, none may fail." in told


def test_exceeded_tolerance_is_named_once() -> None:
    run = Recorded(plan_of("a/1 b/2", groups=tolerant("1 2", tolerance=0)))
    run.commit(Begin())
    run.finish({"a/1": "error:no"})
    assert said("failures", run.parent.id).count("Fault tolerance exceeded: all: node 1 failed, 1 of 2, none may fail.") == 1


def test_nothing_failed() -> None:
    assert said("failures", begun().finish().parent.id).endswith("Nothing failed.\n")


def test_a_request_that_was_never_planned_has_its_message() -> None:
    parent = Transaction.objects.create(name="deploy", cluster_name="c", status="error", actor="ann", created_at=failed().parent.created_at)
    Transaction.objects.create(
        parent=parent, name="deployment", cluster_name="c", status="error", message="No node has a role.", actor="ann",
        created_at=parent.created_at,
    )  # fmt: skip
    assert "No node has a role." in said("failures", parent.id)
    with pytest.raises(CommandError, match="has no task runs"):
        said("why", parent.id, "a/1")


def test_why_of_each_kind() -> None:
    run = begun(max_nodes_per_call=1)
    tid = run.parent.id
    first, second = ("own/1", "keystone/2") if run.child.rows[run.index["own/1"]].undone else ("keystone/2", "own/1")
    assert said("why", tid, first) == f"{first} is queued for its node and waits for the agent to take it.\n"
    run.start(first)
    assert why(tid, first) == f"{first} is running (attempt 1)."
    assert why(tid, second) == f"{second} waits for a place: 1 node may be busy at once, and one is."
    assert why(tid, "nova/1") == "nova/1 waits for keystone/2 (pending)."
    run.over(first)
    assert why(tid, first) == f"{first} is over: ready."


@pytest.mark.parametrize("delay, told", [(1e9, r"at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, in [\d,]+ h( \d+ min)?"), (1, "now")])
def test_why_of_a_run_that_is_tried_again_tells_when(delay: float, told: str) -> None:
    run = begun(attempts=2, retry_delay=delay)
    run.start("keystone/2")
    run.over("keystone/2", "error")
    assert re.fullmatch(rf"keystone/2 failed and is tried again {told}\.", why(run.parent.id, "keystone/2"))


def test_why_of_what_failed_and_what_it_blocked() -> None:
    run = failed()
    assert why(run.parent.id, "keystone/2") == "keystone/2 is over: error (exit code 1)."
    assert why(run.parent.id, "nova/1") == "nova/1 can't start any more, because keystone/2 failed (exit code 1)."


def test_why_after_a_stop() -> None:
    run = begun()
    run.start("keystone/2")
    run.stop()
    Transaction.objects.filter(id=run.parent.id).update(stop_requested_at=run.parent.created_at)
    assert why(run.parent.id, "nova/1") == "nova/1 is not started, because the deployment is stopping: A stop was asked for."
    run.over("keystone/2")
    assert why(run.parent.id, "nova/1") == "nova/1 was not started: A stop was asked for."


def test_why_changes_nothing() -> None:
    run = begun()
    before = [(row.status, row.attempts, row.dispatched_at) for row in run.child.rows]
    why(run.parent.id, "nova/1")
    run.child.scheduler.handle(RunRecalled(run.index["keystone/2"]), now=1)
    assert [(row.status, row.attempts, row.dispatched_at) for row in run.child.rows] == before


def test_names_that_are_not_there() -> None:
    run = failed()
    with pytest.raises(CommandError, match=r"has no task run keystone/1\. Did you mean keystone/2\?"):
        said("why", run.parent.id, "keystone/1")
    with pytest.raises(CommandError, match="There is no transaction 4711"):
        said("failures", 4711)
    with pytest.raises(CommandError, match="There is no transaction 4711"):
        said("why", 4711, "a/1")
    assert failures_of(run.parent.id)
