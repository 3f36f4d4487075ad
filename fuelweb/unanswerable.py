"""Requests that no address can answer: refused by a sentence, before anything of them is read."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import resolve_url

from deployments.api.errors import size
from deployments.api.parameters import content_length

_BEFORE_LOG_IN = 64 * 1024
"""Bytes: whoever has not logged in has a name and a password to tell."""
_API = ("/api/", "/keystone/")


def refuse(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: 413 for a body that is too large, 400 for a NUL character in the address, which no database takes.

    The API, whose addresses take less each, says the latter by itself.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        most = _BEFORE_LOG_IN if request.path == resolve_url(settings.LOGIN_URL) else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if content_length(request.META) > most:
            return _answer(request, f"The body is larger than the {size(most)} that are read.", 413)
        if not request.path_info.startswith(_API) and "\0" in request.path_info + unquote(request.META.get("QUERY_STRING", "")):
            return _answer(request, "The address has characters that can't be stored.", 400)
        return get_response(request)

    return middleware


def _answer(request: HttpRequest, message: str, status: int) -> HttpResponse:
    if request.path_info.startswith(_API):
        return JsonResponse({"message": message, "errors": []}, status=status)
    return HttpResponse(message, status=status, content_type="text/plain; charset=utf-8")
