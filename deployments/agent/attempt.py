"""One attempt, from the message to the report."""

from __future__ import annotations

import logging
import os
import time
from functools import partial

from redis.exceptions import RedisError

from deployments.agent.config import AgentConfig
from deployments.agent.fence import GRACE_SECONDS, Fence, make_room
from deployments.agent.leases import Leases
from deployments.agent.memory import MemoryDamaged, NodeMemory, Occupied, TooLate
from deployments.agent.room import NoRoom, Room
from deployments.agent.steady import steady
from deployments.connections.base import NodeProblem, Tried
from deployments.connections.local import Local
from deployments.core.errors import FuelwebError
from deployments.executors.base import Outcome
from deployments.executors.registry import execute, touches_node
from deployments.wire.broker import Broker, Claim
from deployments.wire.messages import AttemptKey, Report, Work
from deployments.wire.parsing import Unreadable

logger = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_WORTH_TELLING = 1.0
"""Seconds of a pause between two tries below which nobody looks on."""


class Refused(FuelwebError):
    """The attempt may not be started."""


class Agent:
    """Carries out attempts. One per process; safe to use from many threads."""

    def __init__(self, config: AgentConfig, broker: Broker) -> None:
        self._config, self._broker = config, broker
        self._leases = Leases(broker)
        self._room = Room(config.state, config.root)

    def attempt(self, key: AttemptKey, payload: bytes) -> tuple[Outcome, bool]:
        """Claim the attempt, carry it out and report its outcome; also whether the owner is to be woken.

        Raises:
            Refused: nothing was started: the payload isn't sealed for this attempt, it (or a later one) was started before, a disk has no
                room (the owner sends it again once there is), or the broker doesn't grant it.
        """
        try:
            work = self._config.keys.open_work(key, payload)
        except Unreadable as error:
            raise Refused(str(error), node=key.node) from error
        memory = NodeMemory(self._config.state, key.node)
        try:
            memory.check(key.number)
        except (TooLate, MemoryDamaged, OSError) as error:
            raise Refused(str(error), node=key.node) from error
        self._make_room(key, work, memory)
        asked = steady()
        claim = self._claim(key, work.lease_seconds)
        if not claim.granted:
            raise Refused(f"The attempt was not granted: {claim.refusal}.", node=key.node)
        return self._granted(key, work, memory, asked)

    def _make_room(self, key: AttemptKey, work: Work, memory: NodeMemory) -> None:
        """Before the claim: what was claimed and can't be noted then would be an error, or lost."""
        try:
            self._room.check()
            memory.make_room()
            if touches_node(work):
                make_room(memory)
        except NoRoom as none:
            raise Refused(f"The attempt has to wait: {none}.", node=key.node) from none
        except (OSError, Occupied) as problem:
            # No matter of room: the attempt itself meets it again, and tells.
            logger.warning("Node %s: the agent can't prepare its notes: %s", key.node, problem)

    def tell(self, key: AttemptKey, tried: Tried) -> None:
        """Tell the owner of a try that failed, for those who look on."""
        summary = {"try": tried.number, "tries": tried.of, "pause": tried.pause}
        body = self._config.keys.seal_report(Report(key, "trying", "error", tried.reason, summary))
        try:
            self._broker.tell(key, body)
        except (RedisError, OSError) as error:
            logger.info("Try %s of dispatch %s on node %s can't be told: %s", tried.number, key.number, key.node, error)

    def is_stopped(self, key: AttemptKey) -> bool:
        """Whether the attempt's transaction is being stopped, as far as the broker knows."""
        try:
            return self._broker.stopping(key.transaction)
        except (RedisError, OSError):
            return False

    def _granted(self, key: AttemptKey, work: Work, memory: NodeMemory, asked: float) -> tuple[Outcome, bool]:
        begun = time.monotonic()
        problem = _begin(key, work, memory)
        if problem is not None:
            return problem, self._report(key, problem, 0.0, memory)
        fence = Fence(memory, key.number, partial(self._leases.stands, key))
        node = Local(key.node, root=self._config.root, watch=fence, grace=GRACE_SECONDS, told=_told(key, work), tries=_Tries(self, key))
        self._leases.hold(key, work.lease_seconds, node.halt, asked)
        try:
            outcome = _carry_out(key, work, fence, node)
            return outcome, self._report(key, outcome, time.monotonic() - begun, memory)
        finally:
            self._leases.drop(key)

    def _claim(self, key: AttemptKey, lease_seconds: float) -> Claim:
        """The same token asks again after a lost answer; not for longer than the lease it may have got."""
        token = os.urandom(16).hex()
        started = self._config.keys.seal_report(Report(key, "started", "started"))
        until, pause = steady() + lease_seconds / 2, _FIRST_PAUSE
        while True:
            try:
                return self._broker.claim(key, token, lease_seconds, started)
            except (RedisError, OSError) as error:
                if steady() + pause > until:
                    raise Refused(f"Redis did not answer the claim: {error}", node=key.node) from error
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _report(self, key: AttemptKey, outcome: Outcome, duration: float, memory: NodeMemory) -> bool:
        """Until it goes through: the outcome must not be lost. True if the owner is to be woken."""
        body, pause = self._sealed(key, outcome, duration), _FIRST_PAUSE
        kept = False
        while True:
            kept = kept or _keep(key, body, memory)
            try:
                return self._broker.report(key, body).wake
            except (RedisError, OSError) as error:
                logger.warning("The outcome of dispatch %s on node %s can't be reported yet: %s", key.number, key.node, error)
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _sealed(self, key: AttemptKey, outcome: Outcome, duration: float) -> bytes:
        try:
            return self._config.keys.seal_report(Report(key, "outcome", outcome.state, outcome.reason, outcome.summary, duration))
        except (TypeError, ValueError) as bug:
            reason = f"It ended {outcome.state}, but its executor's summary can't be sent: {bug}"
            return self._config.keys.seal_report(Report(key, "outcome", "error", reason, {}, duration))


class _Tries:
    """See `Tries`: told to the owner, asked of the broker. Whoever does not answer holds up nothing."""

    def __init__(self, agent: Agent, key: AttemptKey) -> None:
        self._agent, self._key = agent, key

    def failed(self, tried: Tried) -> None:
        if tried.pause >= _WORTH_TELLING:
            self._agent.tell(self._key, tried)

    def stopped(self) -> bool:
        return self._agent.is_stopped(self._key)


def _keep(key: AttemptKey, body: bytes, memory: NodeMemory) -> bool:
    """Keep the outcome, so that it outlives the agent. False if that is to be tried again, as long as it can't be reported either."""
    try:
        memory.keep_outcome(key.number, body)
    except (OSError, Occupied, MemoryDamaged) as error:
        logger.warning("The outcome of dispatch %s on node %s could not be kept: %s", key.number, key.node, error)
        return not isinstance(error, OSError)
    return True


def _told(key: AttemptKey, work: Work) -> dict[str, str]:
    """What commands find in their environment: which attempt they are, so that they can write it into journals of their own."""
    return {
        "FUELWEB_TRANSACTION": str(key.transaction), "FUELWEB_TASK": work.task,
        "FUELWEB_RUN": str(key.run), "FUELWEB_ATTEMPT": str(key.attempt),
    }  # fmt: skip


def _begin(key: AttemptKey, work: Work, memory: NodeMemory) -> Outcome | None:
    """The last word on whether this attempt is the one that starts; None if it is, else what came of it.

    Raises:
        Refused: another has started it, or a later one. That one reports; a word from here would speak of the other's work.
    """
    try:
        memory.start(key.number, durable=touches_node(work))
    except TooLate as late:
        raise Refused(str(late), node=key.node) from late
    except (OSError, NodeProblem, MemoryDamaged) as problem:
        return Outcome("error", f"The attempt was not started, because the agent could not note it: {problem}")
    return None


def _carry_out(key: AttemptKey, work: Work, fence: Fence, node: Local) -> Outcome:
    try:
        if touches_node(work):
            fence.clear()
        return execute(work, node)
    except NodeProblem as problem:
        return Outcome("error", str(problem))
    except Exception as bug:
        logger.exception("Dispatch %s on node %s failed in the agent.", key.number, key.node)
        return Outcome("error", f"The agent failed: {type(bug).__name__}: {bug}")
