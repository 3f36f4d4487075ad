"""Who may do what in which cluster."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

ROLES = ("viewer", "operator", "admin")
"""Each may all that those before it may."""


def _one_role_per(holder: str) -> list[models.UniqueConstraint]:
    """In each cluster, and everywhere: to a database, two empty clusters are not the same."""
    held = Q(**{f"{holder}__isnull": False})
    return [
        models.UniqueConstraint(fields=[holder, "cluster"], condition=held, name=f"one_role_per_{holder}_and_cluster"),
        models.UniqueConstraint(fields=[holder], condition=held & Q(cluster=None), name=f"one_role_everywhere_per_{holder}"),
    ]


class ClusterRole(models.Model):
    """A user or a group has a role in one cluster, or in all of them (no cluster named).

    A role everywhere also holds for what belongs to no cluster: releases, free nodes, clusters yet to be made. Nobody who has no role
    sees anything; superusers need none.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="cluster_roles")
    group = models.ForeignKey("auth.Group", models.CASCADE, null=True, blank=True, related_name="cluster_roles")
    cluster = models.ForeignKey(
        "deployments.Cluster", models.CASCADE, null=True, blank=True, related_name="members", help_text="Empty: every cluster."
    )
    role = models.CharField(max_length=16, choices=[(word, word) for word in ROLES], default="viewer")

    class Meta:
        ordering = ["cluster", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, group__isnull=True) | Q(user__isnull=True, group__isnull=False),
                name="role_has_one_holder",
                violation_error_message="Name either a user or a group.",
            ),
            models.CheckConstraint(condition=Q(role__in=ROLES), name="role_known"),
            *_one_role_per("user"),
            *_one_role_per("group"),
        ]

    def __str__(self) -> str:
        return f"{self.user or self.group}: {self.role} {f'of {self.cluster}' if self.cluster_id else 'everywhere'}"
