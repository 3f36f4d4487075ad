"""What comes out of a seal → values of the right types, in sensible bounds. A node's key proves who speaks, not that it makes sense."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from reprlib import repr as short
from typing import Any

from deployments.core.documents.texts import storable
from deployments.core.errors import FuelwebError
from deployments.wire.messages import AttemptKey, Heartbeat, Report

LONGEST_REASON = 4096
"""Characters of a reason; what is longer is cut, and says so."""
LONGEST_LACK = 200
"""Characters of why a node has no room."""
LARGEST_SUMMARY = 65_536
"""Characters of a summary as JSON; of a larger one only what is small is kept."""
_KEPT, _SMALL = 8, 4096
_DEEPEST = 20
_YEAR = 366 * 86_400.0
_MOST = 2**63 - 1
_STATES = {"started": ("started",), "trying": ("error",), "outcome": ("ready", "error", "skipped")}


class Unreadable(FuelwebError):
    """The message can't be read."""


class Nonsense(Unreadable):
    """The message was sealed by its node, but it makes no sense."""


def fields_of(plain: bytes) -> dict[str, object]:
    """The JSON mapping that a message is.

    Raises:
        Nonsense: it is none.
    """
    try:
        data = json.loads(plain)
    except (ValueError, RecursionError) as error:
        raise Nonsense("It is no JSON.") from error
    return _mapping(data, "It")


def report_of(data: object) -> Report:
    """A report; what it says too much of is cut.

    Raises:
        Nonsense: names the field that can't be.
    """
    given = _mapping(data, "The report")
    key = _mapping(given.get("key"), "Its attempt")
    ids = {name: _whole(key.get(name), f"Its {name}") for name in ("transaction", "run", "attempt", "number")}
    kind, state = given.get("kind"), given.get("state")
    if not isinstance(kind, str) or state not in _STATES.get(kind, ()):
        raise Nonsense(f"It is of kind {short(kind)} and state {short(state)}, which no report has.")
    reason, summary = given.get("reason", ""), given.get("summary", {})
    return Report(
        AttemptKey(node=_text(key.get("node"), "Its node"), **ids), kind, state,  # type: ignore[arg-type]
        _cut(storable(_text(reason, "Its reason"))), _bounded(_mapping(summary, "Its summary")),
        _seconds(given.get("duration", 0.0), "Its duration"),
    )  # fmt: skip


def heartbeat_of(data: object) -> Heartbeat:
    """A heartbeat.

    Raises:
        Nonsense: names the field that can't be.
    """
    given = _mapping(data, "The heartbeat")
    outcome = given.get("outcome")
    return Heartbeat(
        _text(given.get("node"), "Its node"), _whole(given.get("number", 0), "Its number"),
        report_of(outcome) if outcome is not None else None,
        _whole(given.get("places", 1), "Its places"), _whole(given.get("free", 1), "Its free places"),
        # It is shown in the words of others, so on one line and short.
        "".join(filter(str.isprintable, _text(given.get("lack", ""), "Its lack")))[:LONGEST_LACK],
        _text(given.get("fleet", ""), "Its fleet"),
    )  # fmt: skip


def _mapping(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Nonsense(f"{what} is no mapping but {short(value)}.")
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise Nonsense(f"{what} is no text but {short(value)}.")
    return value


def _whole(value: object, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST:
        raise Nonsense(f"{what} is no number that there can be: {short(value)}.")
    return value


def _seconds(value: object, what: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= _YEAR:
        raise Nonsense(f"{what} is no time that an attempt can take: {short(value)}.")
    return float(value)


def _cut(reason: str) -> str:
    if len(reason) <= LONGEST_REASON:
        return reason
    return f"{reason[:LONGEST_REASON]}… (the first {LONGEST_REASON} of {len(reason)} characters)"


def _bounded(summary: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = storable(_finite(summary))
    if len(json.dumps(told)) <= LARGEST_SUMMARY:
        return told
    small = {name: value[-_SMALL:] if isinstance(value, str) else value for name, value in list(told.items())[:_KEPT]}
    return {name: value for name, value in small.items() if len(name) + len(json.dumps(value)) < 2 * _SMALL} | {"cut": True}


def _finite(value: Any, depth: int = 0) -> Any:
    """The same without numbers that no database keeps.

    Raises:
        Nonsense: it is nested too deeply.
    """
    if depth > _DEEPEST:
        raise Nonsense(f"Its summary is nested more than {_DEEPEST} deep.")
    if isinstance(value, dict):
        return {name: _finite(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item, depth + 1) for item in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value
