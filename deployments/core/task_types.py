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
USUAL_TIMEOUT = {"puppet": 5400.0, "shell": 300.0, "master_shell": 300.0, "upload_file": 60.0, "sync": 300.0, "reboot": 900.0}
"""Seconds, as Astute's defaults (each try of a shell task; the whole job of a puppet task)."""
OTHER_TIMEOUT = 3600.0
"""Seconds, of types that are not in `USUAL_TIMEOUT`."""
USUAL_TRIES = {"shell": 3, "master_shell": 3, "upload_file": 4, "sync": 11}
USUAL_PAUSE = 2.0
"""Seconds between two tries."""
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


def _is_switch(value: Any) -> bool:
    """No text: whoever writes 'no' in quotes would get a yes."""
    return isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


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
_SWITCH: Check = (_is_switch, "true or false, without quotes")
_FILES: Check = (_is_list, "a list like [{src: …, dst: …}]")
_COMMAND: Mapping[str, Check] = {"cmd": _TEXT, "cwd": _TEXT}
_MODES: Mapping[str, Check] = {"permissions": _MODE, "dir_permissions": _MODE}

_ALL: Mapping[str, Check] = {"timeout": _SECONDS, "retries": _COUNT, "interval": _SECONDS}
PARAMETERS: Mapping[str, Mapping[str, Check]] = {
    "shell": _COMMAND,
    "master_shell": _COMMAND,
    "upload_file": {
        "path": _TEXT, "data": _CONTENT, "user_owner": _TEXT, "group_owner": _TEXT, "overwrite": _SWITCH, "parents": _SWITCH, **_MODES,
    },
    "copy_files": {"files": _FILES, **_MODES},
    "sync": {"src": _TEXT, "dst": _TEXT},
}  # fmt: skip
"""By type: what its parameters must be, beside those that all types share. Of types that nothing carries out yet only what is sure."""


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
            f"Task '{task}'{_on(node)}: the parameter {name} must be {must}, not {short(value)}.",
            task=task,
            node=node or None,
            where=f"parameters.{name}",
        )
    _check_together(task, kind, parameters, node)


def _check_together(task: str, kind: str, parameters: Mapping[str, Any], node: str) -> None:
    """All tries and the pauses between them, as the owner reckons them. What an expression still has to give counts as nothing."""
    usual = {"timeout": USUAL_TIMEOUT.get(kind, OTHER_TIMEOUT), "retries": USUAL_TRIES.get(kind, 1) - 1.0, "interval": USUAL_PAUSE}
    written = {name: value for name in usual if (value := parameters.get(name)) is not None}
    timeout, retries, interval = (_number(value) or 0.0 for value in {**usual, **written}.values())
    if (timeout + interval) * (retries + 1) >= YEAR:
        raise InvalidData(
            f"Task '{task}'{_on(node)}: timeout, retries and interval together are a year or more: make them smaller.",
            task=task,
            node=node or None,
            where="parameters",
        )


def _is_to_come(value: Any) -> bool:
    """An expression, or a text with names in braces: known when it is planned."""
    return isinstance(value, Mapping) and _YAQL in value or isinstance(value, str) and "{" in value


def _on(node: str) -> str:
    return f" on node {node}" if node else ""
