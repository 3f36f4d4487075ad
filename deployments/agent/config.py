"""What an agent is told by its environment.

| variable | meaning | default |
|---|---|---|
| FUELWEB_REDIS_URL, else REDIS_URL | Redis | none |
| FUELWEB_WIRE_SECRET | the secret that all nodes' keys are derived from | none |
| FUELWEB_NODE_KEY | the one node's key, 64 hexadecimal digits: an agent on another machine holds only its own | none |
| FUELWEB_AGENT_NODE | uid of the node to serve | none |
| FUELWEB_FLEET | name of the fleet whose nodes to serve | none |
| FUELWEB_AGENT_ROOT | folder in which each node has a folder that stands for its `/` | the real `/` |
| FUELWEB_AGENT_STATE | folder in which each node has a folder for what the agent must remember | `agents` in FUELWEB_HOME |
| FUELWEB_HOME | folder of all embedded state | `.fuelweb` |
| FUELWEB_GONE_AFTER | seconds without a sign of life after which the agent counts as gone; it gives one twelve times as often | 60 |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deployments.core.errors import FuelwebError
from deployments.wire.sealing import NodeKeys


class BadEnvironment(FuelwebError):
    """The agent's environment is not complete."""


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """Either `node` (one node) or `fleet` (many) is set."""

    redis_url: str
    keys: NodeKeys
    state: Path
    node: str | None = None
    fleet: str | None = None
    root: Path | None = None
    gone_after: float = 60.0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> AgentConfig:
        """Read the variables above.

        Raises:
            BadEnvironment: one that is needed isn't there, or makes no sense.
        """
        redis_url = environ.get("FUELWEB_REDIS_URL") or environ.get("REDIS_URL")
        if not redis_url:
            raise BadEnvironment("Set FUELWEB_REDIS_URL (or REDIS_URL): the agent has to know where Redis is.")
        node, fleet = environ.get("FUELWEB_AGENT_NODE") or None, environ.get("FUELWEB_FLEET") or None
        if (node is None) == (fleet is None):
            raise BadEnvironment("Set either FUELWEB_AGENT_NODE or FUELWEB_FLEET: an agent serves one node or one fleet.")
        root = environ.get("FUELWEB_AGENT_ROOT")
        state = environ.get("FUELWEB_AGENT_STATE") or Path(environ.get("FUELWEB_HOME") or ".fuelweb") / "agents"
        folder = Path(root).absolute() if root else None
        return cls(
            redis_url, _keys(environ, node), Path(state).absolute(), node, fleet, folder, _seconds(environ, "FUELWEB_GONE_AFTER", 60.0)
        )


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    given = environ.get(name) or default
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds < float("inf"):
        raise BadEnvironment(f"{name} must be a number of seconds greater than 0, not {given!r}.")
    return seconds


def _keys(environ: Mapping[str, str], node: str | None) -> NodeKeys:
    given, secret = environ.get("FUELWEB_NODE_KEY", ""), environ.get("FUELWEB_WIRE_SECRET", "")
    if not given and not secret:
        raise BadEnvironment("Set FUELWEB_WIRE_SECRET, or FUELWEB_NODE_KEY for one node: without a key the agent can open no work.")
    if not given or node is None:
        return NodeKeys(secret)
    try:
        key = bytes.fromhex(given)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise BadEnvironment("FUELWEB_NODE_KEY must be 64 hexadecimal digits.")
    return NodeKeys(given={node: key})
