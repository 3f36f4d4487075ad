"""How `agent` and `fleet` become a Celery worker of the agents' own app: the options and the environment they have in common."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from django.conf import settings
from django.core.management.base import CommandParser

_APP = "deployments.agent.app"
_NOT_FOR_AGENTS = {"DATABASE_URL", "DJANGO_SETTINGS_MODULE", "SECRET_KEY"}
"""Agents have no database and no Django; what could lead them there stays behind."""


def add_agent_options(parser: CommandParser) -> None:
    """The options of both commands."""
    parser.add_argument("--root", type=Path, metavar="DIR", help="practise: each node has a folder DIR/<uid> that stands for its /")
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="where the agent keeps what it must remember (default: agents/ in FUELWEB_HOME)"
    )
    parser.add_argument(
        "--events", action="store_true", help="tell monitors of Celery (Flower) of every task run: three messages each, and one every 2 s"
    )
    parser.add_argument("--loglevel", default="WARNING", help="what is logged of Celery's own doings (default: WARNING)")


def agent_environment(*, node: str = "", fleet: str = "", root: Path | None, state: Path | None) -> dict[str, str]:
    """What the agent's app reads, see `deployments.agent.config`; all paths absolute."""
    home = Path(settings.FUELWEB_HOME).absolute()
    chosen = {
        "FUELWEB_REDIS_URL": str(settings.REDIS_URL),
        "FUELWEB_HOME": str(home),
        "FUELWEB_AGENT_STATE": str((state or home / "agents").absolute()),
        "FUELWEB_AGENT_ROOT": str(root.absolute()) if root else "",
        "FUELWEB_AGENT_NODE": node,
        "FUELWEB_FLEET": fleet,
    }
    if not os.environ.get("FUELWEB_NODE_KEY"):
        chosen["FUELWEB_WIRE_SECRET"] = str(settings.FUELWEB_WIRE_SECRET)
    return {**{name: value for name, value in os.environ.items() if name not in _NOT_FOR_AGENTS}, **chosen}


def become_agent(options: Sequence[str], environment: dict[str, str], *, events: bool) -> NoReturn:
    """Replace this process by the worker, so that signals reach it and a supervisor sees its end.

    Without `events` the worker has nothing that sends any, so that no monitor can switch them on from outside.
    """
    celery = [sys.executable, "-m", "celery", "-A", _APP, "--workdir", str(settings.BASE_DIR), "--quiet", "worker"]
    monitored = "--task-events" if events else "--without-heartbeat"
    os.execve(sys.executable, [*celery, "--without-gossip", "--without-mingle", monitored, *options], environment)
