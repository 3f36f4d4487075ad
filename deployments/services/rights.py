"""Who may do what: one answer for the API, the pages and the admin.

Default deny. A superuser may everything; everybody else what their roles say (`ClusterRole`: their own and their groups').
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from deployments.models import Cluster, ClusterRole

VIEW, OPERATE, ADMIN = "view", "operate", "admin"
RIGHTS = (VIEW, OPERATE, ADMIN)

_GIVING = {VIEW: ("viewer", "operator", "admin"), OPERATE: ("operator", "admin"), ADMIN: ("admin",)}
"""Right → the roles that give it."""

Person = AbstractBaseUser | AnonymousUser


def may(user: Person, right: str, cluster: Cluster | None) -> bool:
    """Whether the user has the right in this cluster; without a cluster: everywhere.

    Of the cluster only the id counts, so a cluster that is gone may be asked about (`Cluster(id=…)`): its own roles went with it.
    """
    if not user.is_active or right not in _GIVING:
        return False
    if _is_superuser(user):
        return True
    where = Q(cluster=None)
    if cluster is not None and cluster.pk is not None:
        where |= Q(cluster_id=cluster.pk)
    return _roles(user, right).filter(where).exists()


def may_somewhere(user: Person, right: str) -> bool:
    """Whether the user has the right in any cluster at all."""
    return bool(user.is_active) and (_is_superuser(user) or _roles(user, right).exists())


def visible_clusters(user: Person, right: str = VIEW) -> QuerySet[Cluster]:
    """The clusters in which the user has the right."""
    if not user.is_active:
        return Cluster.objects.none()
    if _is_superuser(user) or may(user, right, None):
        return Cluster.objects.all()
    return Cluster.objects.filter(id__in=_roles(user, right).values("cluster_id"))


def sees_everything(user: Person) -> bool:
    """Whether nothing is hidden from the user, not even what belongs to no cluster or to one that is gone."""
    return may(user, VIEW, None)


def role_names(user: Person) -> list[str]:
    """The roles that the user has anywhere; a superuser's is `admin`."""
    if _is_superuser(user):
        return ["admin"]
    return sorted({*_roles(user, VIEW).values_list("role", flat=True)})


def _is_superuser(user: Person) -> bool:
    return bool(getattr(user, "is_superuser", False))


def _roles(user: Any, right: str) -> QuerySet[ClusterRole]:
    if user.pk is None:
        return ClusterRole.objects.none()
    mine = Q(user_id=user.pk) | Q(group__user=user.pk)
    return ClusterRole.objects.filter(mine, role__in=_GIVING[right]).order_by()
