"""Looks into parsed expressions: which parts are the same, which depend on nothing but the data, and so are worth remembering.

The language gives no hook for this, so the parsed tree itself gets extra nodes (`Remembered`).
"""

from __future__ import annotations

import collections.abc  # noqa: F401 - yaql uses it without importing it
from collections.abc import Callable, Hashable, Iterator
from typing import Any

from yaql.language import expressions as ast
from yaql.language import utils

_DOTS = frozenset((".", "?."))
_CHEAP = frozenset(("get", "len", "matches", "concat", "changed", "changedAny", "changedAll", "switch", "isUndef", "new", "old"))
"""Functions that take no time by themselves: what consists of these only is not worth a place in memory."""

_ENDLESS = frozenset(("repeat", "cycle", "sequence", "generate", "generateMany"))
"""Functions whose sequence may have no end, so their result must stay lazy."""

_DEFINING = frozenset(("def", "call", "lambda"))
"""An expression that makes functions of its own may give any word another meaning."""

Evaluate = Callable[[Any, Any, Any], Any]


class Remembered(ast.Expression):  # type: ignore[misc]
    """A part of an expression whose value depends on `$` alone; `evaluate(self, context, engine)` may know it already."""

    def __init__(self, inner: Any, key: Hashable, evaluate: Evaluate) -> None:
        self.inner, self.key, self._evaluate = inner, key, evaluate
        self.uses_receiver = inner.uses_receiver

    def __call__(self, receiver: Any, context: Any, engine: Any) -> Any:
        if receiver is not utils.NO_VALUE:
            return self.inner(receiver, context, engine)
        return self._evaluate(self, context, engine)

    def __str__(self) -> str:
        return str(self.inner)


def function_names(expression: Any) -> set[str]:
    """Every function that the expression calls, operators left out."""
    return {part.name for part in _parts(expression) if isinstance(part, ast.Function) and not part.name.startswith(("#", "*"))}


def defines_functions(expression: Any) -> bool:
    """Whether the same words may mean something else inside this expression."""
    return not function_names(expression).isdisjoint(_DEFINING)


def key_of(expression: Any) -> Hashable:
    """The same for expressions that are written alike; unlike text, it can't confuse two different ones."""
    if isinstance(expression, Remembered):
        return expression.key
    if isinstance(expression, ast.Constant):
        return (type(expression).__name__, type(expression.value).__name__, expression.value)
    if isinstance(expression, ast.Function):
        return (type(expression).__name__, expression.name, *map(key_of, expression.args))
    if isinstance(expression, ast.MappingRuleExpression):
        return ("=>", key_of(expression.source), key_of(expression.destination))
    if isinstance(expression, ast.Wrap):
        return key_of(expression.expr)
    return object()


def reads_only_data(expression: Any) -> bool:
    """Whether `$` is the only variable in it."""
    return all(_variable(part) in (None, "$") for part in _parts(expression))


def remember_parts(expression: Any, evaluate: Evaluate) -> Any:
    """Put a `Remembered` around every part that is worth it; returns the expression to use instead."""
    if isinstance(expression, ast.MappingRuleExpression):
        expression.source = remember_parts(expression.source, evaluate)
        expression.destination = remember_parts(expression.destination, evaluate)
        return expression
    if isinstance(expression, ast.Wrap):
        expression.expr = remember_parts(expression.expr, evaluate)
        return expression
    if not isinstance(expression, ast.Function) or isinstance(expression, ast.GetContextValue):
        return expression
    _remember_arguments(expression, evaluate)
    return Remembered(expression, key_of(expression), evaluate) if _worth_it(expression) else expression


def _remember_arguments(function: Any, evaluate: Evaluate) -> None:
    arguments = list(function.args)
    is_call = isinstance(function, ast.BinaryOperator) and function.operator in _DOTS
    if is_call and isinstance(arguments[1], ast.Function):
        # The right side is a method: it means nothing without what stands on the left.
        _remember_arguments(arguments[1], evaluate)
        arguments = arguments[:1]
    remembered = [remember_parts(argument, evaluate) for argument in arguments]
    function.args = (*remembered, *function.args[len(arguments) :])


def _worth_it(expression: Any) -> bool:
    names = function_names(expression)
    return (
        bool(names - _CHEAP)
        and names.isdisjoint(_ENDLESS)
        and reads_only_data(expression)
        and any(_variable(part) == "$" for part in _parts(expression))
    )


def _variable(part: Any) -> str | None:
    return str(part.path.value) if isinstance(part, ast.GetContextValue) else None


def _parts(expression: Any) -> Iterator[Any]:
    yield expression
    for part in _children(expression):
        yield from _parts(part)


def _children(expression: Any) -> tuple[Any, ...]:
    if isinstance(expression, ast.Function):
        return tuple(expression.args)
    if isinstance(expression, ast.MappingRuleExpression):
        return (expression.source, expression.destination)
    if isinstance(expression, Remembered):
        return (expression.inner,)
    return (expression.expr,) if isinstance(expression, ast.Wrap) else ()
