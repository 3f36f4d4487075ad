"""A page that was to change what another session has locked: said in a sentence, as the API does, and not as an error of the server."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from deployments.services.given_up import given_up
from history import recorder

WAIT = 5
"""Seconds after which it makes sense to try again."""


class SayWhoHasIt:
    """Middleware for whatever the API's own handler does not see: the admin."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """503 where the database gave up, for a lock or for the time it took."""
        if not recorder.is_patience_over(error):
            return None
        headers = {"Retry-After": str(WAIT)}
        return HttpResponse(given_up(error), status=503, content_type="text/plain; charset=utf-8", headers=headers)
