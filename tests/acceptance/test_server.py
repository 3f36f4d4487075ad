"""`manage.py server`, as a person runs it: real processes, its own folder, Ctrl-C."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 60.0


class System:
    """A server on a folder of its own, and the commands that speak to it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = {**os.environ, "FUELWEB_HOME": str(home), "DJANGO_SETTINGS_MODULE": "fuelweb.settings", "PYTHONUNBUFFERED": "1"}
        for given in ("REDIS_URL", "DATABASE_URL", "FUELWEB_ADMIN_PASSWORD"):
            self.env.pop(given, None)
        self._starts = 0
        self.output = home
        self.server: subprocess.Popen[bytes] | None = None

    def start(self, *options: str, port: int = 0) -> str:
        """Start the server and wait until it is ready; its address."""
        self._starts += 1
        self.output = self.home.parent / f"output-{self._starts}"
        with self.output.open("wb") as output:
            command = [sys.executable, "manage.py", "server", "--port", str(port), *options]
            self.server = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.env,
                stdout=output,
                stderr=output,
                process_group=0,
                # Whatever the tests were started from (nohup): a terminal does not have it ignored.
                preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
            )
        self.until(lambda: "ready " in self.said())
        return self.said().rpartition("ready ")[2].split()[0]

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout

    def interrupt(self) -> None:
        assert self.server is not None
        self.server.send_signal(signal.SIGINT)

    def wait(self) -> int:
        assert self.server is not None
        return self.server.wait(PATIENCE)

    def processes(self) -> list[int]:
        """Ids of all processes of this system but the server itself."""
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                try:
                    environ = (folder / "environ").read_bytes().split(b"\0")
                except OSError:
                    continue
                if f"FUELWEB_HOME={self.home}".encode() in environ and (self.server is None or int(folder.name) != self.server.pid):
                    found.append(int(folder.name))
        return found

    def pid_of(self, word: str) -> int:
        lines = {pid: (Path("/proc") / str(pid) / "cmdline").read_bytes() for pid in self.processes()}
        return min(pid for pid, line in lines.items() if word.encode() in line)

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path / "home")
    yield system
    for pid in [*system.processes(), *([system.server.pid] if system.server and system.server.poll() is None else [])]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_a_server_comes_up_heals_and_goes_down(system: System) -> None:
    address = system.start()
    assert "account admin, password " in system.said()
    assert healthy(address)

    second = subprocess.run([sys.executable, "manage.py", "server"], cwd=ROOT, env=system.env, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert second.stderr.startswith(f"CommandError: A server already runs on {system.home} ({address}): end it first")

    os.kill(system.pid_of("gunicorn"), signal.SIGKILL)
    system.until(lambda: "web was ended by signal 9; it is started again in 1 s" in system.said())
    system.until(lambda: healthy(address))

    system.interrupt()
    assert system.wait() == 0
    assert system.said().endswith("stopped\n")
    assert system.processes() == []


def test_a_closed_terminal_ends_it_in_order(system: System) -> None:
    system.start()
    assert system.server is not None
    system.server.send_signal(signal.SIGHUP)
    assert system.wait() == 0
    assert system.said().endswith("stopped\n")
    assert system.processes() == []


def test_what_a_killed_server_left_is_ended_by_the_next(system: System) -> None:
    address = system.start()
    assert system.server is not None
    system.server.kill()
    system.server.wait()
    left = system.processes()
    assert len(left) >= 5

    # What is left holds the port.
    assert system.start(port=int(address.rpartition(":")[2])) == address
    assert "processes that an earlier server had left" in system.said()
    assert "account admin" not in system.said()
    assert not set(left) & set(system.processes())
    system.interrupt()
    assert system.wait() == 0


def test_flower_is_shown_to_who_has_the_password_and_a_long_folder_is_no_matter(tmp_path: Path) -> None:
    system = System(tmp_path / ("long-" * 25))
    try:
        system.start("--flower")
        system.until(lambda: "flower http" in system.said())
        address, password = re.search(r"flower (\S+) \(user admin, password (\S+)\)", system.said()).groups()  # type: ignore[union-attr]
        system.until(lambda: status(address) == 401)
        assert status(address, password) == 200
        system.manage("load_cluster", "examples/first/cluster.yaml")
        system.manage("graph", "upload", "--cluster", "first", "examples/first/tasks.yaml")
        system.manage("deploy", "first", "--nodes", "web-1", "--tasks", "page")
        system.until(lambda: any(task["name"] == "page/web-1" for task in shown(address, password)))
        (run,) = (task for task in shown(address, password) if task["name"] == "page/web-1")
        assert run["worker"].startswith("fleet-default@")
        assert "'transaction': 1" in run["kwargs"] and "payload" not in run["kwargs"]
    finally:
        system.interrupt()
        assert system.wait() == 0
        shutil.rmtree(os.path.realpath(system.home / "run"))


def shown(address: str, password: str) -> list[dict[str, Any]]:
    """The tasks that Flower knows."""
    request = urllib.request.Request(f"{address}/api/tasks")
    request.add_header("Authorization", "Basic " + base64.b64encode(f"admin:{password}".encode()).decode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        return list(json.load(answer).values())


def status(address: str, password: str = "") -> int:
    request = urllib.request.Request(f"{address}/workers")
    if password:
        request.add_header("Authorization", "Basic " + base64.b64encode(f"admin:{password}".encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, http.client.HTTPException):
        # While nobody listens yet, a connection to a port of this range can reach itself, and answers what it was asked.
        return 0


@pytest.mark.parametrize(
    ("options", "env", "said"),
    [
        (["--port", "{taken}"], {}, "Port {taken} can't be used (Address already in use): choose another with --port"),
        (["--port", "70000"], {}, "Port 70000 can't be used (there are 65,535)"),
        (["--port", "0"], {"FUELWEB_HOME": "/dev/null/home"}, "The folder /dev/null/home can't be used (Not a directory): choose another"),
        (["--port", "0"], {"REDIS_URL": "redis://127.0.0.1:1/0"}, "The Redis that REDIS_URL names does not answer"),
        (["--port", "0"], {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/x"}, "The database can't be used: is it there"),
    ],
)
def test_what_is_in_the_way_is_told(tmp_path: Path, options: list[str], env: dict[str, str], said: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "manage.py", "server", *(option.format(taken=port) for option in options)]
        system = System(tmp_path / "home")
        ended = subprocess.run(command, cwd=ROOT, env={**system.env, **env}, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert ended.returncode == 1
    assert said.format(taken=port) in ended.stderr
    assert "Traceback" not in ended.stderr
    assert system.processes() == []


def load(system: System, seconds: int) -> None:
    tasks: list[dict[str, Any]] = [
        {"id": "first", "type": "shell", "roles": ["web"], "parameters": {"cmd": f"sleep {seconds}", "retries": 0}},
        {"id": "second", "type": "shell", "roles": ["web"], "requires": ["first"], "parameters": {"cmd": "echo done > done", "retries": 0}},
    ]
    (system.home.parent / "cluster.yaml").write_text(yaml.safe_dump({"name": "one", "nodes": [{"uid": "n1", "roles": ["web"]}]}))
    (system.home.parent / "tasks.yaml").write_text(yaml.safe_dump(tasks))
    system.manage("load_cluster", str(system.home.parent / "cluster.yaml"))
    system.manage("graph", "upload", "--cluster", "one", str(system.home.parent / "tasks.yaml"))


def states(system: System) -> dict[str, str]:
    return {row["task_name"]: row["status"] for row in json.loads(system.manage("history", "1", "--format", "json"))}


def test_ctrl_c_lets_running_runs_end_and_the_next_start_goes_on(system: System) -> None:
    system.start()
    load(system, seconds=20)
    system.manage("deploy", "one")
    system.until(lambda: states(system).get("first") == "running")

    system.interrupt()
    assert system.wait() == 0
    assert "waiting for 1 running task run to end" in system.said()
    assert states(system) == {"first": "ready", "second": "pending"}

    system.start()
    system.until(lambda: states(system)["second"] == "ready")
    assert (system.home / "nodes" / "n1" / "done").read_text() == "done\n"
    system.interrupt()
    assert system.wait() == 0
    assert ", 0 findings" in system.manage("verify", "1")


def test_a_second_ctrl_c_does_not_wait(system: System) -> None:
    system.start()
    # Longer than anybody waits here: that the server ends at all shows that it did not wait.
    load(system, seconds=int(PATIENCE) * 2)
    system.manage("deploy", "one")
    system.until(lambda: states(system).get("first") == "running")

    system.interrupt()
    system.until(lambda: "waiting for 1 running" in system.said())
    system.interrupt()
    assert system.wait() == 0
    assert "left what still runs" in system.said()
    assert ", 0 findings" in system.manage("verify", "1")
