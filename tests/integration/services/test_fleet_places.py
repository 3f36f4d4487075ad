"""How many places a fleet has and who has taken them; what waits for one says so."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client

from deployments.dispatch import Order
from deployments.models import Cluster
from deployments.services.explanation import why
from deployments.services.fleet_places import FleetPlaces, fleet_places
from deployments.wire.messages import Heartbeat, Report
from deployments.wire.redis_broker import RedisBroker
from deployments.wire.sealing import NodeKeys
from fuelweb import health, system, workers
from history.models import Transaction
from tests.integration.restart.system import System, a_cluster, a_task

pytestmark = pytest.mark.django_db

ROUNDS = 6
"""After so many the owner has read what has started."""


class Busy(System):
    """Two nodes have begun and do not end, the third waits; then somebody asks, and all of them end."""

    def __init__(self, fleets: dict[str, str], places: int) -> None:
        super().__init__()
        self.fleets, self.places, self.rounds = fleets, places, 0
        self.begun: list[Order] = []
        self.waiting: list[Order] = []
        self.answers: dict[str, Any] = {}

    def _beat(self, cluster: Cluster) -> None:
        super()._beat(cluster)
        keys = NodeKeys(str(settings.FUELWEB_WIRE_SECRET))
        beats = {node: keys.seal_heartbeat(Heartbeat(node, places=self.places, fleet=fleet)) for node, fleet in self.fleets.items()}
        RedisBroker(settings.REDIS_URL).beat(beats, 60)
        self.rounds += 1
        if self.rounds == ROUNDS:
            self._ask(cluster)
            for order in self.begun:
                report = Report(order.key, "outcome", "ready", "", {}, 0.005)
                self.broker.report(order.key, self.keys.seal_report(report))
            for order in self.waiting:
                super()._work(order, cluster, (), "")

    def _ask(self, cluster: Cluster) -> None:
        self.answers["places"] = fleet_places()
        self.answers["why"] = why(Transaction.objects.get(parent=None).id, "app/3")
        self.answers["health"] = json.loads(health.health().content)["fleets"]
        out = StringIO()
        call_command("workers", stdout=out)
        self.answers["workers"] = out.getvalue()
        client = Client()
        client.force_login(self.admin)
        self.answers["page"] = client.get(f"/admin/deployments/cluster/{cluster.id}/change/").content.decode()

    def _work(self, order: Order, cluster: Cluster, fail: Any, stop_after: str) -> None:
        if order.key.node == "3":
            self.waiting.append(order)
            return
        self.broker.claim(order.key, "token", 60, self.keys.seal_report(Report(order.key, "started", "started")))
        self.begun.append(order)


@pytest.fixture
def answers(
    request: pytest.FixtureRequest, clean_redis: str, settings: Any, admin_user: Any, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    settings.REDIS_URL = clean_redis
    monkeypatch.setattr(workers, "missing", lambda *_: [])
    fleets, places = request.param
    busy = Busy(fleets, places)
    busy.admin = admin_user
    cluster = a_cluster([a_task("app")], {"1": ["web"], "2": ["web"], "3": ["web"]})
    assert busy.deploy(cluster).status == "ready"
    return busy.answers


@pytest.mark.parametrize("answers", [({node: "default" for node in "123"}, 2)], indirect=True)
def test_a_full_fleet_is_told_everywhere(answers: dict[str, Any]) -> None:
    assert answers["places"] == [FleetPlaces("default", 2, {"c": 2})]
    assert answers["why"] == "app/3 waits for a place of fleet default: 2 of 2 taken by c (2)."
    assert answers["health"] == {"default": "2/2"}
    assert "fleet default: 2 of 2 places taken by c (2)\n" in answers["workers"]
    assert "fleet default: 2 of 2 places taken by c (2)" in answers["page"]


@pytest.mark.parametrize("answers", [({node: "default" for node in "123"}, 100)], indirect=True)
def test_one_with_free_places_is_no_reason_to_wait(answers: dict[str, Any]) -> None:
    assert answers["health"] == {"default": "2/100"}
    assert answers["why"] == "app/3 is queued for its node and waits for the agent to take it."


@pytest.mark.parametrize("answers", [({"1": "", "2": "default", "3": "default"}, 1)], indirect=True)
def test_a_node_with_an_agent_of_its_own_takes_no_place(answers: dict[str, Any]) -> None:
    assert answers["places"] == [FleetPlaces("default", 1, {"c": 1})]


@pytest.mark.parametrize("answers", [({node: "" for node in "123"}, 1)], indirect=True)
def test_agents_of_their_own_are_no_fleet(answers: dict[str, Any]) -> None:
    assert (answers["places"], answers["health"]) == ([], {})
    assert answers["why"] == "app/3 is queued for its node and waits for the agent to take it."


def test_the_servers_options_reach_fleet_and_planner(tmp_path: Any) -> None:
    argv = {child.name: child.argv for child in system.children(tmp_path, tmp_path, 1, {}, sizes=system.Sizes(7, 3))}
    assert " ".join(argv["fleet"]).endswith("--places 7") and " ".join(argv["planner"]).endswith("--processes 3")
    plain = {child.name: child.argv for child in system.children(tmp_path, tmp_path, 1, {})}
    assert "--places" not in plain["fleet"] and "--processes" not in plain["planner"]
