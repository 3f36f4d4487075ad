"""Logging in, with a brake on guessing: in the admin, by Keystone's way, anywhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from deployments.models import FailedLogIn

WINDOW = timedelta(minutes=15)
LIMITS = {"user": 10, "from": 50}
"""How many failures within the window one name, and one address, may have before nothing more is tried."""


class ThrottledBackend(ModelBackend):
    """Django's own, but after too many failures it refuses without looking, be the password right or not."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **rest: Any
    ) -> User | None:
        """The account.

        Raises:
            PermissionDenied: too many log-ins failed lately; Django then asks no other backend.
        """
        if username is None or password is None:
            return None
        subjects = _subjects(username, request)
        if is_throttled(subjects):
            raise PermissionDenied
        user = super().authenticate(request, username=username, password=password, **rest)
        if user is None:
            _count(subjects)
        else:
            FailedLogIn.objects.filter(subject=subjects["user"]).delete()
        return user


def throttled(username: str, request: HttpRequest) -> bool:
    """Whether a log-in of this name from this address would be refused without looking."""
    return is_throttled(_subjects(username, request))


def is_throttled(subjects: dict[str, str]) -> bool:
    """Whether any of these has failed too often."""
    rows = FailedLogIn.objects.filter(subject__in=subjects.values(), since__gt=timezone.now() - WINDOW)
    failures = dict(rows.values_list("subject", "failures"))
    return any(failures.get(subject, 0) >= LIMITS[kind] for kind, subject in subjects.items())


def _subjects(username: str, request: HttpRequest | None) -> dict[str, str]:
    subjects = {"user": f"user:{username[:254]}"}
    if request is not None and (address := _address(request)):
        subjects["from"] = f"from:{address[:254]}"
    return subjects


def _address(request: HttpRequest) -> str:
    """Who asks. Behind proxies of ours each has added whom it was asked by; what stands before that may be made up."""
    told = [address.strip() for address in request.headers.get("X-Forwarded-For", "").split(",")]
    proxies = settings.FUELWEB_PROXIES
    return told[-proxies] if 0 < proxies <= len(told) else str(request.META.get("REMOTE_ADDR", ""))


def _count(subjects: dict[str, str]) -> None:
    now = timezone.now()
    with transaction.atomic():
        FailedLogIn.objects.filter(since__lte=now - WINDOW).delete()
        # In one order everywhere: two log-ins at once must not wait for each other.
        for subject in sorted(subjects.values()):
            FailedLogIn.objects.get_or_create(subject=subject, defaults={"since": now})
            FailedLogIn.objects.filter(subject=subject).update(failures=F("failures") + 1)
