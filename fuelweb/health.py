"""Is this system able to work?"""

from __future__ import annotations

from collections.abc import Callable

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from deployments.services.fleet_places import fleet_places
from deployments.services.standing import standing

PATH = "/health"


def answer_first(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware, the first of all: who watches the web asks by its address, by HTTP, whatever name and scheme others must use."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return health() if request.path_info == PATH else get_response(request)

    return middleware


def health() -> JsonResponse:
    """200 with `{"database": "ok", "redis": "ok", "transactions": "ok"}`, or 503 with what is wrong in the place of `ok`.

    A transaction that stands is told too, and how many places of each fleet are taken (`{"default": "97/100"}`), but that is no reason to
    take this web away: it stays 200.
    """
    state = {"database": _database(), "redis": _redis()}
    well = set(state.values()) == {"ok"}
    return JsonResponse(state | {"transactions": _transactions(), "fleets": _fleets() if well else {}}, status=200 if well else 503)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "does not answer"
    return "ok"


def _transactions() -> str:
    try:
        return " ".join(standing().values()) or "ok"
    except DatabaseError:
        return "they can't be read now"


def _fleets() -> dict[str, str]:
    try:
        return {found.fleet: f"{found.taken}/{found.places}" for found in fleet_places()}
    except DatabaseError:
        return {}


def _redis() -> str:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
            client.ping()
    except redis.ResponseError as refusal:
        # It is there, and says why it is of no use: MISCONF where it can't write its file, which mostly means a full disk.
        return f"refuses: {refusal}"
    except (redis.RedisError, OSError):
        return "does not answer"
    return "ok"
