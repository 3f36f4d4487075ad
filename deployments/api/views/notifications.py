"""Notifications."""

from __future__ import annotations

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api import describe, parameters
from deployments.api.base import ApiView
from deployments.api.errors import BadRequest
from deployments.api.paging import listed
from deployments.api.rights import cluster_with, sees_everything, visible_clusters
from deployments.api.shapes.graphs import NotificationSerializer
from deployments.models import Cluster, Notification
from deployments.models.notification import STATUSES
from deployments.services.errors import NotFound


class NotificationsView(ApiView):
    """Notifications."""

    needs = {"GET": "view"}

    @describe.lists(NotificationSerializer)
    def get(self, request: Request) -> Response:
        """All notifications about what the user may see, newest first."""
        return listed(request, self._visible(), NotificationSerializer, ("id", "topic", "status", "created_at"))

    def _visible(self) -> QuerySet[Notification]:
        rows = Notification.objects.order_by("-id")
        if sees_everything(self.request.user):
            return rows
        return rows.filter(cluster_id__in=visible_clusters(self.request.user).values("id"))


class OneNotificationView(ApiView):
    """A notification."""

    needs = {"GET": "view", "PUT": "view"}

    def cluster_of(self) -> Cluster | None:
        """What it is about."""
        return cluster_with(self._notification().cluster_id)

    @describe.shows(NotificationSerializer)
    def get(self, request: Request, notification_id: str) -> Response:
        """The notification."""
        return Response(NotificationSerializer(self._notification()).data)

    @describe.shows(NotificationSerializer, request=describe.ANY_MAPPING)
    def put(self, request: Request, notification_id: str) -> Response:
        """Mark it as read or unread."""
        row, data = self._notification(), self.body()
        parameters.refuse_strange(data, ("status",), NotificationSerializer(row).data)
        status = data.get("status")
        if status not in STATUSES:
            raise BadRequest(f"status: must be one of {', '.join(STATUSES)}")
        row.status = status
        row.save(update_fields=["status"])
        return Response(NotificationSerializer(row).data)

    def _notification(self) -> Notification:
        found = Notification.objects.filter(pk=int(self.kwargs["notification_id"])).first()
        if found is None:
            raise NotFound("Notification not found")
        return found
