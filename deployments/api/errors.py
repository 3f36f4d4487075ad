"""Errors as the API tells them: always `{message, errors}`, with the status that fits."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404
from django.http.multipartparser import MultiPartParserError
from rest_framework.exceptions import APIException
from rest_framework.response import Response
from rest_framework.views import set_rollback

from deployments.core.errors import FuelwebError
from deployments.services.apart import Unavailable
from deployments.services.errors import Conflict, Forbidden, NotFound
from deployments.services.given_up import given_up
from deployments.services.stored import CantBeLoaded
from history import recorder

logger = logging.getLogger(__name__)

_STATUSES: dict[type[Exception], int] = {
    NotFound: 404, Conflict: 409, CantBeLoaded: 409, Forbidden: 403, Unavailable: 503, FuelwebError: 400, Http404: 404,
    PermissionDenied: 403, SuspiciousOperation: 400, MultiPartParserError: 400,
}  # fmt: skip
_WAIT = 5.0
"""Seconds after which it makes sense to ask a busy server again."""


class BadRequest(FuelwebError):
    """The request can't be understood."""


class TooLarge(APIException):
    """The body is larger than the address takes."""

    status_code = 413

    def __init__(self, most: int) -> None:
        super().__init__(f"The body is larger than the {size(most)} that this address takes.")


class OutOfRange(APIException):
    """The list does not reach so far."""

    status_code = 416
    default_detail = "The list does not reach so far."


def size(most: int) -> str:
    """A number of bytes for people."""
    return f"{most // 1024 // 1024} MB" if most >= 1024 * 1024 else f"{most // 1024} KB"


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """The answer to a request that failed."""
    set_rollback()
    if isinstance(error, APIException):
        return _of_framework(error)
    for kind, status in _STATUSES.items():
        if isinstance(error, kind):
            return answer(str(error) or "Not found", status, wait=_WAIT if status == 503 else None)
    if recorder.is_patience_over(error):
        return answer(given_up(error), 503, wait=_WAIT)
    logger.error("%s failed", context.get("request"), exc_info=error)
    return answer("The server could not carry this out; its log says why.", 500)


def answer(message: str, status: int, errors: list[Any] | None = None, *, wait: float | None = None) -> Response:
    """An error in the one shape that errors have; `wait` = seconds after which to try again."""
    response = Response({"message": message, "errors": errors or []}, status=status)
    if wait is not None:
        response["Retry-After"] = str(int(wait))
    return response


def _of_framework(error: APIException) -> Response:
    details: Any = error.detail
    fields: list[Any] = []
    if isinstance(details, dict):
        fields = [{"field": name, "message": _text(value)} for name, value in details.items()]
        message = "; ".join(f"{each['field']}: {each['message']}" for each in fields)
    else:
        message = _text(details)
    response = answer(message, error.status_code, fields, wait=getattr(error, "wait", None))
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    return response


def _text(detail: Any) -> str:
    if isinstance(detail, dict):
        return "; ".join(f"{name}: {_text(value)}" for name, value in detail.items())
    return " ".join(_text(each) for each in detail) if isinstance(detail, list) else str(detail)
