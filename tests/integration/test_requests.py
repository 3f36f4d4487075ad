"""What a request may be, and how one ends that can't be planned: with a sentence, at the first try."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DataError, IntegrityError, OperationalError

from deployments.core.errors import InvalidData
from deployments.core.time_limit import no_limit
from deployments.models import Cluster, Node
from deployments.services import planning
from deployments.services.lifecycle import DeployOptions, request_deploy
from deployments.services.rehearsal import Rehearsal
from history import recorder
from history.models import Transaction
from tests.integration.restart.system import System, a_cluster, a_task, edit_graph

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
def cluster() -> Cluster:
    return a_cluster([a_task("a"), a_task("b", requires=["a"])], {"1": ["web"], "2": ["web"]})


def rehearse(system: System, cluster: Cluster, **said: Any) -> Transaction:
    return system.deploy(cluster, rehearsal=Rehearsal(**{"speed": 1000.0, **said}))


@pytest.mark.parametrize("speed", [float("nan"), float("inf"), 0.0, -1.0, 1e-300])
def test_a_speed_that_is_no_speed_is_refused(system: System, cluster: Cluster, speed: float) -> None:
    with pytest.raises(InvalidData, match="speed of a rehearsal is .*: it must be a finite number greater than 0"):
        rehearse(system, cluster, speed=speed)
    assert not Transaction.objects.exists()


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0, 1e300, True, "5"])
def test_a_duration_that_is_none_is_refused(system: System, cluster: Cluster, seconds: Any) -> None:
    with pytest.raises(InvalidData, match=r"The duration of b/1 is .*: write seconds, from 0 to 1,000,000,000\."):
        rehearse(system, cluster, durations={"a": 3, "b/1": seconds})
    assert not Transaction.objects.exists()


def test_a_run_that_is_to_fail_must_be_planned(system: System, cluster: Cluster) -> None:
    parent = rehearse(system, cluster, fail=frozenset(["a/1", "bb/2"]))
    assert (parent.status, parent.message) == ("error", "bb/2 is to fail, but the plan has no such task run. Did you mean b/2?")


def test_a_run_that_is_to_fail_may_be_of_any_graph_of_the_request(system: System, cluster: Cluster) -> None:
    cluster.graphs.create(type="after", tasks=[a_task("c")])
    options = DeployOptions(("default", "after"), rehearsal=Rehearsal(1000.0, fail=frozenset(["c/1"])))
    parent = asked(system, cluster, options)
    assert planning.plan_next(parent.id, system.tools, no_limit)


# -- what counts as real ------------------------------------------------------------------------------------------------------
def test_a_noop_deployment_does_not_keep_from_rehearsing(system: System, cluster: Cluster) -> None:
    assert system.deploy(cluster, noop=True).status == "ready"
    assert rehearse(system, cluster).status == "ready"
    system.deploy(cluster)
    with pytest.raises(InvalidData, match="has been deployed for real"):
        rehearse(system, cluster)


def test_a_noop_deployment_keeps_the_mark_of_a_rehearsal(system: System, cluster: Cluster) -> None:
    rehearse(system, cluster)
    system.deploy(cluster, noop=True)
    cluster.refresh_from_db()
    assert cluster.rehearsed_at
    assert set(Node.objects.values_list("status_before_rehearsal", flat=True)) == {"provisioned"}
    system.deploy(cluster)
    cluster.refresh_from_db()
    assert cluster.rehearsed_at is None


# -- what goes wrong ----------------------------------------------------------------------------------------------------------
def test_a_broken_rule_of_the_database_is_not_taken_for_a_deployment_under_way(cluster: Cluster) -> None:
    request = recorder.Request(name="deploy", cluster_id=cluster.id, cluster_name=None, actor="ann")  # type: ignore[arg-type]
    with pytest.raises(IntegrityError):
        recorder.open_request(request, System().time.now())


@pytest.mark.parametrize("error", [DataError("value too long\0"), RuntimeError("a bug")])
def test_a_bug_in_planning_ends_the_transaction_at_the_first_try(
    system: System, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    parent = asked(system, cluster)
    monkeypatch.setattr(planning, "_rows", lambda made: (_ for _ in ()).throw(error))
    assert not planning.plan_next(parent.id, system.tools, no_limit)
    parent.refresh_from_db()
    said = str(error).replace("\0", "\ufffd")
    assert (parent.status, parent.message) == ("error", f"No plan could be made or stored: {type(error).__name__}: {said}")


def test_a_database_that_is_away_is_tried_again(system: System, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = asked(system, cluster)
    with monkeypatch.context() as patch, pytest.raises(OperationalError):
        patch.setattr(planning, "_rows", lambda made: (_ for _ in ()).throw(OperationalError("gone")))
        planning.plan_next(parent.id, system.tools, no_limit)
    parent.refresh_from_db()
    assert parent.status == "pending"


@pytest.mark.parametrize("tries", [0, planning.MOST_TRIES])
def test_a_planner_that_was_stalled_for_too_long_writes_nothing_not_even_that_it_failed(
    system: System, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    parent = asked(system, cluster)
    Transaction.objects.filter(parent=parent).update(plan_tries=tries)
    edit_graph(cluster, [a_task("a"), a_task("b{CLUSTER_ID!s:>300}")])
    _taken_over_when_it_fails(monkeypatch)
    assert not planning.plan_next(parent.id, system.tools, no_limit)
    parent.refresh_from_db()
    assert (parent.status, parent.message, parent.owner) == ("pending", "", "somebody else")


def _taken_over_when_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    fail = planning.finish.fail_planning

    def late(parent: Transaction, *told: Any) -> None:
        Transaction.objects.filter(id=parent.id).update(owner="somebody else", owner_epoch=parent.owner_epoch + 1)
        fail(parent, *told)

    monkeypatch.setattr(planning.finish, "fail_planning", late)


def test_a_task_with_too_long_a_name_ends_the_transaction(system: System, cluster: Cluster) -> None:
    edit_graph(cluster, [a_task("a"), a_task("b{CLUSTER_ID!s:>300}")])
    parent = system.deploy(cluster)
    assert parent.status == "error"
    assert "longer than 255 characters" in parent.message


def asked(system: System, cluster: Cluster, options: DeployOptions | None = None) -> Transaction:
    return request_deploy(cluster, options or DeployOptions(), actor="ann", reason="", clock=system.time, dispatcher=system.orders)  # type: ignore[arg-type]
