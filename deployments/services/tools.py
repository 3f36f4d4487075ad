"""What a service is given to work with; nothing is fetched from the surroundings."""

from __future__ import annotations

from dataclasses import dataclass, field

from deployments.dispatch import Dispatcher
from deployments.services.clock import Clock, SystemClock
from deployments.wire.broker import Broker
from deployments.wire.sealing import NodeKeys


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for what, in seconds."""

    ownership: float = 10.0
    """An orchestrator or planner that is silent for so long has lost its transaction."""
    lease: float = 30.0
    """An attempt that is silent for so long has no lease any more; without one for as long again it is lost."""
    first_heartbeat: float = 15.0
    """A node counts as offline at the start only if its agent is still silent so long after the plan was recorded."""
    resend: float = 10.0
    """An attempt unclaimed for so long is sent again, if its message is gone."""
    claim: float = 600.0
    """An attempt unclaimed for so long is recalled, and its node fails as offline."""
    deadline_grace: float = 120.0
    """Added to a task's own time limit before the owner gives its attempt up."""
    look: float = 1.0
    """Owners look by themselves so often, so a lost message costs a second and not a run."""
    planning: float = 10.0
    """A request that no planner has taken for so long is sent again."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Broker, keys, sender and clock of one process, and its name."""

    broker: Broker
    keys: NodeKeys
    dispatcher: Dispatcher
    owner: str
    clock: Clock = field(default_factory=SystemClock)
    patience: Patience = field(default_factory=Patience)
