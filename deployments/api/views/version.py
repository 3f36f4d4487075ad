"""Which version this is."""

from __future__ import annotations

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api import describe
from deployments.api.base import ApiView
from deployments.services.clusters import FUEL_VERSION

RELEASE = FUEL_VERSION
"""The release of Fuel whose API this is."""


class VersionView(ApiView):
    """The version of the API, and whether it wants to know who asks: the first thing that clients read."""

    needs = {"GET": "public"}

    @describe.shows(describe.ANY_MAPPING)
    def get(self, request: Request) -> Response:
        """The version."""
        return Response({
            "release": RELEASE, "api": "1", "auth_required": settings.FUELWEB_AUTH_REQUIRED, "feature_groups": [],
            "openstack_version": "", "name": "fuelweb",
        })  # fmt: skip
