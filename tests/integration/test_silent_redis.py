"""A Redis that is frozen: it takes connections and answers nothing. Who asks for something is answered all the same."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from celery import Celery
from django.contrib.auth.models import User
from redis.exceptions import RedisError
from rest_framework.test import APIClient

from deployments.core.events import Begin
from deployments.dispatch import Dispatcher, NotSent, Order
from deployments.models import Cluster
from deployments.services import setup
from deployments.wire import names
from deployments.wire.messages import AttemptKey
from deployments.wire.redis_broker import RedisBroker
from history.models import TaskRun, Transaction
from tests.conftest import ROOT
from tests.integration.recorded import Recorded
from tests.integration.restart.system import a_cluster, a_task
from tests.servers import RedisServer
from tests.unit.core.scheduling import plan_of

LONG = 60.0
"""Seconds after which whoever has not come back counts as hanging. (The bound is a few seconds, the machine may be busy.)"""


@pytest.fixture
def frozen() -> Iterator[RedisServer]:
    with RedisServer() as server:
        server.signal(signal.SIGSTOP)
        yield server


@pytest.fixture
def cluster(transactional_db: None) -> Cluster:
    return a_cluster([a_task("a")], {"1": ["web"]})


def manage(env: dict[str, str], server: RedisServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**env, "REDIS_URL": server.url}, timeout=LONG, capture_output=True, text=True, check=False
    )


class TestCommands:
    def test_deploy_and_stop_are_recorded_and_say_when_they_take_effect(
        self, system_env: dict[str, str], frozen: RedisServer, cluster: Cluster
    ) -> None:
        deploy = manage(system_env, frozen, "deploy", cluster.name)
        parent = Transaction.objects.get(name="deploy", parent=None)
        assert (deploy.returncode, deploy.stdout) == (0, f"Deployment of cluster {cluster.name}: transaction {parent.id}.\n")
        silent = "Redis does not answer (Timeout reading from socket). The request is recorded; "
        assert deploy.stderr == f"{silent}it begins as soon as Redis answers.\n"

        stop = manage(system_env, frozen, "stop", cluster.name)
        parent.refresh_from_db()
        assert stop.returncode == 0
        assert stop.stdout.startswith(f"Stopping the deployment of cluster {cluster.name} (transaction {parent.id})")
        assert stop.stderr == f"{silent}the deployment's owner acts on it as soon as it reaches Redis.\n"
        assert parent.stop_requested_at is not None

        drain = manage(system_env, frozen, "drain", cluster.name)
        assert (drain.returncode, drain.stderr) == (0, "")
        assert "stopping" in drain.stdout

    def test_resolve_is_recorded(self, system_env: dict[str, str], frozen: RedisServer, cluster: Cluster) -> None:
        recorded = Recorded(plan_of("a/1"), cluster.id)
        recorded.commit(Begin())
        recorded.finish(fail={"a/1": "error:no"})
        failed = TaskRun.objects.get(status="error")
        resolve = manage(system_env, frozen, "resolve", str(failed.id), "finished")
        assert resolve.returncode == 0, resolve.stderr
        assert "The request is recorded; it is carried out as soon as Redis answers." in resolve.stderr
        failed.refresh_from_db()
        assert failed.status == "ready"


@contextmanager
def not_for_ever() -> Iterator[None]:
    """Interrupts what hangs."""

    def interrupt(*_: object) -> None:
        raise AssertionError(f"still waiting after {LONG:g} s")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, LONG)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def celery_app(url: str) -> Celery:
    made = Celery("silent", set_as_current=False)
    made.conf.update(names.COMMON_CELERY_SETTINGS)
    made.conf.broker_url = names.celery_url(url)
    return made


def test_web_requests_are_answered(frozen: RedisServer, cluster: Cluster, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REDIS_URL = frozen.url
    monkeypatch.setattr(setup, "import_string", lambda _name: celery_app(frozen.url))
    api = APIClient(headers={"accept": "application/json"})
    api.force_authenticate(User.objects.create_superuser("ann"))
    with not_for_ever():
        asked = api.put(f"/api/v1/clusters/{cluster.id}/changes/")
        stopped = api.put(f"/api/v1/clusters/{cluster.id}/stop_deployment/")
        health = api.get("/health")
    assert (asked.status_code, stopped.status_code) == (202, 202)
    assert health.status_code == 503
    parent = Transaction.objects.get(name="deploy", parent=None)
    assert parent.stop_requested_at is not None


class TestWhoWorks:
    """They wait longer (`REDIS_SECONDS`), and then try again by themselves."""

    def test_an_order_that_can_t_be_sent_is_an_error_in_the_end(self, frozen: RedisServer) -> None:
        key = AttemptKey(1, 1, 1, "7", 1)
        with not_for_ever(), pytest.raises(NotSent, match="Timeout"):
            Dispatcher(celery_app(frozen.url)).send_orders([Order(key, b"sealed")])

    def test_no_step_of_the_broker_hangs(self, frozen: RedisServer) -> None:
        broker = RedisBroker(frozen.url, timeout=0.5)
        key = AttemptKey(1, 1, 1, "7", 1)
        steps: list[Callable[[], object]] = [
            broker.now, broker.run_id, partial(broker.vouch, 1, 1), partial(broker.permit, 1, [key]), partial(broker.recall, [key]),
            partial(broker.set_stop, 1), partial(broker.drain, 1), partial(broker.forget, 1, ["1-1"]), partial(broker.leased, [key]),
            partial(broker.heartbeats, ["7"]), partial(broker.end, 1), partial(broker.wake, "me", 1), partial(broker.woken, "me", 0.5),
            partial(broker.claim, key, "a", 1.0, b""), partial(broker.renew, [(key, 1.0)]), partial(broker.report, key, b""),
            partial(broker.beat, {"7": b""}, 1.0), partial(broker.fleet, "f"),
        ]  # fmt: skip
        for step in steps:
            with not_for_ever(), pytest.raises((RedisError, OSError)):
                step()
