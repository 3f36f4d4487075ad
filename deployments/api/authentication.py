"""Who asks. Scripts and the Fuel client show a token, browsers have a session."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.encoding import force_str
from knox.auth import TokenAuthentication
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from deployments.models import Token
from deployments.services import tokens

LOOPBACK = ("127.0.0.1", "::1")


class BearerAuthentication(TokenAuthentication):
    """`Authorization: Token …`."""

    def authenticate_credentials(self, token: bytes) -> tuple[User, Token]:
        """The token's account."""
        # knox would read all tokens of the account each time, and the Fuel client makes one with every command.
        found = tokens.find(force_str(token, errors="replace"))
        if found is None:
            raise AuthenticationFailed("The token is not known or has expired.")
        return found.user, found

    def authenticate_header(self, request: Request) -> str:
        """Also what a 401 says it expects."""
        return "Token"


class KeystoneAuthentication(BearerAuthentication):
    """`X-Auth-Token: …`, as the Fuel client sends it (an empty one means nobody)."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        """The token's account."""
        shown = request.headers.get("X-Auth-Token", "").strip()
        return self.authenticate_credentials(shown.encode()) if shown else None


class OpenOnLoopback(BaseAuthentication):
    """Where no log-in is asked for (`FUELWEB_AUTH_REQUIRED=false`), whoever asks from this very machine may everything, as `anyone`.

    A page of another origin in the browser of somebody on this machine is not such a one.
    """

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        """The account that is in no database."""
        if settings.FUELWEB_AUTH_REQUIRED:
            return None
        if request.META.get("REMOTE_ADDR") not in LOOPBACK or "X-Forwarded-For" in request.headers:
            raise AuthenticationFailed("Without log-in, this server answers to its own machine only.")
        origin = request.headers.get("Origin")
        if origin and urlsplit(origin).netloc != request.get_host():
            raise AuthenticationFailed("Without log-in, this server answers to no page of another origin.")
        return User(username="anyone", is_superuser=True, is_staff=True), None
