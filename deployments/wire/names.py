"""Names that both sides must agree on: Celery tasks, queues, and the settings common to both Celery apps."""

from __future__ import annotations

from typing import Any

EXECUTE_TASK = "deployments.execute_task"
RELEASE_DEPENDENTS = "deployments.release_dependents"
PLAN_TRANSACTION = "deployments.plan_transaction"

ORCHESTRATOR_QUEUE = "orchestrator"
PLANNER_QUEUE = "planner"
DEFAULT_QUEUE = "default"

DEFAULT_FLEET = "default"
"""Name of the fleet that serves every cluster that names no other."""

CHORD_BACKEND = "deployments.agent.chords:ChordOfOne"
"""The result backend of all apps, on both sides of a chord: nothing is stored or counted."""

KEY_PREFIX = "fuelweb:"


def node_queue(uid: str) -> str:
    """The queue of one node; its concurrency is one, because at most one undone dispatch per node exists."""
    return f"node.{uid}"


def fleet_queue(fleet: str) -> str:
    """A fleet worker's own queue: nothing is sent there, but a worker must consume from one before it knows its nodes."""
    return f"fleet.{fleet}"


def celery_url(redis_url: str) -> str:
    """The same Redis as Celery writes it: a unix socket is `redis+socket://` there and `unix://` for redis-py."""
    return redis_url.replace("unix://", "redis+socket://", 1) if redis_url.startswith("unix://") else redis_url


_DAYS = 86_400

REDIS_SECONDS = 10.0
"""How long one step of Redis is waited for before its connection counts as gone; by whoever works and can wait."""
ASKING_SECONDS = 2.0
"""The same for whoever asks for something: a person waits for the answer, and what was asked for is recorded already."""

COMMON_CELERY_SETTINGS: dict[str, Any] = {
    # JSON only: a message is never code.
    "task_serializer": "json",
    "result_serializer": "json",
    "accept_content": ["json"],
    # Messages are hints that whoever needs them sends again, so none is kept aside to be delivered twice: early acknowledgement would
    # take it away a moment later anyway, at the price of two round trips. The visibility timeout is for apps that switch it on again.
    "broker_transport_options": {
        "ack_emulation": False,
        "visibility_timeout": 7 * _DAYS,
        "priority_steps": [0],
        "global_keyprefix": KEY_PREFIX,
        # Without these whoever sends waits for ever for a Redis that is frozen, or gone without a word. Consumers wait for messages in
        # their event loop, which no socket's timeout reaches: there the health check drops a connection that owes an answer for so long.
        "socket_timeout": REDIS_SECONDS,
        "socket_connect_timeout": REDIS_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": int(REDIS_SECONDS),
    },
    # Once more on a new connection: Redis may have been restarted since the last message. Whoever needs it sent sends it again.
    "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0},
    "result_backend": CHORD_BACKEND,
    # For apps that choose Redis as their result backend.
    "result_backend_transport_options": {"global_keyprefix": KEY_PREFIX},
    # Without this a waiting message is redelivered, and runs again, after the visibility timeout.
    "worker_disable_prefetch": True,
    "worker_prefetch_multiplier": 1,
    # A late-acknowledged long task would run twice at once; leases and attempts cover a lost worker.
    "task_acks_late": False,
    # Without this a Redis restart loses a chord.
    "result_backend_always_retry": True,
    "broker_connection_max_retries": None,
    "broker_connection_retry_on_startup": True,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_hijack_root_logger": False,
    "worker_send_task_events": False,
    "task_send_sent_event": False,
    "task_create_missing_queues": True,
    "task_default_queue": DEFAULT_QUEUE,
    "result_expires": 3600,
    "task_store_eager_result": False,
    "enable_utc": True,
    "timezone": "UTC",
}
