"""What is remembered, one noun a file."""

from history.models.attempt import Attempt
from history.models.event import Event
from history.models.snapshot import Snapshot, SnapshotDamaged
from history.models.task_run import TaskRun
from history.models.transaction import Transaction

__all__ = ["Attempt", "Event", "Snapshot", "SnapshotDamaged", "TaskRun", "Transaction"]
