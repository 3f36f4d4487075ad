"""A whole system of real processes with a Redis and a PostgreSQL of its own, in which anything may be killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import psycopg
import redis
import yaml
from psycopg.rows import dict_row

from tests.acceptance.chaos import journal
from tests.acceptance.chaos.postgres import PostgresServer
from tests.servers import RedisServer

ROOT = Path(__file__).resolve().parents[3]
T = TypeVar("T")

PATIENCE = {"lease": 4.0, "ownership": 3.0, "first_heartbeat": 15.0, "resend": 2.0, "claim": 40.0, "deadline_grace": 20.0, "planning": 3.0}
GONE_AFTER = 20.0
"""Short enough to see a node given up, long enough that an agent started on a busy machine is not."""
CLUSTERS = {"fleet": ("f1", "f2", "f3"), "agents": ("a1", "a2")}
"""Cluster → its nodes. The first is served by one fleet of threads, each node of the second by an agent of its own (prefork)."""
WORKERS = ("planner", "orchestrator", "fleet", "a1", "a2")


_HOLD_COMMITS = (
    "CREATE TABLE IF NOT EXISTS chaos_hold (held integer)",
    "CREATE OR REPLACE FUNCTION chaos_wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "WHILE EXISTS (SELECT 1 FROM chaos_hold) LOOP PERFORM pg_sleep(0.02); END LOOP; RETURN NULL; END $$",
    "CREATE OR REPLACE TRIGGER chaos_wait AFTER INSERT ON history_event FOR EACH STATEMENT EXECUTE FUNCTION chaos_wait()",
)


class TooLate(AssertionError):
    """Something did not happen in time."""


class System:
    """`with` starts everything and ends everything, whatever became of it."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="fuelweb-chaos-"))
        self.nodes = self.folder / "nodes"
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self._database: psycopg.Connection[Any] | None = None

    def __enter__(self) -> System:
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._stack.callback(self._end_all)
        try:
            self.redis = self._stack.enter_context(RedisServer())
            self.postgres = self._stack.enter_context(PostgresServer())
            # Workers end before the services they need.
            self._stack.callback(self._end_all)
            self.env = self._environment()
            self.manage("migrate", "--verbosity", "0")
            self._describe()
            self.start_missing()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    # -- processes --------------------------------------------------------------------------------------------------------

    def start(self, name: str, **env: str) -> None:
        """Start a worker: a planner, an orchestrator, the fleet, or the agent of the node of this name."""
        kind = name.split("-")[0]
        arguments = [kind] if kind in ("planner", "orchestrator", "fleet") else ["agent", name]
        if arguments[0] in ("agent", "fleet"):
            arguments += ["--root", str(self.nodes), "--state", str(self.folder / "state")]
        with self.log(name).open("ab") as log:
            self.workers[name] = subprocess.Popen(
                [sys.executable, "manage.py", *arguments, "--loglevel", "INFO"],
                cwd=ROOT, env={**self.env, **env}, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0,
            )  # fmt: skip

    def start_missing(self) -> None:
        """Start all workers that don't run, and wait until every node has a sign of life."""
        for name in WORKERS:
            if name not in self.workers or self.workers[name].poll() is not None:
                self.start(name)
        try:
            self.wait(lambda: len(self._signs_of_life()) == 5, 120, "signs of life of all nodes")
        except TooLate as late:
            raise TooLate(f"{late}; {self.logs()}") from late

    def restore(self) -> None:
        """All workers run, and no others."""
        for name in set(self.workers) - set(WORKERS):
            self.kill(name)
            del self.workers[name]
        self.start_missing()

    def kill(self, name: str) -> None:
        """KILL a worker with its pool processes, but not what its tasks run: that has groups of its own. It may have ended before."""
        worker = self.workers[name]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    def kill_main(self, name: str) -> None:
        """KILL a worker, but not its pool processes."""
        self.workers[name].kill()
        self.workers[name].wait()

    def kill_child(self, name: str) -> None:
        """KILL a worker's pool processes only."""
        for pid in self.pool(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def pool(self, name: str) -> list[int]:
        """Ids of a worker's pool processes. (Its tasks have sessions of their own, and are not its pool.)"""
        main = self.workers[name].pid
        return [pid for pid in _pids() if _status(pid, "PPid") == main and _group(pid) == main]

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a worker and its pool."""
        os.killpg(self.workers[name].pid, number)

    @contextlib.contextmanager
    def redis_stopped(self) -> Iterator[None]:
        """Redis answers nothing meanwhile, but is not gone."""
        self.redis.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.redis.signal(signal.SIGCONT)

    def log(self, name: str) -> Path:
        """Where a worker writes."""
        return self.folder / f"{name}.log"

    @contextlib.contextmanager
    def commits_held(self) -> Iterator[None]:
        """Whoever writes an event stands there meanwhile, with its transaction's row locked and nothing committed."""
        with self.postgres.connect() as connection:
            for statement in _HOLD_COMMITS:
                connection.execute(statement)
            connection.execute("INSERT INTO chaos_hold VALUES (1)")
            try:
                yield
            finally:
                connection.execute("DELETE FROM chaos_hold")

    # -- what a person does -----------------------------------------------------------------------------------------------

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command; it has to answer within a minute whatever is broken."""
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, check=check, timeout=60)

    def deploy(self, clusters: Iterable[str]) -> list[int]:
        """Ask for a deployment of each, at the same time; the parents' ids."""
        with ThreadPoolExecutor() as threads:
            said = list(threads.map(lambda name: self.manage("deploy", name, "--force", "--reason", "chaos").stdout, clusters))
        return [int(text.rstrip(".\n").rpartition(" ")[2]) for text in said]

    # -- what can be seen -------------------------------------------------------------------------------------------------

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Ask the database, by a connection that is made again after each restart of it."""
        try:
            return self._ask(query, values)
        except psycopg.OperationalError:
            self._database = None
            return self._ask(query, values)

    def journal(self, runs: set[int] | None = None) -> list[journal.Line]:
        """What the tasks wrote, of these runs or of all."""
        lines = journal.read(self.nodes)
        return lines if runs is None else [line for line in lines if line.run in runs]

    def wait(self, what: Callable[[], T], seconds: float, said: str) -> T:
        """The first true answer. A database that is away for a moment has no answer.

        Raises:
            TooLate: there was none in time.
        """
        until = time.monotonic() + seconds
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                if found := what():
                    return found
            if time.monotonic() > until:
                raise TooLate(f"{said}: not within {seconds:g} s")
            time.sleep(0.03)

    def leftovers(self) -> list[int]:
        """All processes of this system, whoever started them: workers, their pools, their tasks."""
        mark = os.fsencode(str(self.folder))
        return [pid for pid in _pids() if mark in _environ(pid)]

    def logs(self) -> str:
        """The ends of what the workers have written."""
        files = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {file.name}\n{file.read_text(errors='replace')[-3000:]}" for file in files)

    def _ask(self, query: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        if self._database is None:
            self._database = self.postgres.connect()
        with self._database.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, values).fetchall()

    # -- inside -----------------------------------------------------------------------------------------------------------

    def _environment(self) -> dict[str, str]:
        patience = {f"FUELWEB_{name.upper()}": str(seconds) for name, seconds in PATIENCE.items()}
        return {
            **os.environ, **self.postgres.env, **patience, "REDIS_URL": self.redis.url, "FUELWEB_HOME": str(self.folder / "home"),
            "FUELWEB_WIRE_SECRET": "the test's secret", "FUELWEB_GONE_AFTER": str(GONE_AFTER), "DJANGO_SETTINGS_MODULE": "fuelweb.settings",
        }  # fmt: skip

    def _describe(self) -> None:
        program = shutil.copy(Path(__file__).parent / "task.sh", self.folder / "task.sh")
        for cluster, uids in CLUSTERS.items():
            file = self.folder / f"{cluster}.yaml"
            described = {"name": cluster, "fleet": "default" if cluster == "fleet" else "none"}
            file.write_text(yaml.safe_dump({**described, "nodes": [{"uid": uid, "tags": ["web"]} for uid in uids]}))
            self.manage("load_cluster", str(file))
            file.write_text(yaml.safe_dump(graph(Path(program))))
            self.manage("graph", "upload", "--cluster", cluster, str(file))
        for uid in (uid for uids in CLUSTERS.values() for uid in uids):
            (self.nodes / uid).mkdir(parents=True)

    def _signs_of_life(self) -> list[str]:
        with redis.Redis.from_url(self.redis.url, socket_timeout=2) as client:
            return [uid for uids in CLUSTERS.values() for uid in uids if client.exists(f"fuelweb:agent:{uid}")]

    def _end_all(self) -> None:
        if self._database is not None:
            self._database.close()
        for worker in self.workers.values():
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGCONT)
        while left := self.leftovers():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for worker in self.workers.values():
                worker.poll()
            time.sleep(0.05)


def graph(program: Path) -> list[dict[str, Any]]:
    """Six tasks on each node, with two barriers over all nodes; `build` is the one that may not be run again by itself."""

    def task(name: str, seconds: float, *, idempotent: bool = True, **more: Any) -> dict[str, Any]:
        parameters = {"cmd": f"exec sh {program} {seconds}", "retries": 0, "timeout": 20}
        return {
            "id": name,
            "type": "shell",
            "version": "2.1.0",
            "tags": ["web"],
            "idempotent": idempotent,
            "parameters": parameters,
            **more,
        }

    return [
        task("prepare", 0.3),
        task("build", 0.5, idempotent=False, requires=["prepare"]),
        task("gather", 0.3, **{"cross-depends": [{"name": "build", "role": ["web"]}]}),
        task("serve", 0.6, requires=["gather"]),
        task("check", 0.3, requires=["serve"], **{"cross-depends": [{"name": "serve", "role": ["web"]}]}),
    ]


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdecimal())


def _environ(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes()
    return b""


def _group(pid: int) -> int:
    with contextlib.suppress(ProcessLookupError):
        return os.getpgid(pid)
    return -1


def _status(pid: int, name: str) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
    return -1
