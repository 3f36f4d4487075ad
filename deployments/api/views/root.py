"""Where to begin: all addresses."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from inspect import getdoc

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.schemas.generators import EndpointEnumerator

from deployments.api.base import ApiView

_ROOTS = ("/api/", "/api/v1/")


@extend_schema(exclude=True)
class RootView(ApiView):
    """All addresses. In those with braces, an id stands in their place."""

    needs = {"GET": "public"}

    def get(self, request: Request) -> Response:
        """Each with its methods and what it is about."""
        here = request.path.rstrip("/") + "/"
        return Response([
            {"address": path if "{" in path else request.build_absolute_uri(path), "methods": list(methods), "about": about}
            for path, (methods, about) in _addresses().items()
            if path.startswith(here)
        ])  # fmt: skip


@cache
def _addresses() -> dict[str, tuple[tuple[str, ...], str]]:
    """Address → methods and the first sentence about it."""
    methods: dict[str, list[str]] = defaultdict(list)
    about: dict[str, str] = {}
    for pattern, method, callback in EndpointEnumerator().get_api_endpoints():
        path = pattern.replace("\\", "")
        if path.startswith("/api/") and path not in _ROOTS and method not in methods[path]:
            methods[path].append(method)
            about[path] = (getdoc(callback.cls) or "").partition("\n")[0]
    return {path: (tuple(found), about[path]) for path, found in sorted(methods.items()) if found}
