"""Redis is frozen in the middle of a deployment; it is stopped meanwhile, and Redis goes on when every lease is over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings

from fuelweb import system
from fuelweb.supervisor import Supervisor
from history.models import Attempt, TaskRun, Transaction
from tests.acceptance.proof import verify_all
from tests.integration.restart.system import a_cluster, a_task
from tests.servers import RedisServer

PATIENCE = 120.0
LEASE = 3.0


class Running:
    """A system on a Redis of its own."""

    def __init__(self, server: RedisServer, env: dict[str, str]) -> None:
        self.server, self.env = server, env

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=settings.BASE_DIR, env=self.env, timeout=PATIENCE, capture_output=True, text=True, check=True
        )  # fmt: skip


@pytest.fixture
def running(system_env: dict[str, str], tmp_path: Path) -> Iterator[Running]:
    with RedisServer() as server:
        env = {**system_env, "REDIS_URL": server.url, "FUELWEB_HOME": os.environ["FUELWEB_HOME"], "FUELWEB_LEASE": str(LEASE)}
        supervisor = Supervisor(tmp_path / "logs", print, tmp_path / "processes")
        try:
            for child in system.children(settings.BASE_DIR, tmp_path, 0, env):
                if child.name in system.WORKERS:
                    supervisor.start(child)
            yield Running(server, env)
        finally:
            supervisor.kill()
            for log in sorted((tmp_path / "logs").glob("*.log")):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-4000:]}")


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_a_stop_asked_for_while_redis_is_frozen_works_when_it_is_back(running: Running, tmp_path: Path) -> None:
    wait = {"cmd": f"until [ -e {tmp_path}/go ]; do sleep 0.1; done", "timeout": PATIENCE, "retries": 0}
    a_cluster([a_task("a", parameters=wait), a_task("b", requires=["a"])], {"1": ["web"]})
    running.manage("deploy", "c")
    until(lambda: TaskRun.objects.filter(task_name="a", status="running").exists())

    running.server.signal(signal.SIGSTOP)
    stop = running.manage("stop", "c")
    assert "Redis does not answer" in stop.stderr
    (tmp_path / "go").touch()
    # Nobody can keep a lease so long.
    time.sleep(3 * LEASE)
    running.server.signal(signal.SIGCONT)

    parent = Transaction.objects.get(name="deploy", parent=None)
    until(lambda: Transaction.objects.get(id=parent.id).status not in ("pending", "running"))
    parent.refresh_from_db()
    assert parent.status == "stopped", parent.message
    assert dict(TaskRun.objects.values_list("task_name", "status")) == {"a": "ready", "b": "pending"}
    assert list(Attempt.objects.values_list("status", flat=True)) == ["ready"], "what ran was not given up"
    assert verify_all() == 1
