"""The folder that holds all embedded state, and what the settings need to know of it."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path

_LONGEST_SOCKET_PATH = 100
"""The system takes 107 bytes for the path of a unix socket; some are left for the names that Redis makes of it."""


def prepare(home: Path) -> None:
    """Make the folder, readable by its owner only; where that is impossible, the first who needs it will say so."""
    with contextlib.suppress(OSError):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)


def secret(home: Path, name: str) -> str:
    """The secret kept in the file `name`, made at its first use; whoever comes second reads what the first has written."""
    path = home / name
    with contextlib.suppress(FileNotFoundError):
        return path.read_text(encoding="ascii").strip()
    prepare(home)
    handle, fresh = tempfile.mkstemp(dir=home, prefix=f".{name}-")
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(48))
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(fresh)
    return path.read_text(encoding="ascii").strip()


def redis_socket(home: Path) -> Path:
    """Where the embedded Redis listens: in the folder or, if that path is too long, in a short one that the link `run` remembers."""
    socket = home / "redis.sock"
    if len(os.fsencode(socket)) <= _LONGEST_SOCKET_PATH:
        return socket
    link = home / "run"
    if not link.is_dir():
        prepare(home)
        # A temporary folder may have been cleaned away; another process may be making the link at this moment. Where there can be no
        # link, the first who needs the socket will say so.
        with contextlib.suppress(OSError):
            link.unlink(missing_ok=True)
            link.symlink_to(tempfile.mkdtemp(prefix="fuelweb-"))
    return Path(os.path.realpath(link)) / "redis.sock"


def is_loopback(hosts: Sequence[str]) -> bool:
    """Whether these names (as in ALLOWED_HOSTS) mean this machine only."""
    return set(hosts) <= {"localhost", "127.0.0.1", "[::1]"}
