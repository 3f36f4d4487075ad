"""Requests and the runs they caused."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

UNFINISHED = ("pending", "running")


class Transaction(models.Model):
    """A parent row is what a person or script asked for; its children are the runs of one graph each.

    Owner, stop and event log belong to the parent and cover its children; plan, snapshots and task runs belong to the child.
    """

    STATUSES = [(word, word) for word in ("pending", "running", "ready", "error", "stopped")]

    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="children")
    position = models.PositiveIntegerField(default=0, help_text="Order among the parent's children.")
    target = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="requests", help_text="What a stop or a decision is about."
    )
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    cluster_id = models.BigIntegerField(null=True, blank=True)
    cluster_name = models.CharField(max_length=255, blank=True)
    name = models.CharField(max_length=64, help_text="Fuel's name of the request: deploy, deployment, stop_deployment …")
    graph_type = models.CharField(max_length=255, blank=True)
    status = models.CharField(max_length=16, choices=STATUSES, default="pending")
    dry_run = models.BooleanField(default=False)
    noop = models.BooleanField(default=False)
    rehearsal = models.JSONField(null=True, blank=True, help_text="{speed, durations, fail} of a rehearsal; null for a real run.")
    arguments = models.JSONField(default=dict, blank=True, help_text="What the request said beyond its name.")
    progress = models.PositiveSmallIntegerField(default=0)
    message = models.TextField(blank=True)
    result = models.JSONField(default=dict, blank=True)
    actor = models.CharField(max_length=255, help_text="Who asked for it.")
    reason = models.TextField(blank=True, help_text="Why, in the words of who asked.")
    created_at = models.DateTimeField()
    time_start = models.DateTimeField(null=True, blank=True)
    time_end = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    recorded_at = models.DateTimeField(null=True, blank=True, help_text="When plan and task runs were completely written.")
    plan_sent_at = models.DateTimeField(null=True, blank=True)
    plan_tries = models.PositiveSmallIntegerField(default=0)
    owner = models.CharField(max_length=255, blank=True)
    owner_epoch = models.PositiveIntegerField(default=0, help_text="Grows with every change of owner; commits name theirs.")
    owner_until = models.DateTimeField(null=True, blank=True)
    event_seq = models.PositiveIntegerField(default=0, help_text="Sequence number of the newest event.")
    event_digest = models.CharField(max_length=64, blank=True, help_text="Digest of the newest event: the end of the chain.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["cluster_id"],
                condition=Q(parent=None, name="deploy", status__in=UNFINISHED),
                name="one_unfinished_deploy_per_cluster",
            ),
            models.UniqueConstraint(
                fields=["target"],
                condition=Q(name="stop_deployment", status__in=UNFINISHED),
                name="one_open_stop_per_deploy",
            ),
            models.UniqueConstraint(fields=["parent", "position"], name="one_child_per_position"),
            models.CheckConstraint(
                condition=Q(status__in=["pending", "running", "ready", "error", "stopped"]), name="transaction_status_known"
            ),
        ]
        indexes = [
            models.Index(fields=["cluster_id", "-id"], name="transaction_of_cluster"),
            models.Index(fields=["status", "-id"], name="transaction_by_status"),
            models.Index(fields=["name", "-id"], name="transaction_by_name"),
            models.Index(fields=["graph_type", "-id"], name="transaction_by_graph_type"),
            models.Index(fields=["status", "owner_until"], name="transaction_unowned", condition=Q(status__in=UNFINISHED)),
        ]

    def __str__(self) -> str:
        about = f" {self.graph_type}" if self.graph_type else ""
        return f"{self.id}: {self.name}{about} of {self.cluster_name} ({self.status})"

    @property
    def own_message(self) -> str:
        """The message without the warning that the request began with."""
        return self.message.removesuffix(self.arguments.get("warning", "")).strip()
