"""`reuse`: what ended ready with unchanged inputs is kept, whatever became of its node."""

from __future__ import annotations

import pytest

from deployments.core.errors import InvalidData
from deployments.models import Cluster, Node
from history.models import Attempt, TaskRun, Transaction
from tests.integration.restart.system import System, a_cluster, a_task, add_node, edit_graph, ended, ran, rows, statuses

pytestmark = pytest.mark.django_db

CHAIN = [a_task("first"), a_task("second", requires=["first"]), a_task("third", requires=["second"])]


@pytest.fixture
def system() -> System:
    return System()


def child_of(parent: Transaction) -> int:
    return parent.children.get().id


def test_a_stopped_node_goes_on_where_it_was(system: System) -> None:
    cluster = a_cluster(CHAIN, {"1": ["web"]})
    stopped = system.deploy(cluster, stop_after="second/1")
    again = system.deploy(cluster, reuse=True)
    assert again.status == "ready"
    assert ran(again) == {"third/1"}
    assert [(row.task_name, row.type, row.status, row.reason) for row in rows(again)] == [
        ("first", "shell", "skipped", f"reused from transaction {stopped.id}"),
        ("second", "shell", "skipped", f"reused from transaction {stopped.id}"),
        ("third", "shell", "ready", ""),
    ]  # fmt: skip
    assert statuses(cluster) == ("operational", {"1": "ready"})


def test_what_failed_runs_again_with_all_that_waited_for_it(system: System) -> None:
    tolerant = {"id": "web", "type": "group", "version": "2.1.0", "role": ["web"], "fault_tolerance": 1}
    cluster = a_cluster([*CHAIN, tolerant], {"1": ["web"], "2": ["web"]})
    assert system.deploy(cluster, fail=["second/1"]).status == "ready"
    assert statuses(cluster) == ("partially_deployed", {"1": "error", "2": "ready"})
    again = system.deploy(cluster, reuse=True)
    assert ran(again) == {"second/1", "third/1"}
    assert statuses(cluster) == ("operational", {"1": "ready", "2": "ready"})


def test_the_last_try_counts_not_the_last_success(system: System) -> None:
    cluster = a_cluster(CHAIN[:1], {"1": ["web"]})
    system.deploy(cluster)
    system.deploy(cluster, fail=["first/1"])
    assert ran(system.deploy(cluster, reuse=True)) == {"first/1"}


def test_a_lost_run_runs_again(system: System) -> None:
    cluster = a_cluster(CHAIN[:2], {"1": ["web"]})
    parent = system.deploy(cluster)
    lost = TaskRun.objects.get(transaction__parent=parent, task_name="second")
    TaskRun.objects.filter(id=lost.id).update(status="error", reason="lost")
    Attempt.objects.filter(run=lost).update(status="lost")
    assert ran(system.deploy(cluster, reuse=True)) == {"second/1"}


def test_everything_kept_is_a_deployment_too(system: System) -> None:
    cluster = a_cluster(CHAIN, {"1": ["web"]})
    system.deploy(cluster)
    Node.objects.update(status="stopped")
    Cluster.objects.update(status="partially_deployed")
    again = system.deploy(cluster, reuse=True)
    assert (again.status, ran(again)) == ("ready", set())
    assert statuses(cluster) == ("operational", {"1": "ready"})


def test_it_stays_kept_through_many_deployments(system: System) -> None:
    cluster = a_cluster(CHAIN[:1], {"1": ["web"]})
    first = system.deploy(cluster)
    for _ in range(3):
        again = system.deploy(cluster, reuse=True)
        assert [row.reason for row in rows(again)] == [f"reused from transaction {first.id}"]
    assert ran(system.deploy(cluster)) == {"first/1"}


def test_other_parameters_are_other_inputs(system: System) -> None:
    cluster = a_cluster(CHAIN, {"1": ["web"]})
    system.deploy(cluster)
    edit_graph(cluster, [CHAIN[0], a_task("second", requires=["first"], parameters={"cmd": "other"}), CHAIN[2]])
    assert ran(system.deploy(cluster, reuse=True)) == {"second/1", "third/1"}


def test_parameters_count_as_they_come_out_of_their_expressions(system: System) -> None:
    tasks = [a_task("site", parameters={"cmd": {"yaql_exp": "'serve ' + str($.port)"}})]
    cluster = a_cluster(tasks, {"1": ["web"], "2": ["web"]}, common={"port": 80, "other": 1})
    system.deploy(cluster)
    cluster.common = {"port": 80, "other": 2}
    cluster.save()
    assert ran(system.deploy(cluster, reuse=True)) == set()
    Node.objects.filter(uid="2").update(data={"port": 81})
    assert ran(system.deploy(cluster, reuse=True)) == {"site/2"}


def test_what_a_condition_watches_is_an_input(system: System) -> None:
    """A puppet task has the same parameters for ever: only its condition says what it depends on."""
    tasks = [a_task("glance", condition={"yaql_exp": "changedAny($.glance.pipeline, $.get('debug'))"})]
    cluster = a_cluster(tasks, {"1": ["web"]}, common={"glance": {"pipeline": 1, "other": 1}})
    system.deploy(cluster)
    Node.objects.update(status="stopped")
    cluster.common = {"glance": {"pipeline": 1, "other": 2}}
    cluster.save()
    assert ran(system.deploy(cluster, reuse=True)) == set()
    Node.objects.update(status="stopped")
    cluster.common = {"glance": {"pipeline": 2, "other": 2}}
    cluster.save()
    assert ran(system.deploy(cluster, reuse=True)) == {"glance/1"}


def test_a_condition_that_is_false_skips_as_ever(system: System) -> None:
    tasks = [a_task("first", condition={"yaql_exp": "$.wanted"}), a_task("second", requires=["first"])]
    cluster = a_cluster(tasks, {"1": ["web"]}, common={"wanted": True})
    system.deploy(cluster)
    cluster.common = {"wanted": False}
    cluster.save()
    again = system.deploy(cluster, reuse=True)
    assert {row.task_name: (row.status, row.reason.split(" transaction")[0]) for row in rows(again)} == {
        "first": ("skipped", "its condition is false: $.wanted"), "second": ("skipped", "reused from"),
    }  # fmt: skip


def test_what_ran_in_between_is_not_forgotten(system: System) -> None:
    """`second` was ready, then only `first` ran again: what `second` made is older than what it was made from."""
    cluster = a_cluster(CHAIN, {"1": ["web"]})
    system.deploy(cluster)
    assert ran(system.deploy(cluster, tasks=["first"])) == {"first/1"}
    assert ran(system.deploy(cluster, reuse=True)) == {"second/1", "third/1"}


def test_a_predecessor_on_another_node_counts(system: System) -> None:
    tasks = [a_task("store", "db"), a_task("site", **{"cross-depends": [{"name": "store", "role": "db"}]})]
    cluster = a_cluster(tasks, {"1": ["db"], "2": ["web"]})
    system.deploy(cluster, fail=["store/1"])
    system.deploy(cluster)
    edit_graph(cluster, [a_task("store", "db", parameters={"cmd": "other"}), tasks[1]])
    assert ran(system.deploy(cluster, reuse=True)) == {"store/1", "site/2"}


def test_a_new_node_does_not_make_the_others_run_again(system: System) -> None:
    """A sync point makes nodes wait for each other; it does not make them depend on each other's work."""
    tasks = [a_task("before", required_for=["point"]), {"id": "point", "type": "stage"}, a_task("after", requires=["point"])]
    cluster = a_cluster(tasks, {"1": ["web"]})
    system.deploy(cluster)
    add_node(cluster, "2", ["web"])
    assert ran(system.deploy(cluster, reuse=True)) == {"before/2", "after/2"}
    edit_graph(cluster, [a_task("before", required_for=["point"], parameters={"cmd": "x"}), *tasks[1:]])
    assert ran(system.deploy(cluster, reuse=True)) == {"before/1", "after/1", "before/2", "after/2"}


def test_a_stop_before_anything_was_started_changes_nothing(system: System) -> None:
    cluster = a_cluster(CHAIN, {"1": ["web"]})
    first = system.deploy(cluster, stop_after="second/1")
    nothing = system.deploy(cluster, between=lambda: system.stop(cluster))
    assert (nothing.status, ran(nothing)) == ("stopped", set())
    again = system.deploy(cluster, reuse=True)
    assert ran(again) == {"third/1"}
    assert f"reused from transaction {first.id}" in {row.reason for row in rows(again)}


def test_dry_and_rehearsed_runs_are_never_reused(system: System) -> None:
    cluster = a_cluster(CHAIN, {"1": ["web"]})
    system.deploy(cluster, dry_run=True)
    system.deploy(cluster, noop=True)
    assert ran(system.deploy(cluster, reuse=True)) == {"first/1", "second/1", "third/1"}


def test_role_by_role_it_works_the_same(system: System) -> None:
    cluster = a_cluster(CHAIN, {"1": ["web"]}, task_based_deployment=False)
    system.deploy(cluster, fail=["second/1"])
    assert ran(system.deploy(cluster, reuse=True)) == {"second/1", "third/1"}


def test_nothing_is_kept_on_a_new_operating_system(system: System) -> None:
    cluster = a_cluster(CHAIN[:1], {"1": ["web"], "2": ["web"]})
    system.deploy(cluster)
    Node.objects.filter(uid="2").update(status="provisioned")
    assert ran(system.deploy(cluster, reuse=True)) == {"first/2"}


def test_force_and_reuse_contradict_each_other(system: System) -> None:
    cluster = a_cluster(CHAIN, {"1": ["web"]})
    with pytest.raises(InvalidData, match="contradict"):
        system.deploy(cluster, force=True, reuse=True)
    assert not Transaction.objects.exists()


def test_the_inputs_are_in_the_history(system: System) -> None:
    tasks = [*CHAIN[:2], {"id": "point", "type": "stage"}]
    cluster = a_cluster(tasks, {"1": ["web"]})
    parent = system.deploy(cluster)
    found = {name: row.inputs for name, row in zip(ended(parent), rows(parent), strict=True)}
    assert len(found["first/1"]) == 64 and found["first/1"] != found["second/1"]
    assert found["point/null"] == ""
