"""One try at a task run."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

STATUSES = ("dispatched", "started", "ready", "error", "skipped", "lost", "recalled")
UNDONE = ("dispatched", "started")


class Attempt(models.Model):
    """Written before its message is sent, so nothing is ever started that the database doesn't know."""

    run = models.ForeignKey("history.TaskRun", models.CASCADE, related_name="tries")
    attempt = models.PositiveSmallIntegerField(help_text="Counts from 1 within the run.")
    node = models.CharField(max_length=100)
    number = models.BigIntegerField(help_text="The node's dispatch number: grows for ever, never used twice.")
    status = models.CharField(max_length=16, choices=[(word, word) for word in STATUSES], default="dispatched")
    dispatched_at = models.DateTimeField()
    time_start = models.DateTimeField(null=True, blank=True)
    time_end = models.DateTimeField(null=True, blank=True)
    duration = models.FloatField(null=True, blank=True, help_text="Seconds by the agent's own steady clock.")
    reason = models.TextField(blank=True)

    class Meta:
        ordering = ["run", "attempt"]
        constraints = [
            models.UniqueConstraint(fields=["run", "attempt"], name="one_attempt_per_number"),
            models.UniqueConstraint(fields=["node", "number"], name="one_attempt_per_dispatch_number"),
            models.CheckConstraint(condition=Q(status__in=STATUSES), name="attempt_status_known"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.attempt} of run {self.run_id}: {self.status}"
