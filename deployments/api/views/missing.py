"""Addresses at which there is nothing."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api.base import ApiView
from deployments.services.errors import NotFound


@extend_schema(exclude=True)
class MissingView(ApiView):
    """Says so, in the shape of all errors."""

    needs = {method: "public" for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}

    def get(self, request: Request, **kwargs: Any) -> Response:
        """Nothing."""
        raise NotFound(f"There is nothing at {request.path}.")

    post = put = patch = delete = options = get
