"""A graph: the task list that people write."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

GRAPH_TYPE_PATTERN = r"^[a-zA-Z0-9_-]+\Z"
DEFAULT_TYPE = "default"


class Graph(models.Model):
    """A typed graph of one owner, a release or a cluster. A cluster's deployments use both, the cluster's task replacing the release's."""

    type = models.CharField(
        max_length=255,
        default=DEFAULT_TYPE,
        validators=[RegexValidator(GRAPH_TYPE_PATTERN, "Use letters, digits, - and _ only.")],
        help_text="What it is for: default, provision, …",
    )
    name = models.CharField(max_length=255, blank=True)
    release = models.ForeignKey("deployments.Release", models.CASCADE, null=True, blank=True, related_name="graphs")
    cluster = models.ForeignKey("deployments.Cluster", models.CASCADE, null=True, blank=True, related_name="graphs")
    tasks = models.JSONField(default=list, blank=True, help_text="The tasks as they were uploaded: the list of a tasks.yaml.")
    node_filter = models.TextField(blank=True, help_text="yaql that selects the nodes, where not all of the cluster's are meant.")
    on_success = models.JSONField(null=True, blank=True, help_text="{node_attributes: {…}} given to nodes that end well.")
    on_error = models.JSONField(null=True, blank=True, help_text="{node_attributes: {…}} given to nodes that fail.")
    on_stop = models.JSONField(null=True, blank=True, help_text="{node_attributes: {…}} given to nodes that were stopped.")

    class Meta:
        ordering = ["type", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(release__isnull=True, cluster__isnull=False) | Q(release__isnull=False, cluster__isnull=True),
                name="graph_has_one_owner",
            ),
            models.UniqueConstraint(fields=["release", "type"], condition=Q(release__isnull=False), name="one_graph_per_release_and_type"),
            models.UniqueConstraint(fields=["cluster", "type"], condition=Q(cluster__isnull=False), name="one_graph_per_cluster_and_type"),
        ]

    def __str__(self) -> str:
        return f"{self.type} of {self.owner_name}"

    @property
    def owner_name(self) -> str:
        """`cluster …` or `release …`."""
        return f"cluster {self.cluster}" if self.cluster_id else f"release {self.release}"
