"""What the API reads and writes: JSON and YAML, and here and there CSV and DOT."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from django.conf import settings
from rest_framework.exceptions import NotAcceptable, ParseError, UnsupportedMediaType
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from deployments.core.documents import safe_yaml
from deployments.core.documents.duplicates import DuplicateKey, without_duplicates
from deployments.core.errors import FuelwebError

MOST_BYTES: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
"""The largest body that is read anywhere: a graph, the settings of a cluster, a list of nodes."""
USUAL_BYTES = 1024 * 1024
"""The largest body of all other requests."""
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""Written in C where there is one: more than twice as fast."""
_INVALID = "Invalid json received"
_DEEPEST = 100


class Json(JSONRenderer):
    """JSON; nothing is `null`, since clients read the body of every answer but 204."""

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None) -> bytes:
        """The data as JSON."""
        if data is None and renderer_context and renderer_context["response"].status_code != 204:
            return b"null"
        return bytes(super().render(data, accepted_media_type, renderer_context))


class Yaml(BaseRenderer):
    """YAML, for people and for `curl`."""

    media_type = "application/x-yaml"
    format = "yaml"
    charset = "utf-8"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None) -> str:
        """The same data as JSON would show."""
        if data is None and renderer_context and renderer_context["response"].status_code == 204:
            return ""
        return yaml_text(json.loads(JSONRenderer().render(data, "application/json", {}) or b"null"))


def yaml_text(data: Any) -> str:
    """Plain data as YAML."""
    return str(yaml.dump(data, Dumper=_DUMPER, allow_unicode=True, sort_keys=False, default_flow_style=False))


class JsonBody(JSONParser):
    """JSON that a database can take."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        """The data.

        Raises:
            ParseError: it is none, too large or too deep, or has characters that can't be stored.
        """
        text = _limited(stream)
        if not text.strip():
            return {}
        try:
            data = json.loads(text, parse_constant=_no_constant, object_pairs_hook=without_duplicates)
        except DuplicateKey as error:
            raise ParseError(str(safe_yaml.duplicate_key(text, "The body", error))) from error
        except (ValueError, RecursionError) as error:
            raise ParseError(f"{_INVALID}: {error}") from error
        _check(data, 0)
        return data


class YamlBody(BaseParser):
    """The same in YAML."""

    media_type = "application/x-yaml"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        """The data.

        Raises:
            ParseError: it is none, too large or too deep, or has characters that can't be stored.
        """
        try:
            data = safe_yaml.load(_limited(stream), "The body", most_bytes=MOST_BYTES)
        except FuelwebError as error:
            raise ParseError(str(error)) from error
        _check(data, 0)
        return _with_texts_as_keys(data)


class Negotiation(DefaultContentNegotiation):
    """Fuel's: what can't be answered as wished is 415. A view's `also` names types that it answers beside the usual ones."""

    def select_renderer(self, request: Request, renderers: Sequence[BaseRenderer], format_suffix: str | None = None) -> Any:
        """The renderer, and the media type that was accepted."""
        try:
            return super().select_renderer(request, renderers, format_suffix)
        except NotAcceptable:
            also = getattr(request.parser_context["view"], "also", ())
            if any(wants(request, kind) for kind in also):
                return renderers[0], renderers[0].media_type
            raise UnsupportedMediaType(
                request.headers.get("Accept", ""), "This can be answered as application/json or application/x-yaml."
            ) from None


def wants(request: Request, kind: str) -> bool:
    """Whether the request asks for this media type by its full name."""
    return kind in {part.split(";")[0].strip().lower() for part in request.headers.get("Accept", "").split(",")}


def _limited(stream: Any) -> str:
    raw: bytes = stream.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise ParseError(f"The body is longer than {MOST_BYTES // 1024 // 1024} MB.")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParseError(f"{_INVALID}: it is not UTF-8.") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _check(data: Any, depth: int) -> None:
    if depth > _DEEPEST:
        raise ParseError(f"The body is nested more than {_DEEPEST} levels deep.")
    if isinstance(data, str):
        if "\0" in data or any("\ud800" <= letter <= "\udfff" for letter in data):
            raise ParseError("The body has characters that can't be stored.")
    elif isinstance(data, float):
        if not math.isfinite(data):
            raise ParseError("The body has a number that is infinite or none at all: JSON has no form for it.")
    elif isinstance(data, dict):
        for key, value in data.items():
            _check(key, depth + 1)
            _check(value, depth + 1)
    elif isinstance(data, list):
        for value in data:
            _check(value, depth + 1)


def _with_texts_as_keys(data: Any) -> Any:
    """Keys as JSON has them: YAML's numbers and truth values become what JSON would write."""
    if isinstance(data, list):
        return [_with_texts_as_keys(value) for value in data]
    if not isinstance(data, dict):
        return data
    found = {key if isinstance(key, str) else json.dumps(key): _with_texts_as_keys(value) for key, value in data.items()}
    if len(found) < len(data):
        raise ParseError("The body has a mapping with a key that is there twice, as a text and as something else.")
    return found
