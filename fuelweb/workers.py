"""Which workers answer."""

from __future__ import annotations

from collections.abc import Iterable

from kombu.exceptions import OperationalError

from fuelweb.celery import app


def missing(roles: Iterable[str], timeout: float = 1.0, host: str = "") -> list[str]:
    """The roles (`planner`, `orchestrator`, `fleet`) of which no worker, or none on `host`, answers within `timeout` seconds.

    A worker's name begins with its role and ends with `@` and its host.
    """
    try:
        names = list(app.control.inspect(timeout=timeout).ping() or {})
    except (OperationalError, OSError):
        names = []
    ending = f"@{host}" if host else ""
    return [role for role in roles if not any(name.startswith(role) and name.endswith(ending) for name in names)]
