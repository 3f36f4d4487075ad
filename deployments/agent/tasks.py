"""The agent's one Celery task."""

from __future__ import annotations

import base64
import logging
import os
import threading
from typing import Any

from celery.exceptions import Ignore

from deployments.agent.app import app
from deployments.agent.attempt import Agent, Refused
from deployments.agent.config import AgentConfig
from deployments.wire.messages import AttemptKey
from deployments.wire.names import EXECUTE_TASK
from deployments.wire.redis_broker import RedisBroker

logger = logging.getLogger(__name__)

_made: list[Agent] = []
_making = threading.Lock()


def _agent() -> Agent:
    """This process' agent; made at its first attempt, so in the process that runs attempts (a prefork worker's child)."""
    with _making:
        if not _made:
            config = AgentConfig.from_environment(os.environ)
            _made.append(Agent(config, RedisBroker(config.redis_url)))
        return _made[0]


@app.task(name=EXECUTE_TASK, typing=False)  # type: ignore[untyped-decorator]
def execute_task(*, transaction: int, run: int, attempt: int, node: str, number: int, payload: str, **_unknown: Any) -> dict[str, Any]:
    """Carry out one attempt. `payload` is the sealed work in base64.

    Every end is a returned value `{run, attempt, state, wake}`; `wake` tells whether the chord's body is needed (see `chords`).
    A refused message leaves no result and no part of a chord.
    """
    try:
        key, sealed = _read(transaction, run, attempt, node, number, payload)
        outcome, wake = _agent().attempt(key, sealed)
    except Refused as refusal:
        logger.warning("Run %s, attempt %s, node %s: refused: %s", run, attempt, node, refusal)
        raise Ignore from refusal
    return {"run": run, "attempt": attempt, "state": outcome.state, "wake": wake}


def _read(transaction: Any, run: Any, attempt: Any, node: Any, number: Any, payload: Any) -> tuple[AttemptKey, bytes]:
    """Anybody who can write to Redis can send anything."""
    try:
        key = AttemptKey(int(transaction), int(run), int(attempt), str(node), int(number))
        return key, base64.b64decode(payload, validate=True)
    except (TypeError, ValueError) as error:
        raise Refused(f"The message is damaged: {error}") from error
