"""Tokens that scripts and agents show instead of a password. Stored as digests only (knox)."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from knox.models import AbstractAuthToken

SCOPES = ("account", "agent")


class Token(AbstractAuthToken):
    """Good for all its account may, or (scope `agent`) for announcing nodes and nothing else; `node` narrows that to one node's uid."""

    scope = models.CharField(max_length=16, choices=[(word, word) for word in SCOPES], default="account")
    node = models.CharField(max_length=100, blank=True, help_text="The only node an agent's token is good for; empty: any.")

    class Meta:
        ordering = ["-created"]
        constraints = [
            models.CheckConstraint(condition=Q(scope__in=SCOPES), name="token_scope_known"),
            models.CheckConstraint(condition=Q(scope="agent") | Q(node=""), name="only_agent_tokens_name_a_node"),
        ]

    def __str__(self) -> str:
        return f"{self.token_key}… of {self.user}"
