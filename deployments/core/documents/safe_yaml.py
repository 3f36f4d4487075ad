"""YAML (and JSON, which is YAML) from people: data only, never more of it than was written, and nothing of it lost.

Anchors and aliases can make a few lines stand for billions of values; such a text is refused before anything is built from it.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from deployments.core.documents.duplicates import DuplicateKey, KeyLines, without_duplicates
from deployments.core.documents.numbers import refuse_infinite
from deployments.core.documents.typed import short
from deployments.core.errors import InvalidData

MOST_BYTES = 16 * 1024 * 1024
DEEPEST = 60
MOST_ALIASES = 10_000
MOST_VALUES = 2_000_000

_JSON_STARTS = ("{", "[", b"{", b"[")
_PLAIN = (str, int, float, bool, type(None))
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str | bytes, what: str, *, most_bytes: int = MOST_BYTES) -> Any:
    """The data of one YAML document.

    Args:
        what: what the text is, for messages ("The graph").

    Raises:
        InvalidData: it can't be parsed (with line and column), is too large, too deep or full of aliases, has a key twice in
            one mapping (with both lines), or holds what JSON can't.
    """
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > most_bytes:
        raise InvalidData(f"{what} has {size:,} bytes; at most {most_bytes:,} are read.")
    try:
        data = _json(text, what) if text.lstrip()[:1] in _JSON_STARTS else _yaml(text, what)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InvalidData(f"{what} is no valid YAML{place}: {error.problem or error.context}.") from error
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidData(f"{what} is no valid YAML: {' '.join(str(error).split())}.") from error
    except TypeError as error:
        raise InvalidData(f"{what} has a mapping with a key that is no plain value.") from error
    refuse_infinite(data, what)
    return data


def duplicate_key(text: str | bytes, what: str, error: DuplicateKey) -> InvalidData:
    """What to say of JSON in which a key stands twice: with both lines, unless it is indented in a way that YAML can't read."""
    try:
        _measure(text, what)
    except InvalidData as found:
        return found
    except yaml.YAMLError:
        pass
    return InvalidData(f"{what} can't be taken: {error}; only the last would count, so take one out.")


def _json(text: str | bytes, what: str) -> Any:
    """JSON is YAML, but its own parser is ten times as fast. (A list or mapping in YAML's flow style starts alike.)"""
    try:
        data = json.loads(text, object_pairs_hook=without_duplicates)
    except DuplicateKey as error:
        raise duplicate_key(text, what, error) from None
    except RecursionError:
        raise InvalidData(f"{what} is nested more than {DEEPEST} levels deep.") from None
    except ValueError:
        return _yaml(text, what)
    _check_depth(data, what, DEEPEST)
    return data


def _check_depth(value: Any, what: str, levels: int) -> None:
    if isinstance(value, dict | list):
        if not levels:
            raise InvalidData(f"{what} is nested more than {DEEPEST} levels deep.")
        for item in value.values() if isinstance(value, dict) else value:
            _check_depth(item, what, levels - 1)


def _yaml(text: str | bytes, what: str) -> Any:
    _measure(text, what)
    data = yaml.load(text, Loader=_LOADER)
    _check_kinds(data, what)
    return data


def _check_kinds(value: Any, what: str) -> None:
    """What is planned is stored and sent as JSON, which knows no dates, sets and bytes."""
    if isinstance(value, dict):
        for key, item in value.items():
            _check_kinds(item, what)
            if not isinstance(key, _PLAIN):
                raise InvalidData(f"{what} has the key {short(key)}: keys are texts, so put it in quotes.")
    elif isinstance(value, list):
        for item in value:
            _check_kinds(item, what)
    elif not isinstance(value, _PLAIN):
        raise InvalidData(f"{what} holds {short(value)}, for which JSON has no form: put dates and the like into quotes.")


def _measure(text: str | bytes, what: str) -> None:
    """Counts values as they would be once every alias is replaced by what it stands for; looks for keys that stand twice."""
    counter, keys = _Counter(what), KeyLines(what)
    for event in yaml.parse(text, Loader=_LOADER):
        keys.event(event)
        if isinstance(event, yaml.CollectionStartEvent):
            counter.open(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            counter.close()
        elif isinstance(event, yaml.AliasEvent):
            counter.alias(event.anchor or "")
        elif isinstance(event, yaml.ScalarEvent):
            counter.scalar(event.anchor)


class _Counter:
    def __init__(self, what: str) -> None:
        self._what = what
        self._values = self._aliases = 0
        self._sizes: dict[str, int] = {}
        self._open: list[tuple[str | None, int]] = []

    def open(self, anchor: str | None) -> None:
        self._open.append((anchor, self._values))
        self._count(1)
        if len(self._open) > DEEPEST:
            raise InvalidData(f"{self._what} is nested more than {DEEPEST} levels deep.")

    def close(self) -> None:
        anchor, before = self._open.pop()
        if anchor:
            self._sizes[anchor] = self._values - before

    def scalar(self, anchor: str | None) -> None:
        self._count(1)
        if anchor:
            self._sizes[anchor] = 1

    def alias(self, anchor: str) -> None:
        self._aliases += 1
        if self._aliases > MOST_ALIASES:
            raise InvalidData(f"{self._what} uses more than {MOST_ALIASES:,} aliases.")
        if any(anchor == name for name, _ in self._open):
            raise InvalidData(f"{self._what} has the alias '*{anchor}' inside of what it stands for.")
        self._count(self._sizes.get(anchor, 1))

    def _count(self, values: int) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            raise InvalidData(f"{self._what} stands for more than {MOST_VALUES:,} values once its aliases are replaced.")
