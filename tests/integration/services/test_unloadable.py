"""A transaction that can't be loaded, because what is stored of it is damaged or of a newer version: said as such everywhere."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework.test import APIClient

from deployments.services import stored
from deployments.services.standing import standing_of
from deployments.services.verification import verify_transaction
from history.models import Attempt, Event, Snapshot, TaskRun, Transaction
from tests.integration.services.conftest import World
from tests.integration.services.test_owner import nodes, rounds, until_over


def _rewrite(change: Callable[[dict[str, Any]], Any]) -> Callable[[Snapshot], None]:
    def spoil(row: Snapshot) -> None:
        data = row.data()
        data = change(data) or data
        fresh = Snapshot.of(row.transaction_id, row.kind, data)
        Snapshot.objects.filter(pk=row.pk).update(body=fresh.body, sha256=fresh.sha256)

    return spoil


def _newer(row: Snapshot) -> None:
    _rewrite(lambda plan: plan.update(format=99))(row)


def _cut(row: Snapshot) -> None:
    Snapshot.objects.filter(pk=row.pk).update(body=bytes(row.body)[:-20])


def _bit(row: Snapshot) -> None:
    text = zlib.decompress(row.body).replace(b"first", b"fjrst")
    Snapshot.objects.filter(pk=row.pk).update(body=zlib.compress(text))


def _gone(row: Snapshot) -> None:
    row.delete()


def _forget_key(plan: dict[str, Any]) -> None:
    del plan["runs"]


def _point_outside(plan: dict[str, Any]) -> None:
    plan["bundles"] = [[[10**6], [0], True]]


def _lose_runs(plan: dict[str, Any]) -> None:
    plan["runs"] = plan["runs"][:1]


SPOILT = {
    "newer": (_newer, "its plan has format 99, and this version reads format 1. Go on with the version that planned it."),
    "cut": (_cut, "its plan as stored is damaged. Restore it from a backup"),
    "bit": (_bit, "its plan as stored is damaged."),
    "empty": (lambda row: Snapshot.objects.filter(pk=row.pk).update(body=b""), "its plan as stored is damaged."),
    "no runs": (_rewrite(_forget_key), "its plan is damaged."),
    "a list": (_rewrite(lambda plan: [1]), "its plan is damaged."),
}
SPOILT_BESIDE_ITS_ROWS = {
    "gone": (_gone, "its task runs are not those of its plan."),
    "fewer runs": (_rewrite(_lose_runs), "its task runs are not those of its plan."),
    "outside": (_rewrite(_point_outside), "what is stored of it does not go together."),
}
every = pytest.mark.parametrize("how", [*SPOILT, *SPOILT_BESIDE_ITS_ROWS])


def _spoil(world: World, how: str, *, begun: bool = False) -> tuple[Transaction, str]:
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    if begun:
        rounds(world)
        world.end(world.claim())
        rounds(world, 3)
        world.end(world.claim())
        until_over(world, parent)
    spoil, why = (SPOILT | SPOILT_BESIDE_ITS_ROWS)[how]
    spoil(Snapshot.objects.get(transaction__parent=parent, kind="plan"))
    return parent, f"Transaction {parent.children.get().id} can't be loaded: {why}"


@every
def test_its_owner_says_so_once_and_leaves_it_alone(world: World, how: str, caplog: pytest.LogCaptureFixture) -> None:
    parent, why = _spoil(world, how)
    with caplog.at_level(logging.WARNING, "deployments"):
        rounds(world, 20)
    parent.refresh_from_db()
    assert parent.message.startswith(why)
    assert parent.owner_epoch <= 3, "it is not taken again and again"
    assert sum(why in record.getMessage() for record in caplog.records) == 1
    assert why in standing_of(parent.id)


@every
def test_it_holds_up_nobody_and_a_stop_ends_it(world: World, how: str) -> None:
    parent, why = _spoil(world, how)
    world.stop()
    ended = until_over(world, parent)
    assert ended.status == "stopped"
    assert ended.message.startswith(f"Stopped. {why}")
    assert nodes() == {"1": "provisioned", "2": "provisioned"}
    again = world.deploy()
    world.plan(again)
    for _ in range(2):
        rounds(world)
        world.end(world.claim())
    assert until_over(world, again).status == "ready"


def test_a_stop_of_one_that_had_begun_says_what_became_of_its_nodes(world: World) -> None:
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    rounds(world)
    one, two = world.claim()
    world.end([one, two])
    rounds(world, 2)
    # Taken back, so that nothing is under way.
    Transaction.objects.filter(id=parent.id).update(owner_until="2000-01-01T00:00:00Z")
    TaskRun.objects.filter(task_name="second").update(attempts=0)
    Attempt.objects.filter(run__task_name="second").delete()
    _newer(Snapshot.objects.get(transaction__parent=parent, kind="plan"))
    world.stop()
    second = world.another_orchestrator()
    second.round()
    second.round()
    parent.refresh_from_db()
    assert parent.status == "stopped"
    assert nodes() == {"1": "stopped", "2": "stopped"}
    assert Event.objects.filter(subject="node", new="stopped").count() == 2


@pytest.mark.parametrize("how", SPOILT)
def test_interfaces_say_so(world: World, how: str, settings: Any) -> None:
    parent, why = _spoil(world, how, begun=True)
    child = parent.children.get()
    settings.FUELWEB_AUTH_REQUIRED = False
    api = APIClient(REMOTE_ADDR="127.0.0.1")
    for address in (f"/api/v1/transactions/{parent.id}/failures/", f"/api/v1/transactions/{child.id}/failures/"):
        answer = api.get(address)
        assert (answer.status_code, answer.json()["message"][: len(why)]) == (409, why), address
    for address in (f"/api/v1/transactions/{parent.id}/", "/api/v1/transactions/", f"/api/v1/transactions/{child.id}/deployment_history/"):
        assert api.get(address).status_code == 200
    found = [finding.sentence for finding in verify_transaction(parent.id).findings]
    assert len(found) == 1 and found[0].startswith(why)
    for command in (["why", str(parent.id), "first/1"], ["failures", str(parent.id)]):
        with pytest.raises(CommandError, match="can't be loaded"):
            call_command(*command)
    TaskRun.objects.filter(task_name="first", node="1").update(status="error")
    User.objects.create_superuser("root", password="root")
    pages = Client()
    pages.login(username="root", password="root")
    page = pages.get(f"/admin/history/transaction/{parent.id}/change/")
    assert page.status_code == 200
    assert "be loaded" in page.content.decode()


@pytest.mark.parametrize("kind", ["deployment_info", "tasks", "settings"])
def test_what_else_is_stored_may_be_damaged(world: World, kind: str, settings: Any) -> None:
    parent, _ = _spoil(world, "newer", begun=True)
    child = parent.children.get()
    _cut(Snapshot.objects.get(transaction=child, kind=kind))
    with pytest.raises(stored.CantBeLoaded, match=f"its {kind.replace('_', ' ')} as stored is damaged"):
        stored.snapshot(child.id, kind)
    settings.FUELWEB_AUTH_REQUIRED = False
    api = APIClient(REMOTE_ADDR="127.0.0.1")
    assert api.get(f"/api/v1/transactions/{child.id}/deployment_history/").status_code == 200
    answers = {name: api.get(f"/api/v1/transactions/{child.id}/{name}").status_code for name in ("deployment_info", "settings")}
    assert all(status == (409 if name == kind else 200) for name, status in answers.items()), answers
    assert api.get(f"/api/v1/clusters/{world.cluster.id}/settings/deployed/").status_code in (404, 409 if kind == "settings" else 200)
    # The next deployment is planned all the same.
    again = world.deploy()
    world.plan(again)
    assert again.children.get().recorded_at is not None
