"""A whole system for benchmarks: private Redis, PostgreSQL (or SQLite), planner, orchestrator and fleet as real processes."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from fuelweb import embedded, home, system
from fuelweb.supervisor import Supervisor

POSTGRES = os.environ.get("BENCH_POSTGRES", "postgres://postgres@127.0.0.1:5432/postgres")
BENCH_DATABASE = f"fuelweb_bench_{os.getpid()}"
"""One per run: a system left by an earlier one must not find this one's work."""


def prepare_environment() -> str:
    """Before Django is set up: a private folder and database for this run; the database's kind.

    Whatever DATABASE_URL names is left alone: it may be one that is worked with.
    """
    os.environ["FUELWEB_HOME"] = tempfile.mkdtemp(prefix="fuelweb-bench-")
    os.environ.pop("REDIS_URL", None)
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    os.environ["DJANGO_SETTINGS_MODULE"] = "fuelweb.settings"
    os.environ.pop("DATABASE_URL", None)
    try:
        with psycopg.connect(POSTGRES, autocommit=True, connect_timeout=3) as server:
            server.execute(f"CREATE DATABASE {BENCH_DATABASE}")
    except psycopg.OperationalError:
        return "sqlite"
    os.environ["DATABASE_URL"] = POSTGRES.rpartition("/")[0] + f"/{BENCH_DATABASE}"
    return "postgresql"


def clean_up() -> None:
    """Remove what `prepare_environment` has made."""
    connections.close_all()
    if os.environ.get("DATABASE_URL", "").endswith(f"/{BENCH_DATABASE}"):
        with psycopg.connect(POSTGRES, autocommit=True) as server:
            server.execute(f"DROP DATABASE {BENCH_DATABASE} WITH (FORCE)")
    shutil.rmtree(os.environ["FUELWEB_HOME"], ignore_errors=True)


@dataclass
class Stage:
    """A running system; `supervisor` keeps its processes."""

    supervisor: Supervisor
    home: Path


@contextmanager
def stage(*, workers: bool = True) -> Iterator[Stage]:
    """Redis, and the workers if wished, up and answering; ended afterwards."""
    folder = Path(settings.FUELWEB_HOME)
    supervisor = Supervisor(folder / "logs", print, folder / "processes")
    env = {"FUELWEB_HOME": str(folder), "LOG_LEVEL": "WARNING"}
    try:
        supervisor.start(system.redis_child(home.redis_socket(folder), folder))
        wait_for(lambda: embedded.answers(settings.REDIS_URL))
        call_command("migrate", verbosity=0, interactive=False)
        if workers:
            for child in system.children(settings.BASE_DIR, folder, 0, env):
                if child.name in system.WORKERS:
                    supervisor.start(child)
        yield Stage(supervisor, folder)
    finally:
        supervisor.kill()


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Until it is so.

    Raises:
        TimeoutError: it was not so in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("what the benchmark waits for did not happen")
        time.sleep(0.05)
