"""Reading the environment: a value that can't be meant is refused by a sentence that names its variable."""

from __future__ import annotations

import logging
import math
import os
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

_TRUE, _FALSE = ("true", "on", "yes", "y", "1"), ("false", "off", "no", "n", "0", "")
_REDIS = ("redis://", "rediss://", "unix://")
_DATABASES = ("postgres://", "postgresql://", "sqlite:///")

_env = environ.Env()


def text(name: str, default: str = "") -> str:
    """As it stands there."""
    return os.environ.get(name, default)


def names(name: str, default: list[str]) -> list[str]:
    """What stands there with commas between; an empty value means the default."""
    return list(_env.list(name, default=default)) or default


def switch(name: str, default: bool) -> bool:
    """On or off; a typing error in a switch that guards something must not pass for off."""
    given = os.environ.get(name)
    if given is None:
        return default
    if given.lower() not in _TRUE + _FALSE:
        raise _refused(name, given, "true or false")
    return given.lower() in _TRUE


def number(name: str, default: float, least: float = 0) -> float:
    """A number that is not below `least`."""
    given = os.environ.get(name)
    if given is None:
        return default
    try:
        found = float(given)
    except ValueError as error:
        raise _refused(name, given, "a number") from error
    if not (math.isfinite(found) and found >= least):
        raise _refused(name, given, f"a number, {least:g} or more")
    return found


def log_level(name: str, default: str) -> str:
    """The name of a level of the module `logging`."""
    level = os.environ.get(name, default).upper()
    if level not in logging.getLevelNamesMapping():
        raise _refused(name, level, "DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return level


def redis_url(name: str) -> str:
    """Where a Redis answers; empty if nothing is said."""
    given = os.environ.get(name, "")
    if given and not given.startswith(_REDIS):
        # What is given may hold a password.
        raise ImproperlyConfigured(f"{name} must be an address that begins with {', '.join(_REDIS[:-1])} or {_REDIS[-1]}.")
    return given


def database(name: str, default: str) -> dict[str, Any]:
    """Django's settings for the database at this address; an empty value means the default."""
    given = os.environ.get(name, "") or default
    try:
        found = dict(environ.Env.db_url_config(given)) if given.startswith(_DATABASES) else {}
    except ValueError:
        found = {}
    if not found:
        # What is given may hold a password.
        raise ImproperlyConfigured(f"{name} must be an address like postgres://user:password@host/name or sqlite:////folder/file.")
    return found


def _refused(name: str, given: str, wanted: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} is {given!r}, but must be {wanted} (docs/settings.md).")
