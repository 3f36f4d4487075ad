"""The rights of a request: what a view needs is said by the view, who has it by `deployments.services.rights`."""

from __future__ import annotations

from typing import Any, Protocol

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from deployments.models import Cluster, Token
from deployments.services import rights
from deployments.services.rights import may, sees_everything, visible_clusters

__all__ = ["AGENT", "NEEDS", "PUBLIC", "HasRight", "actor_of", "cluster_with", "may", "sees_everything", "visible_clusters"]

AGENT, PUBLIC = "agent", "public"
NEEDS = (*rights.RIGHTS, AGENT, PUBLIC)
"""All that a view may ask for. `agent`: announcing nodes, by an agent's token or an admin of everything."""


class Guarded(Protocol):
    """What a view says about itself.

    `needs` maps each of its methods to a right; a method that is missing there is refused to everybody. `cluster_of` is the cluster that
    the request is about, None if it is about no single one. Views that need `agent` also have `agent_uid() -> str | None`: the uid of
    the node that the request announces.
    """

    needs: dict[str, str]

    def cluster_of(self) -> Cluster | None: ...


class HasRight(BasePermission):
    """Lets through who has the right that the view's `needs` names for this method, in the cluster that the request is about.

    Without a cluster, `view` asks for a role anywhere (the view then shows what `visible_clusters` allows) and all others for a role
    everywhere.
    """

    message = "You do not have permission to perform this action."

    def has_permission(self, request: Request, view: Any) -> bool:
        """Default deny."""
        right = _needed(request, view)
        if right is None:
            return False
        if right == PUBLIC:
            return True
        if not request.user or not request.user.is_authenticated:
            return False
        if _is_agent(request):
            return right == AGENT and _is_its_node(request, view)
        if right == AGENT:
            return may(request.user, rights.ADMIN, None)
        cluster = view.cluster_of()
        if cluster is None and right == rights.VIEW:
            return rights.may_somewhere(request.user, right)
        return may(request.user, right, cluster)


def actor_of(request: Request) -> str:
    """The name that goes on transactions and events."""
    return request.user.get_username() or "anyone"


def cluster_with(cluster_id: int | None) -> Cluster:
    """What to ask about for something that belongs to this cluster, be the cluster gone or not. Not read from the database."""
    return Cluster(id=cluster_id)


def _needed(request: Request, view: Guarded) -> str | None:
    method = request.method or ""
    if method == "OPTIONS":
        # What a view can do is told to those who may do any of it.
        return view.needs.get("OPTIONS", rights.VIEW)
    return view.needs.get("GET" if method == "HEAD" and "HEAD" not in view.needs else method)


def _is_agent(request: Request) -> bool:
    return isinstance(request.auth, Token) and request.auth.scope == AGENT


def _is_its_node(request: Request, view: Any) -> bool:
    return not request.auth.node or view.agent_uid() == request.auth.node
