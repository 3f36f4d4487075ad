"""A notification: something that people should know and nobody waits for."""

from __future__ import annotations

from django.db import models

TOPICS = ("discover", "done", "error", "warning", "release")
STATUSES = ("read", "unread")


class Notification(models.Model):
    """A sentence about a cluster or a node. Cluster, node and transaction are plain columns: they may be gone."""

    cluster_id = models.BigIntegerField(null=True, blank=True)
    node = models.CharField(max_length=100, blank=True, help_text="The node's uid.")
    transaction_id = models.BigIntegerField(null=True, blank=True)
    topic = models.CharField(max_length=16, choices=[(word, word) for word in TOPICS])
    message = models.TextField()
    status = models.CharField(max_length=16, choices=[(word, word) for word in STATUSES], default="unread")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(topic__in=TOPICS), name="notification_topic_known"),
            models.CheckConstraint(condition=models.Q(status__in=STATUSES), name="notification_status_known"),
        ]
        indexes = [models.Index(fields=["cluster_id", "-id"], name="notification_of_cluster")]

    def __str__(self) -> str:
        return self.message
