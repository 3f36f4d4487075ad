"""Time that passed for the clock, but for nobody at work: a machine that was suspended, a Redis that was frozen, a clock that was set."""

from __future__ import annotations

import pytest

from deployments.core.time_limit import no_limit
from deployments.models import Cluster
from deployments.services.lifecycle import DeployOptions, request_deploy
from deployments.services.owned import OwnedTransaction
from deployments.services.planning import plan_next
from deployments.wire.messages import AttemptKey, Heartbeat, Report
from history import recorder
from history.models import Attempt, Transaction
from tests.integration.restart.system import System, a_cluster, a_task

pytestmark = pytest.mark.django_db

HOUR = 3600.0


class Stage:
    """An owner with one attempt that runs, and the agent that keeps its lease, every ten seconds."""

    def __init__(self, cluster: Cluster) -> None:
        self.system, self.cluster = System(), cluster
        asked = {"actor": "ann", "reason": "", "clock": self.system.time, "dispatcher": self.system.orders}
        self.parent = request_deploy(cluster, DeployOptions(), **asked)  # type: ignore[arg-type]
        plan_next(self.parent.id, self.system.tools, no_limit)
        self.parent.refresh_from_db()
        epoch = recorder.take(self.parent.id, "test", 1e9)
        assert epoch is not None
        self.owned = OwnedTransaction(self.parent, epoch, self.system.tools)
        self._agent()
        self.look(2)
        (order,) = self.system.orders.take()
        self.key: AttemptKey = order.key
        started = self.system.keys.seal_report(Report(self.key, "started", "started"))
        assert self.system.broker.claim(self.key, "token", 30.0, started).granted
        self.look(2)
        assert self.status() == "started"

    def pass_on(self, seconds: float, *, at_work: bool = True, lease: bool = True) -> None:
        """Let time pass for the clock; if anybody is at work, the owner looks every second and the agent renews."""
        if not at_work:
            self.system.time._now += seconds
            return
        for second in range(int(seconds)):
            self.system.time._now += 1.0
            if second % 10 == 9:
                self._agent()
                if lease:
                    assert self.system.broker.renew([(self.key, 30.0)]) == [True]
            self.look()

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.owned.step()

    def status(self) -> str:
        return Attempt.objects.get(run_id=self.key.run).status

    def _agent(self) -> None:
        names = ["1", f"master-{self.cluster.id}"]
        self.system.broker.beat({name: self.system.keys.seal_heartbeat(Heartbeat(name)) for name in names}, 60)


@pytest.fixture
def stage() -> Stage:
    first = a_task("a", parameters={"cmd": "a", "timeout": 100, "retries": 0})
    return Stage(a_cluster([first, a_task("b", requires=["a"])], {"1": ["web"]}))


def test_what_runs_goes_on_after_a_suspend_although_its_lease_is_over_and_its_deadline_too(stage: Stage) -> None:
    stage.pass_on(HOUR, at_work=False)
    stage.pass_on(60)
    assert stage.status() == "started"


@pytest.mark.parametrize("hours", [1, -1])
def test_what_does_not_show_itself_within_a_lease_is_lost(stage: Stage, hours: int) -> None:
    stage.pass_on(hours * HOUR, at_work=False)
    stage.pass_on(20, lease=False)
    assert stage.status() == "started"
    stage.pass_on(max(0.0, -hours * HOUR) + 60, lease=False)
    assert stage.status() == "lost"


@pytest.mark.parametrize("hours", [1, -1, 0])
def test_the_deadline_counts_the_time_at_work(stage: Stage, hours: int) -> None:
    """100 s for its one try, 2 s for the pause after it, and 120 s of grace."""
    stage.pass_on(100)
    stage.pass_on(hours * HOUR, at_work=False)
    stage.pass_on(100)
    assert stage.status() == "started"
    stage.pass_on(60)
    assert stage.status() == "lost"


def test_a_stop_is_seen_although_the_clock_was_set_back(stage: Stage) -> None:
    stage.pass_on(-HOUR, at_work=False)
    stage.system.stop(stage.cluster)
    stage.pass_on(3)
    stage.system.broker.report(stage.key, stage.system.keys.seal_report(Report(stage.key, "outcome", "ready")))
    stage.pass_on(3)
    assert Transaction.objects.get(id=stage.parent.id).status == "stopped"


def test_an_owner_that_is_always_slow_judges_all_the_same(stage: Stage) -> None:
    for _ in range(6):
        stage.pass_on(40, at_work=False)
        stage.look()
    assert stage.status() == "lost"
