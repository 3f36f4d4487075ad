"""The append-only log: every change of state, with who and why."""

from __future__ import annotations

from django.db import models


class Event(models.Model):
    """One change of state. Each event's digest covers the one before, so a changed or missing event breaks the chain."""

    transaction = models.ForeignKey("history.Transaction", models.CASCADE, related_name="events", help_text="The parent.")
    seq = models.PositiveIntegerField()
    at = models.DateTimeField()
    actor = models.CharField(max_length=255)
    subject = models.CharField(max_length=16, help_text="transaction, run, attempt, node or cluster")
    about = models.BigIntegerField(null=True, blank=True, help_text="Which transaction moved: the parent or one of its children.")
    run = models.BigIntegerField(null=True, blank=True, help_text="Id of the task run.")
    attempt = models.PositiveSmallIntegerField(null=True, blank=True)
    node = models.CharField(max_length=100, blank=True)
    old = models.CharField(max_length=32, blank=True)
    new = models.CharField(max_length=32)
    reason = models.TextField(blank=True)
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["transaction", "seq"]
        constraints = [models.UniqueConstraint(fields=["transaction", "seq"], name="one_event_per_sequence_number")]

    def __str__(self) -> str:
        return f"{self.subject} {self.old} → {self.new}"
