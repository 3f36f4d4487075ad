"""Making tokens and finding whose they are. Only digests are stored; a token is seen once, by who asked for it."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone
from knox.crypto import hash_token

from deployments.core.errors import InvalidData
from deployments.models import Token
from deployments.services.errors import NotFound

AGENT_ACCOUNT = "agent"
_LONGEST_UID = 100
_LONGEST_DAYS = 3650


def issue(user: User, *, lifetime: timedelta | None = None) -> tuple[Token, str]:
    """A new token that may all its account may, and its text. Without a lifetime: that of the settings.

    The account's tokens that have expired are forgotten on the way.
    """
    Token.objects.filter(user=user, expiry__lt=timezone.now()).delete()
    chosen = {} if lifetime is None else {"expiry": lifetime}
    return Token.objects.create(user=user, **chosen)


def issue_for(username: str, lifetime: timedelta) -> str:
    """The text of a new token for the account of this name.

    Raises:
        NotFound: there is no such account, or it is closed.
    """
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise NotFound(f"There is no active account {username!r}: make it in the admin, or with `createsuperuser`.")
    return issue(user, lifetime=lifetime)[1]


def issue_for_agent(uid: str, lifetime: timedelta) -> str:
    """The text of a new token that can announce the node of this uid (empty: any node) and do nothing else.

    Raises:
        InvalidData: no node can have such a uid.
    """
    if uid in ("null", "master") or len(uid) > _LONGEST_UID:
        raise InvalidData(f"No node can have the uid {uid!r}: it is at most {_LONGEST_UID} characters long, and neither null nor master.")
    user, made = User.objects.get_or_create(username=AGENT_ACCOUNT)
    if made:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return Token.objects.create(user=user, expiry=lifetime, scope="agent", node=uid)[1]


def find(text: str) -> Token | None:
    """The token with its account, if it is known, has not expired, and the account is not closed."""
    if not text.isascii():
        return None
    token = Token.objects.select_related("user").filter(digest=hash_token(text)).first()
    if token is None or not token.user.is_active:
        return None
    return None if token.expiry is not None and token.expiry <= timezone.now() else token


def days(number: float) -> timedelta:
    """How long a token is to be good.

    Raises:
        InvalidData: not for ever, and not for less than no time.
    """
    if not 0 < number <= _LONGEST_DAYS:
        raise InvalidData(f"A token is good for more than 0 and at most {_LONGEST_DAYS} days.")
    return timedelta(days=number)
