"""What people should know and nobody waits for, written down in passing."""

from __future__ import annotations

from datetime import datetime

from deployments.models import Node, Notification
from history.models import Transaction

_TOPICS = {"ready": "done", "stopped": "done", "error": "error"}


def ended(parent: Transaction, status: str, reason: str, at: datetime) -> None:
    """A request is over."""
    how = {"ready": "is done", "stopped": "was stopped"}.get(status, "failed")
    message = f"{parent.name} of environment '{parent.cluster_name}' {how}" + (f": {reason}" if reason else ".")
    Notification.objects.create(
        topic=_TOPICS[status], message=message, cluster_id=parent.cluster_id, transaction_id=parent.id, created_at=at
    )


def discovered(node: Node, at: datetime) -> None:
    """A machine has announced itself for the first time."""
    Notification.objects.create(topic="discover", message=f"New node is discovered: {node.name or node.mac}", node=node.uid, created_at=at)
