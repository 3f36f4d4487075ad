"""A part of a task as it was written, to be filled in per node; what comes out the same is one object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deployments.core.errors import InvalidData
from deployments.core.expressions.evaluator import Evaluator
from deployments.core.expressions.formatting import fill_in
from deployments.core.expressions.view import View

YAQL = "yaql_exp"
_AS_IT_IS = "regex"
"""Nothing below a key of this name is formatted or evaluated (Nailgun: such texts are full of braces)."""


class Template:
    """A value with texts to format and expressions to evaluate anywhere in it."""

    def __init__(self, written: Any, task: str) -> None:
        self._written, self._task = written, task
        self.expressions = tuple(dict.fromkeys(_expressions(written, task)))
        self._has_braces = _has_braces(written)
        self._filled: dict[tuple[int, ...], Any] = {}

    @property
    def is_expression(self) -> bool:
        """Whether all of it is one expression."""
        return isinstance(self._written, Mapping) and YAQL in self._written

    def fill(self, evaluator: Evaluator, view: View, node: str) -> Any:
        """The value on this view: plain data, not to be changed; the same object wherever it is filled with the same values.

        Raises:
            ExpressionError: an expression in it can't be evaluated.
        """
        if not self.expressions and not self._has_braces:
            return self._written
        values = [evaluator.yaql(text, view, task=self._task, node=node) for text in self.expressions]
        names = evaluator.names(view)
        key = (id(names), *map(id, values))
        if key not in self._filled:
            plain = {text: evaluator.canon.thaw(value) for text, value in zip(self.expressions, values, strict=True)}
            self._filled[key] = _filled(self._written, names, plain)
        return self._filled[key]


def _filled(value: Any, names: Mapping[str, Any], results: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return fill_in(value, names)
    if isinstance(value, list | tuple):
        return [_filled(item, names, results) for item in value]
    if not isinstance(value, Mapping):
        return value
    if YAQL in value:
        return results[value[YAQL]]
    return {key: item if key == _AS_IT_IS else _filled(item, names, results) for key, item in value.items()}


def _expressions(value: Any, task: str) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _expressions(item, task)
    elif isinstance(value, Mapping):
        if YAQL in value:
            yield _text_of(value[YAQL], task)
            return
        for key, item in value.items():
            if key != _AS_IT_IS:
                yield from _expressions(item, task)


def _text_of(expression: Any, task: str) -> str:
    if not isinstance(expression, str):
        raise InvalidData(f"In task '{task}' a `{YAQL}` holds {expression!r}: it must hold an expression as text.", task=task)
    return expression


def _has_braces(value: Any) -> bool:
    if isinstance(value, str):
        return "{" in value or "}" in value
    if isinstance(value, Mapping):
        return YAQL not in value and any(_has_braces(item) for key, item in value.items() if key != _AS_IT_IS)
    return isinstance(value, list | tuple) and any(map(_has_braces, value))
