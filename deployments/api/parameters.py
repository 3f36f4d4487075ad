"""Query parameters, read as Nailgun reads them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from rest_framework.request import Request

from deployments.api.errors import BadRequest, TooLarge

_TRUE, _FALSE = ("1", "t", "true"), ("", "0", "f", "false")


def check_text(request: Request) -> None:
    """Refuse text that no database takes.

    Raises:
        BadRequest: the address or a parameter has a NUL character or half a surrogate pair.
    """
    if _unstorable(request.path):
        raise BadRequest("The address has characters that can't be stored.")
    for name, values in request.query_params.lists():
        if _unstorable(name) or any(map(_unstorable, values)):
            raise BadRequest("The parameters have characters that can't be stored.")


def _unstorable(text: str) -> bool:
    return "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text)


def check_size(request: Request, most: int) -> None:
    """Refuse a body of more than so many bytes before any of it is read.

    Raises:
        TooLarge: it has more.
    """
    if content_length(request.META) > most:
        raise TooLarge(most)


def content_length(meta: Mapping[str, Any]) -> int:
    """How many bytes the body has, as the header says; what is no number counts as none, and none are read."""
    given = str(meta.get("CONTENT_LENGTH") or "0")
    if not (given.isascii() and given.isdecimal()):
        return 0
    return int(given) if len(given) <= 18 else 10**18


def flag(request: Request, name: str) -> bool:
    """A yes or no: `1 t true` or `0 f false`, in small or capital letters; absent = no.

    Raises:
        BadRequest: it is something else.
    """
    value = request.query_params.get(name, "").lower()
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise BadRequest(f"Cannot convert {value!r} to a boolean: write 1 or 0 for {name}.")


def words(request: Request, name: str) -> list[str]:
    """A list joined by commas, or by naming the parameter again (`nodes=3&nodes=4`); empty if absent."""
    return [word.strip() for given in request.query_params.getlist(name) for word in given.split(",") if word.strip()]


def optional_words(request: Request, name: str) -> list[str] | None:
    """The same; None if the parameter is absent."""
    return words(request, name) if name in request.query_params else None


def known_words(request: Request, name: str, known: Collection[str], complaint: str) -> list[str]:
    """A list of which every word must be known.

    Raises:
        BadRequest: one is not.
    """
    found = words(request, name)
    if not set(found) <= set(known):
        raise BadRequest(f"{complaint}: {', '.join(known)}")
    return found


def number(request: Request, name: str) -> int | None:
    """A whole number of at most 18 digits; None if absent or empty.

    Raises:
        BadRequest: it is something else.
    """
    text = request.query_params.get(name, "").strip()
    if not text:
        return None
    return whole(text)


def numbers(request: Request, name: str) -> list[int]:
    """A list of whole numbers joined by commas.

    Raises:
        BadRequest: one is something else.
    """
    return [whole(word, "Comma-separated numbers list expected") for word in words(request, name)]


def whole(text: str, complaint: str = "") -> int:
    """A whole number, not negative, of at most 18 digits.

    Raises:
        BadRequest: it is something else.
    """
    if text.isascii() and text.isdecimal() and len(text) <= 18:
        return int(text)
    raise BadRequest(complaint or f'Cannot convert "{text[:50]}" to int')


def refuse_strange(data: Mapping[str, Any], known: Collection[str], shown: Mapping[str, Any] = MappingProxyType({})) -> None:
    """Refuse keys of a body that would change nothing; what is sent back as it was shown passes.

    Raises:
        BadRequest: names them.
    """
    strange = sorted(key for key, value in data.items() if key not in known and not (key in shown and shown[key] == value))
    if strange:
        raise BadRequest(f"{', '.join(strange)[:500]}: can't be set here; what can be is {', '.join(sorted(known))}.")
