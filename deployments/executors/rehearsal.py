"""The rehearsal of any task: it takes its time and ends as it was told, and does not touch the node."""

from __future__ import annotations

from deployments.connections.base import Connection
from deployments.executors.base import Outcome
from deployments.wire.messages import Work


def rehearsal(work: Work, node: Connection) -> Outcome:
    """Wait for `rehearsal_seconds`, then fail if `rehearsal_fails`."""
    if work.rehearsal_seconds > 0 and not node.pause(work.rehearsal_seconds):
        return Outcome("error", "The rehearsal was ended: a later attempt was allowed on the node.")
    if work.rehearsal_fails:
        return Outcome("error", "The rehearsal was told to fail here.")
    return Outcome("ready")
