"""What the parameters of a task must be, by its type: checked when a graph is uploaded, and again when expressions have given them.

Whether a parameter is there is the executor's matter: many have defaults, and a graph may be merged into another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from reprlib import repr as short
from typing import Any

from deployments.core.errors import InvalidData

YEAR = 366 * 86_400.0
"""Seconds. What may take longer than that is a mistake, and no clock of ours can bear ten times as much."""
_YAQL = "yaql_exp"


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _is_number(value: Any) -> bool:
    number = _number(value)
    return number is not None and isfinite(number) and 0 <= number < YEAR


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or isinstance(value, int | float) and not isinstance(value, bool)


def _is_content(value: Any) -> bool:
    return isinstance(value, str)


def _is_mode(value: Any) -> bool:
    """Text is octal; a number was octal when YAML read it."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return False
    try:
        return 0 <= (int(value, 8) if isinstance(value, str) else value) <= 0o7777
    except ValueError:
        return False


Check = tuple[Callable[[Any], bool], str]
_SECONDS: Check = (_is_number, "a number of seconds, at least 0 and less than a year")
_COUNT: Check = (_is_number, "a number, at least 0")
_TEXT: Check = (_is_text, "a text")
_CONTENT: Check = (_is_content, "a text (what the file is to hold; `toJson` or `toYaml` of an expression make one of data)")
_MODE: Check = (_is_mode, "a file mode such as '0644'")

_ALL: Mapping[str, Check] = {"timeout": _SECONDS, "retries": _COUNT, "interval": _SECONDS}
PARAMETERS: Mapping[str, Mapping[str, Check]] = {
    "shell": {"cmd": _TEXT, "cwd": _TEXT},
    "upload_file": {
        "path": _TEXT, "data": _CONTENT, "permissions": _MODE, "dir_permissions": _MODE, "user_owner": _TEXT, "group_owner": _TEXT,
    },
}  # fmt: skip
"""By type: what its parameters must be, beside those that all types share."""


def check_parameters(task: str, kind: str, parameters: Any, *, node: str = "") -> None:
    """Refuse parameters that an executor could not use. Those that an expression still has to give pass.

    Args:
        node: where the task runs, once that is known.

    Raises:
        InvalidData: names the task, the parameter and what it must be.
    """
    if not isinstance(parameters, Mapping):
        return
    for name, (fits, must) in {**_ALL, **PARAMETERS.get(kind, {})}.items():
        value = parameters.get(name)
        if value is None or fits(value) or not node and _is_to_come(value):
            continue
        raise InvalidData(
            f"Task '{task}'{_on(node)}: the parameter {name} must be {must}, not {short(value)}.", task=task, node=node or None
        )
    _check_together(task, parameters, node)


def _check_together(task: str, parameters: Mapping[str, Any], node: str) -> None:
    """All tries and the pauses between them, as far as they are written."""
    timeout, retries, interval = (_number(parameters.get(name)) or 0.0 for name in ("timeout", "retries", "interval"))
    if timeout * (retries + 1) + interval * retries >= YEAR:
        raise InvalidData(
            f"Task '{task}'{_on(node)}: timeout, retries and interval together are a year or more: make them smaller.",
            task=task,
            node=node or None,
        )


def _is_to_come(value: Any) -> bool:
    """An expression, or a text with names in braces: known when it is planned."""
    return isinstance(value, Mapping) and _YAQL in value or isinstance(value, str) and "{" in value


def _on(node: str) -> str:
    return f" on node {node}" if node else ""
