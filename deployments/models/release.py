"""A release: what clusters of one kind have in common."""

from __future__ import annotations

from django.db import models


class Release(models.Model):
    """Roles, tags and graphs that every cluster of this release starts from (Nailgun's release)."""

    STATES = [(word, word) for word in ("available", "unavailable", "manageonly")]

    name = models.CharField(max_length=255)
    version = models.CharField(max_length=255, help_text="For example newton-10.0; what follows the dash is the version of the system.")
    description = models.TextField(blank=True)
    operating_system = models.CharField(max_length=50, blank=True)
    state = models.CharField(max_length=16, choices=STATES, default="available")
    roles_metadata = models.JSONField(default=dict, blank=True, help_text="{role: {name, description, tags, conflicts, …}}")
    tags_metadata = models.JSONField(default=dict, blank=True, help_text="{tag: {has_primary, …}}")
    attributes_metadata = models.JSONField(default=dict, blank=True, help_text="Settings that a new cluster starts with.")
    modes_metadata = models.JSONField(default=dict, blank=True)
    components_metadata = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["-version", "name"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="one_release_per_name_and_version"),
            models.CheckConstraint(condition=models.Q(state__in=["available", "unavailable", "manageonly"]), name="release_state_known"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.version})"
