"""A cluster: an environment made of nodes."""

from __future__ import annotations

from typing import Any

from django.db import models

STATUSES = ("new", "deployment", "stopped", "operational", "error", "remove", "partially_deployed")


def default_ui_settings() -> dict[str, Any]:
    """How the Fuel client and its web pages expect a new cluster."""
    return {
        "view_mode": "standard",
        "filter": {},
        "sort": [{"roles": "asc"}],
        "filter_by_labels": {},
        "sort_by_labels": [],
        "search": "",
    }


class Cluster(models.Model):
    """What is deployed as one: its nodes, its settings, and how its plans are to be carried out."""

    MODES = [(word, word) for word in ("multinode", "ha_full", "ha_compact")]

    name = models.CharField(max_length=255, unique=True)
    release = models.ForeignKey("deployments.Release", models.PROTECT, related_name="clusters")
    mode = models.CharField(max_length=16, choices=MODES, default="ha_compact")
    status = models.CharField(max_length=32, choices=[(word, word) for word in STATUSES], default="new")
    common = models.JSONField(default=dict, blank=True, help_text="Facts common to all nodes: what graphs read as $common.")
    settings = models.JSONField(default=dict, blank=True, help_text="Settings that people edit: {section: {field: {value, …}}}.")
    task_based_deployment = models.BooleanField(
        default=True, help_text="Off: role after role, and a node's tasks one after the other; for graphs that can't bear parallelism."
    )
    task_based_always = models.BooleanField(
        default=False,
        help_text="Task by task even if the default graph has tasks of the old format (version below 2.0.0), for which it otherwise "
        "runs role by role as a whole.",
    )
    max_nodes_per_call = models.PositiveIntegerField(default=50, help_text="How many nodes may be busy at once; 0 = no limit.")
    fleet = models.CharField(max_length=100, default="default", help_text="Name of the fleet worker that serves these nodes.")
    rehearsed_at = models.DateTimeField(
        null=True, blank=True, help_text="Set by the first rehearsal, cleared by a real deployment; a rehearsal never counts as done."
    )
    status_before_rehearsal = models.CharField(
        max_length=32, choices=[(word, word) for word in STATUSES], blank=True, help_text="Given back by the next real deployment."
    )
    fuel_version = models.CharField(max_length=32, blank=True)
    net_provider = models.CharField(max_length=32, default="neutron")
    ui_settings = models.JSONField(default=default_ui_settings, blank=True)
    is_customized = models.BooleanField(default=False)
    components = models.JSONField(default=list, blank=True)
    changes = models.JSONField(default=list, blank=True, help_text="Pending changes: [{name, node_id}].")

    class Meta:
        ordering = ["name"]
        constraints = [models.CheckConstraint(condition=models.Q(status__in=STATUSES), name="cluster_status_known")]

    def __str__(self) -> str:
        return self.name
