"""The first account."""

from __future__ import annotations

import secrets

from django.contrib.auth.models import User


def ensure_admin(password: str = "") -> str | None:
    """Make the account `admin` where there is no account at all, with `password` or a generated one.

    Returns:
        The generated password, which is nowhere else to be read; None if none was generated.
    """
    if User.objects.exists():
        return None
    chosen = password or secrets.token_urlsafe(12)
    User.objects.create_superuser("admin", password=chosen)
    return None if password else chosen
