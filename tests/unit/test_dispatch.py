"""What a message tells those who only watch: the name of the task, its arguments, and nothing of its payload."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery

from deployments.dispatch import Dispatcher, Order
from deployments.management import agent_worker
from deployments.wire.messages import AttemptKey
from deployments.wire.names import EXECUTE_TASK, node_queue

KEY = AttemptKey(transaction=7, run=5, attempt=1, node="3", number=12)


def sent(order: Order) -> dict[str, Any]:
    """The headers of the message."""
    app = Celery(broker="memory://", fixups=[], set_as_current=False)
    Dispatcher(app).send_orders([order])
    with app.connection_for_read() as connection, connection.channel() as channel:
        message = channel.basic_get(node_queue(order.key.node), no_ack=True)
    assert message is not None
    return dict(message.headers)


def test_monitors_see_the_task_and_its_transaction_but_not_the_payload() -> None:
    headers = sent(Order(KEY, b"sealed", "netconfig"))
    assert (headers["task"], headers["shadow"]) == (EXECUTE_TASK, "netconfig/3")
    assert headers["argsrepr"] == "()"
    assert headers["kwargsrepr"] == "{'transaction': 7, 'run': 5, 'attempt': 1, 'node': '3', 'number': 12}"


@pytest.mark.parametrize("events", [True, False])
def test_a_worker_sends_events_only_if_it_is_told_to(monkeypatch: pytest.MonkeyPatch, events: bool) -> None:
    began: list[list[str]] = []
    monkeypatch.setattr(agent_worker.os, "execve", lambda _path, arguments, _environment: began.append(arguments))
    agent_worker.become_agent(["-Q", "fleet.default"], {}, events=events)
    (arguments,) = began
    assert ("--task-events" in arguments, "--without-heartbeat" in arguments) == (events, not events)
