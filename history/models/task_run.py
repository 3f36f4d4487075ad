"""One task on one node in one transaction: a row of deployment history."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

STATUSES = ("pending", "running", "ready", "error", "skipped")


class TaskRun(models.Model):
    """Written `pending` before anything runs; ends `ready`, `error` or `skipped`, or stays `pending` if it was never started."""

    transaction = models.ForeignKey("history.Transaction", models.CASCADE, related_name="task_runs")
    position = models.PositiveIntegerField(help_text="Index in the plan.")
    node = models.CharField(max_length=100, help_text="The node's uid; `null` is the sync node.")
    task_name = models.CharField(max_length=255)
    type = models.CharField(max_length=64)
    inputs = models.CharField(max_length=64, blank=True, help_text="SHA-256 of all that decides what it does; empty if it does nothing.")
    status = models.CharField(max_length=16, choices=[(word, word) for word in STATUSES], default="pending")
    dispatched_at = models.DateTimeField(null=True, blank=True)
    time_start = models.DateTimeField(null=True, blank=True)
    time_end = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    reason = models.TextField(blank=True, help_text="Why it ended as it did, or why it can't start.")
    blocked_by = models.PositiveIntegerField(null=True, blank=True, help_text="Plan index of the failed run that blocks this one.")
    summary = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["transaction", "position"]
        constraints = [
            models.UniqueConstraint(fields=["transaction", "node", "task_name"], name="one_run_per_task_and_node"),
            models.CheckConstraint(condition=Q(status__in=STATUSES), name="task_run_status_known"),
        ]
        indexes = [
            models.Index(fields=["transaction", "position"], name="run_in_order"),
            models.Index(fields=["transaction", "status"], name="run_by_status"),
            models.Index(fields=["transaction", "node", "status"], name="run_by_node_and_status"),
            models.Index(fields=["node", "task_name", "-transaction"], name="run_last_ready", condition=Q(status="ready")),
            models.Index(fields=["node", "task_name", "-transaction"], name="run_last_try", condition=Q(inputs__gt="")),
            models.Index(fields=["node", "-time_start", "-id"], name="run_last_on_node", condition=Q(time_start__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.task_name}/{self.node}: {self.status}"
