"""What each process asks of its database sessions: nobody waits for somebody else's trouble for long, and nobody's trouble lasts.

All of it follows from the ownership period. A statement that waits too long fails and is tried again in the next round.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROLE = "FUELWEB_ROLE"
"""Environment: what the process is, where its command line does not say it (a Celery worker)."""
UNHURRIED = frozenset({"migrate", "makemigrations", "prepare", "server", "seed_history", "shell", "dbshell", "test"})
"""Commands that may wait for a lock, and hold one, for as long as it takes."""
OWNERS = ("orchestrator", "planner")
LONGEST_STATEMENT = 30.0
"""Seconds for one statement of an orchestrator or of the web. (A big history is read in portions.)"""
SQLITE_WAIT = 20.0


def role(argv: Sequence[str]) -> str:
    """What this process is: `orchestrator`, `planner`, `web`, or the name of a command of manage.py."""
    if given := os.environ.get(ROLE):
        return given
    return argv[1] if len(argv) > 1 and Path(argv[0]).name == "manage.py" else "web"


def sqlite_options(role: str, ownership: float) -> dict[str, Any]:
    """Several processes write: each takes the lock when its transaction begins, and waits for it instead of failing.

    Owners give up while what they own is still theirs.
    """
    wait = min(SQLITE_WAIT, ownership / 2) if role in OWNERS else SQLITE_WAIT
    return {"transaction_mode": "IMMEDIATE", "timeout": wait, "init_command": "PRAGMA journal_mode=WAL;"}


def postgres_options(role: str, ownership: float, given: Mapping[str, Any], *, timeouts: bool) -> dict[str, Any]:
    """Options of a connection.

    Args:
        ownership: seconds after which a silent owner has lost its transaction.
        given: options that stand in DATABASE_URL; they are stronger.
        timeouts: whether the session may be given timeouts when it is opened (a pooler may refuse that).
    """
    dead_after = math.ceil(ownership)
    options: dict[str, Any] = {
        "application_name": f"fuelweb {role}",
        "connect_timeout": max(2, dead_after // 2),
        "keepalives_idle": max(1, dead_after // 2), "keepalives_interval": max(1, dead_after // 5), "keepalives_count": 3,
        "tcp_user_timeout": dead_after * 1000,
        **given,
    }  # fmt: skip
    if timeouts and role not in UNHURRIED:
        settings = " ".join(f"-c {name}={milliseconds}" for name, milliseconds in _timeouts(role, ownership).items())
        options["options"] = f"{settings} {given.get('options', '')}".strip()
    return options


def _timeouts(role: str, ownership: float) -> dict[str, int]:
    """PostgreSQL's settings in milliseconds."""
    timeouts = {
        # An orchestrator has others to step through meanwhile.
        "lock_timeout": ownership / (20 if role == "orchestrator" else 2),
        # A commit whose process is frozen or cut off is undone by the server, and its rows are free.
        "idle_in_transaction_session_timeout": ownership,
        "tcp_user_timeout": ownership,
    }
    if role in ("orchestrator", "web"):
        timeouts["statement_timeout"] = max(LONGEST_STATEMENT, 3 * ownership)
    return {name: max(50, round(seconds * 1000)) for name, seconds in timeouts.items()}
