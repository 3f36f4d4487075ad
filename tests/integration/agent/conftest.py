"""Real workers on a private Redis, and an owner played by the test."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import redis
from celery import Celery, chord

from deployments.wire import names
from deployments.wire.messages import AttemptKey, Report, Work
from deployments.wire.redis_broker import RedisBroker
from deployments.wire.sealing import NodeKeys
from tests.servers import RedisServer, Wire

ROOT = Path(__file__).resolve().parents[3]
SECRET = "the test's secret"
TX, EPOCH = 1, 1
T = TypeVar("T")


def wait_for(what: Callable[[], T], seconds: float = 15.0) -> T:
    """The first true answer."""
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)
    return found


class Owner:
    """Permits, sends chords and reads what comes back, as an orchestrator does."""

    def __init__(self, url: str) -> None:
        self.broker = RedisBroker(url)
        self.keys = NodeKeys(SECRET)
        self.redis = redis.Redis.from_url(url)
        self._app = Celery("owner", set_as_current=False)
        self._app.conf.update(names.COMMON_CELERY_SETTINGS)
        self._app.conf.broker_url = names.celery_url(url)
        assert self.broker.vouch(TX, EPOCH)

    def send(self, number: int, node: str = "7", **work: Any) -> AttemptKey:
        """Permit an attempt and send it."""
        key = AttemptKey(TX, run=number, attempt=1, node=node, number=number)
        assert self.broker.permit(EPOCH, [key]) == [True]
        self.send_message(key, self.keys.seal_work(key, Work(**{"task": "t", "type": "shell", **work})))
        return key

    def shell(self, number: int, cmd: str, node: str = "7", **work: Any) -> AttemptKey:
        """As `send`: a shell command, tried once."""
        return self.send(number, node, parameters={"cmd": cmd, "retries": 0}, **work)

    def send_message(self, key: AttemptKey, sealed: bytes) -> None:
        """The chord alone."""
        kwargs = {"transaction": key.transaction, "run": key.run, "attempt": key.attempt, "node": key.node, "number": key.number}
        header = self._app.signature(
            names.EXECUTE_TASK,
            kwargs={**kwargs, "payload": base64.b64encode(sealed).decode(), "of_a_newer_owner": 1},
            queue=names.node_queue(key.node),
        )
        body = self._app.signature(names.RELEASE_DEPENDENTS, kwargs={"transaction": TX}, queue=names.ORCHESTRATOR_QUEUE, immutable=True)
        chord([header], body, app=self._app).apply_async()

    def send_task(self, name: str, queue: str, **kwargs: Any) -> None:
        self._app.send_task(name, kwargs=kwargs, queue=queue)

    def reports(self) -> list[Report]:
        return [self.keys.open_report(entry.node, entry.body) for entry in self.broker.drain(TX)]

    def outcome(self, key: AttemptKey, seconds: float = 15.0) -> Report:
        """Wait for the outcome of an attempt."""
        return wait_for(lambda: next((r for r in self.reports() if r.key == key and r.kind == "outcome"), None), seconds)

    def started(self, key: AttemptKey) -> Report:
        """Wait until an attempt is claimed."""
        return wait_for(lambda: next((report for report in self.reports() if report.key == key), None))

    def bodies(self) -> list[dict[str, Any]]:
        """The chord bodies that wait for the orchestrators: their keyword arguments."""
        raw = self.redis.lrange(f"{names.KEY_PREFIX}{names.ORCHESTRATOR_QUEUE}", 0, -1)
        return [json.loads(base64.b64decode(json.loads(message)["body"]))[1] for message in raw]

    def waiting(self, node: str) -> int:
        return int(self.redis.llen(f"{names.KEY_PREFIX}{names.node_queue(node)}"))

    def alive(self, *nodes: str) -> bool:
        return set(self.broker.heartbeats(nodes)) == set(nodes)

    def close(self) -> None:
        self._app.close()
        self.broker.close()
        self.redis.close()


class Worker:
    """A worker process, in a process group of its own."""

    def __init__(self, argv: list[str], env: dict[str, str], log: Path) -> None:
        self._log = log.open("ab")
        self.process = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=self._log, stderr=self._log, start_new_session=True)

    def term(self) -> None:
        self.process.terminate()

    def kill(self) -> None:
        """Kill the worker with its pool processes, but not what its tasks run (that has groups of its own)."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        self._log.close()


class Site:
    """One Redis, its owner and the folders of its workers."""

    def __init__(self, server: RedisServer | Wire, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.nodes = folder / "nodes"
        self.owner = Owner(server.url)
        self._workers: list[Worker] = []
        self.env = {
            **os.environ, "REDIS_URL": server.url, "FUELWEB_HOME": str(folder), "FUELWEB_WIRE_SECRET": SECRET,
            "DJANGO_SETTINGS_MODULE": "fuelweb.settings",
        }  # fmt: skip

    def manage(self, *arguments: str) -> Worker:
        """`manage.py …` with the nodes' folders as root."""
        argv = [sys.executable, "manage.py", *arguments, "--root", str(self.nodes), "--state", str(self.folder / "state")]
        return self.start(argv, self.env)

    def start(self, argv: list[str], env: dict[str, str]) -> Worker:
        self._workers.append(Worker(argv, env, self.folder / "worker.log"))
        return self._workers[-1]

    def fleet(self, *nodes: str, places: int = 20) -> Worker:
        """A fleet that serves these nodes, ready to work."""
        self.owner.broker.publish_fleet("north", dict.fromkeys(nodes, ""))
        worker = self.manage("fleet", "--name", "north", "--places", str(places))
        wait_for(lambda: self.owner.alive(*nodes))
        return worker

    def agent(self, node: str = "7") -> Worker:
        worker = self.manage("agent", node)
        wait_for(lambda: self.owner.alive(node))
        return worker

    def log(self) -> str:
        return (self.folder / "worker.log").read_text()

    def close(self) -> None:
        for worker in self._workers:
            worker.close()
        self.owner.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with RedisServer() as server:
        site = Site(server, tmp_path)
        yield site
        site.close()


@pytest.fixture
def owner(site: Site) -> Owner:
    return site.owner
