"""Instructions → Celery. Tasks are named by strings, messages carry keyword arguments and ids, and are sent after the commit."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from celery import Celery
from celery.utils import uuid
from kombu import Producer
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from deployments.wire import names
from deployments.wire.messages import AttemptKey

logger = logging.getLogger(__name__)


_HASTY = {"socket_timeout": names.ASKING_SECONDS, "socket_connect_timeout": names.ASKING_SECONDS, "max_retries": 0}


@dataclass(frozen=True, slots=True)
class Order:
    """One permitted attempt, its sealed work, and the name of its task, for whoever watches the workers."""

    key: AttemptKey
    sealed: bytes
    task: str = ""


class NotSent(OSError):
    """Orders could not be sent: Redis does not answer. Their owner sends them again."""


def _log_silence(transaction_id: int, error: Exception) -> None:
    logger.warning("Transaction %s: nobody could be told at once: %s", transaction_id, error)


class Dispatcher:
    """Sends what the owner decided through one Celery app, and hints to those who look by themselves too.

    `on_silence` is told of each hint that Redis did not take in time (`ASKING_SECONDS`): of which transaction, and why.
    """

    def __init__(self, app: Celery, on_silence: Callable[[int, Exception], None] = _log_silence) -> None:
        self._app, self._on_silence = app, on_silence

    def send_orders(self, orders: Sequence[Order]) -> None:
        """A chord per attempt: its header runs on the node's queue, its body wakes the orchestrators.

        One chord per task run: a chord of many headers waits for its slowest node.

        Raises:
            NotSent: some, or all.
        """
        try:
            with self._app.producer_pool.acquire(block=True) as producer:
                for order in orders:
                    self._send_chord(order, producer)
        except OperationalError as error:
            raise NotSent(str(error)) from error

    def _send_chord(self, order: Order, producer: Producer) -> None:
        """The message that `chord([header], body).apply_async()` sends, without freezing both anew for each run (half the time)."""
        key = order.key
        body = self._app.signature(
            names.RELEASE_DEPENDENTS, kwargs={"transaction": key.transaction}, queue=names.ORCHESTRATOR_QUEUE, immutable=True
        )
        told = {"transaction": key.transaction, "run": key.run, "attempt": key.attempt, "node": key.node, "number": key.number}
        # What monitors of Celery show: `netconfig/3` and its arguments, without the payload.
        shown = {"shadow": f"{order.task}/{key.node}" if order.task else None, "argsrepr": "()", "kwargsrepr": repr(told)}
        self._app.send_task(
            names.EXECUTE_TASK, kwargs={**told, "payload": base64.b64encode(order.sealed).decode()}, queue=names.node_queue(key.node),
            chord=body, group_id=uuid(), producer=producer, **shown,
        )  # fmt: skip

    def ask_for_plan(self, parent_id: int) -> None:
        """Have a planner plan the request's next child. If the broker is away the orchestrators ask again later."""
        self._hint(names.PLAN_TRANSACTION, parent_id, names.PLANNER_QUEUE)

    def wake_orchestrator(self, parent_id: int) -> None:
        """Tell the orchestrators that there is something to do. If the broker is away they will see it by themselves."""
        self._hint(names.RELEASE_DEPENDENTS, parent_id, names.ORCHESTRATOR_QUEUE)

    def _hint(self, task: str, parent_id: int, queue: str) -> None:
        """What it is about is committed, so a hint that can't be sent must not look like a request that failed."""
        try:
            with self._app.connection_for_write(transport_options=_HASTY) as connection:
                self._app.send_task(
                    task, kwargs={"transaction": parent_id}, queue=queue, ignore_result=True, connection=connection, retry=False
                )
        except (OperationalError, RedisError, OSError) as error:
            self._on_silence(parent_id, error)

    def waiting(self, node: str) -> int:
        """How many messages lie in the node's queue."""
        with self._app.connection_for_write() as connection, connection.channel() as channel:
            return int(channel.queue_declare(names.node_queue(node)).message_count)
