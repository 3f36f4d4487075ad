"""Chords of one header: how a task run is sent.

With one header there is nothing to count and nothing to collect: when the header has ended the chord has. Celery's own Redis backend
would store the result, count it, look for a group, join it and claim the publishing: eight round trips, more than half of an agent's time.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from celery import states
from celery.backends.base import DisabledBackend
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


class ChordOfOne(DisabledBackend):  # type: ignore[misc]
    """Keeps no results. Sends a chord's body when its header has ended, unless the header returned `wake: false`.

    The body is a wake-up: after one was sent, another before the owner has looked would find nothing to do.
    """

    def ensure_chords_allowed(self) -> None:
        """They are."""

    def apply_chord(self, header_result_args: Any, body: Any, **_kwargs: Any) -> None:
        """The publisher's side: nothing is to be prepared, since nothing will be counted."""
        if len(header_result_args[1]) != 1:
            raise ValueError("A chord here has one header: nobody counts them.")

    def mark_as_done(self, task_id: str, result: Any, request: Any = None, store_result: bool = True, state: str = states.SUCCESS) -> None:
        if request is not None and request.chord:
            self.on_chord_part_return(request, state, result)

    def on_chord_part_return(self, request: Any, state: Any, result: Any, **_kwargs: Any) -> None:
        """A body lost with a broken connection costs its owner a second, so it must not fail the header."""
        if isinstance(result, Mapping) and not result.get("wake", True):
            return
        body = request.chord
        try:
            self.app.send_task(
                body["task"],
                kwargs=body["kwargs"],
                queue=body["options"]["queue"],
                task_id=body["options"].get("task_id"),
                ignore_result=True,
            )
        except (OperationalError, RedisError, OSError) as error:
            logger.warning("The end of %s could not be told at once: %s", request.id, error)
