"""What a failure leaves undone: how the transaction ends by it, and what is told of it."""

from __future__ import annotations

import pytest

from deployments.management.watch import watch
from deployments.models import Cluster
from deployments.services.explanation import failures_of
from deployments.services.verification import verify_transaction
from history import queries as history
from tests.integration.restart.system import System, a_cluster, a_task, ended, rows, statuses

pytestmark = pytest.mark.django_db

EVERYWHERE = [{"name": "two", "role": "web"}]
NODES = {"1": ["web"], "2": ["web"], "3": ["web"]}


def group(tolerance: int) -> dict[str, object]:
    return {"id": "web", "type": "group", "version": "2.1.0", "role": ["web"], "fault_tolerance": tolerance}


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
def cluster() -> Cluster:
    return a_cluster([group(2), a_task("one"), a_task("two", requires=["one"]), a_task("three", **{"cross-depends": EVERYWHERE})], NODES)


def test_a_deployment_that_leaves_no_node_ready_is_an_error(system: System, cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    done = system.deploy(cluster, fail=["two/1", "two/3"])
    assert done.status == "error"
    assert done.message == (
        "Fault tolerance exceeded: web: nodes 1 and 3 failed and node 2 is blocked by that, 3 of 3, 2 may fail. "
        "The cause: two/1 failed (as told); two/3 failed (as told)."
    )
    assert statuses(cluster) == ("error", {"1": "error", "2": "error", "3": "error"})
    assert watch(done.id) == 1
    assert "error" in capsys.readouterr().out
    assert not verify_transaction(done.id).findings


def test_every_failure_tells_all_that_waits_for_it(system: System, cluster: Cluster) -> None:
    done = system.deploy(cluster, fail=["two/1", "two/3"])
    (found,) = failures_of(done.id)
    assert [failure.blocked.total for failure in found.report.failures] == [3, 3]
    assert [failure.blocked.shared for failure in found.report.failures] == [3, 3]


def test_a_tolerated_failure_that_leaves_others_undone_is_none(system: System, cluster: Cluster) -> None:
    done = system.deploy(cluster, fail=["two/1"])
    assert done.status == "error"
    assert "web: node 1 failed and nodes 2 and 3 are blocked by that, 3 of 3, 2 may fail" in done.message


def test_a_tolerated_failure_that_keeps_nobody_from_anything_is_borne(system: System) -> None:
    cluster = a_cluster([group(1), a_task("one"), a_task("two", requires=["one"])], NODES)
    done = system.deploy(cluster, fail=["one/2"])
    assert (done.status, done.message) == ("ready", "Within fault tolerance: one/2 failed (as told).")
    assert statuses(cluster) == ("partially_deployed", {"1": "ready", "2": "error", "3": "ready"})


# -- what nobody has asked for ------------------------------------------------------------------------------------------------
def test_what_nobody_has_asked_for_is_not_blocked(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    tasks = [a_task("check"), a_task("migrate", requires=["check"]), a_task("finish", requires=["migrate"])]
    done = system.deploy(a_cluster(tasks, {"1": ["web"], "2": ["web"]}), tasks=["check"], nodes=["2"], fail=["check/2"])
    assert done.status == "error"
    assert ended(done) == {"check/2": "error", "migrate/2": "skipped", "finish/2": "skipped"}
    assert {row.reason for row in rows(done) if row.status == "skipped"} == {"it is not among the tasks asked for"}
    assert not history.task_runs(done, statuses=["pending"]).exists()
    watch(done.id)
    said = capsys.readouterr().out
    assert "could not start" not in said and "1 error" in said and "pending" not in said
    (found,) = failures_of(done.id)
    assert not found.report.failures[0].blocked.total
    assert not verify_transaction(done.id).findings


def test_a_node_is_ready_though_what_nobody_has_asked_for_waits_for_a_failure_elsewhere(system: System) -> None:
    tasks = [group(1), a_task("check"), a_task("finish", **{"cross-depends": [{"name": "check", "role": "web"}]})]
    cluster = a_cluster(tasks, NODES)
    done = system.deploy(cluster, tasks=["check"], fail=["check/2"])
    assert (done.status, done.message) == ("ready", "Within fault tolerance: check/2 failed (as told).")
    assert statuses(cluster) == ("partially_deployed", {"1": "ready", "2": "error", "3": "ready"})
    assert set(ended(done).values()) == {"ready", "error", "skipped"}
    assert not verify_transaction(done.id).findings


def test_a_stop_and_a_failure_leave_the_same_record(system: System) -> None:
    tasks = [group(1), a_task("check"), a_task("finish", **{"cross-depends": [{"name": "check", "role": "web"}]})]
    cluster = a_cluster(tasks, NODES)
    done = system.deploy(cluster, tasks=["check"], fail=["check/1"], stop_after="check/2")
    assert done.status == "stopped"
    assert not verify_transaction(done.id).findings
