"""Log-ins that failed, so that passwords can't be guessed by trying."""

from __future__ import annotations

from django.db import models


class FailedLogIn(models.Model):
    """How often a log-in failed lately: one row for each name that was tried and each address that tried."""

    subject = models.CharField(max_length=300, unique=True, help_text="user:NAME or from:ADDRESS")
    failures = models.PositiveIntegerField(default=0)
    since = models.DateTimeField(help_text="When the first of these failed.")

    class Meta:
        ordering = ["-since"]

    def __str__(self) -> str:
        return f"{self.subject}: {self.failures} since {self.since:%Y-%m-%d %H:%M}"
