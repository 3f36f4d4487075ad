"""A node: a machine."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

STATUSES = ("discover", "provisioning", "provisioned", "deploying", "ready", "error", "removing", "stopped")
ERROR_TYPES = ("deploy", "provision", "deletion", "discover", "stop_deployment")


class Node(models.Model):
    """A machine, in one cluster or in none. The sync node and the orchestrator's own host are not rows."""

    uid = models.CharField(max_length=100, unique=True, help_text="Unique in the whole system; its name in plans, queues and history.")
    cluster = models.ForeignKey("deployments.Cluster", models.SET_NULL, null=True, blank=True, related_name="nodes")
    name = models.CharField(max_length=255, blank=True)
    hostname = models.CharField(max_length=255, blank=True)
    roles = models.JSONField(default=list, blank=True, help_text="Roles it has been deployed with.")
    pending_roles = models.JSONField(default=list, blank=True, help_text="Roles that the next deployment will give it.")
    tags = models.JSONField(default=list, blank=True, help_text="Tags by which tasks select the node; none: those of its roles.")
    status = models.CharField(max_length=16, choices=[(word, word) for word in STATUSES], default="discover")
    status_before_rehearsal = models.CharField(
        max_length=16, choices=[(word, word) for word in STATUSES], blank=True, help_text="Given back by the next real deployment."
    )
    error_type = models.CharField(max_length=32, choices=[(word, word) for word in ERROR_TYPES], blank=True)
    error_msg = models.TextField(blank=True)
    progress = models.PositiveSmallIntegerField(default=0, help_text="Percent.")
    online = models.BooleanField(default=True)
    pending_addition = models.BooleanField(default=False)
    pending_deletion = models.BooleanField(default=False)
    data = models.JSONField(default=dict, blank=True, help_text="Deployment facts of this node: what graphs read as $node.")
    mac = models.CharField(max_length=32, blank=True)
    ip = models.CharField(max_length=64, blank=True)
    labels = models.JSONField(default=dict, blank=True)
    meta = models.JSONField(default=dict, blank=True, help_text="What the machine says of itself: processors, memory, disks, interfaces.")
    os_platform = models.CharField(max_length=150, blank=True)
    manufacturer = models.CharField(max_length=150, blank=True)
    kernel_params = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["cluster", "hostname"], condition=~Q(hostname=""), name="one_node_per_hostname_in_a_cluster"),
            models.UniqueConstraint(fields=["mac"], condition=~Q(mac=""), name="one_node_per_mac"),
            models.CheckConstraint(condition=Q(status__in=STATUSES), name="node_status_known"),
            models.CheckConstraint(condition=Q(error_type__in=("", *ERROR_TYPES)), name="node_error_type_known"),
            models.CheckConstraint(condition=Q(progress__lte=100), name="node_progress_is_percent"),
            models.CheckConstraint(condition=~Q(uid__in=("", "null", "master")), name="node_uid_not_reserved"),
        ]
        indexes = [models.Index(fields=["cluster", "status"], name="node_by_cluster_and_status")]

    def __str__(self) -> str:
        return f"{self.name} ({self.uid})" if self.name and self.name != self.uid else self.uid
