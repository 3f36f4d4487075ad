"""Which processes make up a whole system, and in which order they end."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fuelweb import embedded
from fuelweb.supervisor import Child

DECIDE, EXECUTE, SHOW, REMEMBER = range(4)
"""Stages of ending: first those who start work (an orchestrator waits for what runs), then who does it, the pages, the services."""

WORKERS = ("planner", "orchestrator", "fleet")


def redis_child(socket: Path, home: Path) -> Child:
    """The private Redis."""
    return Child("redis", embedded.redis_command(socket, home / "redis"), REMEMBER)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done at once; None = as the commands have it."""

    places: int | None = None
    """Tasks of the fleet."""
    processes: int | None = None
    """Plans."""


def children(base: Path, home: Path, port: int, env: Mapping[str, str], *, events: bool = False, sizes: Sizes | None = None) -> list[Child]:
    """Web, planner, orchestrator and fleet; with `events` the fleet tells monitors of Celery what it does."""
    sizes = sizes or Sizes()
    places = [] if sizes.places is None else ["--places", str(sizes.places)]
    processes = [] if sizes.processes is None else ["--processes", str(sizes.processes)]
    manage = [sys.executable, str(base / "manage.py")]
    # Its socket for control would collide between two systems side by side.
    web = [sys.executable, "-m", "gunicorn", "fuelweb.wsgi", "--chdir", str(base), "--no-control-socket"]
    web += ["--bind", f"127.0.0.1:{port}", "--threads", "8"]
    return [
        Child("planner", [*manage, "planner", *processes], DECIDE, env),
        Child("orchestrator", [*manage, "orchestrator"], DECIDE, env),
        Child("fleet", [*manage, "fleet", "--root", str(home / "nodes"), *places, *(["--events"] if events else [])], EXECUTE, env),
        Child("web", web, SHOW, env),
    ]


def flower_child(base: Path, port: int, env: Mapping[str, str]) -> tuple[Child, str]:
    """Flower on this machine only, and the password of its user `admin`, made for this start."""
    password = secrets.token_urlsafe(12)
    argv = [
        sys.executable,
        "-m",
        "celery",
        "--workdir",
        str(base),
        "-A",
        "fuelweb.celery",
        "flower",
        "--address=127.0.0.1",
        f"--port={port}",
    ]
    # By the environment: command lines can be read by everybody on the machine.
    return Child("flower", argv, SHOW, {**env, "FLOWER_BASIC_AUTH": f"admin:{password}"}), password
