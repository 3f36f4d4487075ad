"""Releases."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api import describe
from deployments.api.base import ApiView
from deployments.api.paging import listed
from deployments.api.shapes.clusters import ReleaseSerializer, RoleSerializer
from deployments.api.shapes.releases import role_items
from deployments.models import Release
from deployments.services.errors import NotFound
from deployments.services.releases import newest_first


class ReleaseView(ApiView):
    """About the release that the address names. Releases belong to nobody: who may see anything may see them."""

    def release(self) -> Release:
        """The release of the address.

        Raises:
            NotFound: there is none.
        """
        found = Release.objects.filter(pk=int(self.kwargs["release_id"])).first()
        if found is None:
            raise NotFound("Release not found")
        return found


class ReleasesView(ApiView):
    """Releases."""

    needs = {"GET": "view"}

    @describe.lists(ReleaseSerializer)
    def get(self, request: Request) -> Response:
        """All releases, newest first."""
        return listed(request, newest_first(), ReleaseSerializer, ("id", "name", "version", "state"))


class OneReleaseView(ReleaseView):
    """A release."""

    needs = {"GET": "view"}

    @describe.shows(ReleaseSerializer)
    def get(self, request: Request, release_id: str) -> Response:
        """The release."""
        return Response(ReleaseSerializer(self.release()).data)


class ReleaseRolesView(ReleaseView):
    """The roles of a release."""

    needs = {"GET": "view"}

    @describe.shows(RoleSerializer(many=True))
    def get(self, request: Request, release_id: str) -> Response:
        """The roles."""
        return Response(role_items(self.release()))
