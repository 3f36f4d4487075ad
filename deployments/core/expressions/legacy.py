"""Conditions in the form older graphs use: `settings:storage.objects_ceph.value == true and not ('a' in settings:list)`.

They read the same data as yaql: `settings:a.b.value` is `$.a.b`, `cluster:mode` is `$.cluster.mode`. A missing key is null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Data = Mapping[str, Any]
Condition = Callable[[Data], Any]
"""Takes the new data of a node; the truth of what it returns counts."""

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<path>\w+:[\w.\-]+\??)
      | (?P<number>-?\d+\b)
      | (?P<string>"[^"]*"|'[^']*')
      | (?P<sign>==|!=|\(|\))
      | (?P<word>\w+)
    )""",
    re.VERBOSE,
)
_CONSTANTS = {"true": True, "false": False, "null": None}
_MOST_NESTED = 100


class BadCondition(ValueError):
    """The condition can't be read."""


def parse(text: str) -> Condition:
    """Read a condition.

    Raises:
        BadCondition: says what was expected, and where.
    """
    return _Parser(text).parse()


class _Parser:
    """One method per level of binding: or, and, not, comparison, value."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0
        self._nested = 0

    def parse(self) -> Condition:
        condition = self._either()
        if self._next < len(self._tokens):
            raise BadCondition(f"{self._tokens[self._next][1]!r} stands where the condition should end")
        return condition

    def _either(self) -> Condition:
        left = self._both()
        while self._take("or"):
            left = _either(left, self._both())
        return left

    def _both(self) -> Condition:
        left = self._negation()
        while self._take("and"):
            left = _both(left, self._negation())
        return left

    def _negation(self) -> Condition:
        if not self._take("not"):
            return self._comparison()
        self._deeper()
        inner = self._negation()
        self._nested -= 1
        return lambda data: not inner(data)

    def _comparison(self) -> Condition:
        left = self._value()
        while word := self._take("==", "!=", "in", "not"):
            if word == "not" and not self._take("in"):
                raise BadCondition("'not' stands between two values without 'in'")
            left = _compared("not in" if word == "not" else word, left, self._value())
        return left

    def _value(self) -> Condition:
        if self._next >= len(self._tokens):
            raise BadCondition("the condition ends where a value should stand")
        kind, text = self._tokens[self._next]
        self._next += 1
        if text == "(":
            self._deeper()
            inner = self._either()
            if not self._take(")"):
                raise BadCondition("a bracket is not closed")
            self._nested -= 1
            return inner
        return _value(kind, text)

    def _deeper(self) -> None:
        self._nested += 1
        if self._nested > _MOST_NESTED:
            raise BadCondition(f"brackets and 'not' are nested more than {_MOST_NESTED} deep")

    def _take(self, *texts: str) -> str:
        if self._next < len(self._tokens):
            kind, text = self._tokens[self._next]
            if kind != "string" and text in texts:
                self._next += 1
                return text
        return ""


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, place = [], 0
    end = len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            raise BadCondition(f"{text[place:].strip()[:20]!r} can't be read")
        tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
        place = match.end()
    return tokens


def _value(kind: str, text: str) -> Condition:
    if kind == "path":
        return _path(text)
    if kind == "number":
        return _constant(int(text))
    if kind == "string":
        return _constant(text[1:-1])
    if text in _CONSTANTS:
        return _constant(_CONSTANTS[text])
    raise BadCondition(f"{text!r} stands where a value should stand (texts need quotes)")


def _constant(value: Any) -> Condition:
    return lambda data: value


def _path(text: str) -> Condition:
    model, _, rest = text.rstrip("?").partition(":")
    keys = rest.split(".")
    if keys[-1] == "value":
        keys.pop()
    if model != "settings":
        keys.insert(0, model)
    elif keys[:1] == ["common"]:
        del keys[0]
    elif keys[:1] == ["additional_components"] and len(keys) == 2:
        keys = [keys[1], "enabled"]
    return lambda data: _read(data, keys)


def _read(data: Any, keys: list[str]) -> Any:
    for key in keys:
        if not isinstance(data, Mapping) or key not in data:
            return None
        data = data[key]
    return data


def _either(left: Condition, right: Condition) -> Condition:
    return lambda data: left(data) or right(data)


def _both(left: Condition, right: Condition) -> Condition:
    return lambda data: left(data) and right(data)


def _compared(word: str, left: Condition, right: Condition) -> Condition:
    if word == "==":
        return lambda data: left(data) == right(data)
    if word == "!=":
        return lambda data: left(data) != right(data)
    if word == "in":
        return lambda data: _contains(right(data), left(data))
    return lambda data: not _contains(right(data), left(data))


def _contains(container: Any, value: Any) -> bool:
    if isinstance(container, str):
        return isinstance(value, str) and value in container
    return isinstance(container, Mapping | tuple | list) and value in container
