"""The part of Keystone (version 2) that the Fuel client speaks: a password, or a token that is still good, for a token."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth import authenticate
from django.urls import re_path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api.base import ApiView
from deployments.models import Token
from deployments.services import log_in, rights, tokens

_MOST_BYTES = 64 * 1024
"""Nobody has logged in yet."""
_TENANT = {"id": "admin", "name": "admin", "enabled": True}
"""There is one only: who may do what is said by roles in clusters."""


@extend_schema(exclude=True)
class TokensView(ApiView):
    """`POST /keystone/v2.0/tokens`."""

    needs: ClassVar[dict[str, str]] = {"POST": "public"}
    most_bytes = _MOST_BYTES
    # The client shows its token in the header too while it asks whether that token is still good.
    authentication_classes = ()

    def post(self, request: Request) -> Response:
        """A token, as Keystone answers."""
        auth = request.data.get("auth") if isinstance(request.data, Mapping) else None
        if not isinstance(auth, Mapping):
            return _error(400, "Expecting to find auth in request body.", "Bad Request")
        if "token" in auth:
            return self._again(auth["token"])
        return self._by_password(request, auth.get("passwordCredentials"))

    def _by_password(self, request: Request, credentials: Any) -> Response:
        username, password = _texts(credentials, "username", "password")
        if username is None or password is None:
            return _error(400, "Expecting to find passwordCredentials or token in auth.", "Bad Request")
        if log_in.throttled(username, request._request):
            return _error(429, "Too many log-ins failed: try again in a quarter of an hour.", "Too Many Requests")
        user = authenticate(request._request, username=username, password=password)
        if user is None:
            return _refused()
        return Response(_access(*tokens.issue(user)))

    def _again(self, given: Any) -> Response:
        (text,) = _texts(given, "id")
        token = tokens.find(text) if text else None
        if token is None or text is None or token.scope != "account":
            return _refused()
        return Response(_access(token, text))


def _texts(data: Any, *names: str) -> list[str | None]:
    if not isinstance(data, Mapping):
        return [None] * len(names)
    return [value if isinstance(value := data.get(name), str) else None for name in names]


def _access(token: Token, text: str) -> dict[str, Any]:
    user = token.user
    roles = rights.role_names(user)
    return {
        "access": {
            "token": {
                "id": text,
                "issued_at": token.created.strftime("%Y-%m-%dT%H:%M:%S.%f"),
                "expires": _time(token.expiry),
                "tenant": _TENANT,
            },
            "serviceCatalog": [],
            "user": {
                "id": str(user.pk), "name": user.username, "username": user.username,
                "roles": [{"name": name} for name in roles], "roles_links": [],
            },
            "metadata": {"is_admin": int(user.is_superuser), "roles": roles},
        }
    }  # fmt: skip


def _time(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else "2099-01-01T00:00:00Z"


def _refused() -> Response:
    return _error(401, "The request you have made requires authentication.", "Unauthorized")


def _error(code: int, message: str, title: str) -> Response:
    return Response({"error": {"message": message, "code": code, "title": title}}, status=code)


urlpatterns = [re_path(r"^tokens/?$", TokensView.as_view(), name="keystone-tokens")]
