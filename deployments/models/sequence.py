"""A sequence: graphs that are run one after the other."""

from __future__ import annotations

from django.db import models


class Sequence(models.Model):
    """A named list of graph types of a release. The one called `deploy-changes` is what "deploy changes" runs."""

    release = models.ForeignKey("deployments.Release", models.CASCADE, related_name="sequences")
    name = models.CharField(max_length=255)
    graphs = models.JSONField(default=list, help_text="[{type, nodes?, tasks?}], in the order in which they run.")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["release", "name"], name="one_sequence_per_release_and_name")]

    def __str__(self) -> str:
        return f"{self.name} of {self.release}"
