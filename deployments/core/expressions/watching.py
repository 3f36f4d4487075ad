"""What an expression watches: the parts of it that it compares with old data, `$.a` and `$.b` in `changedAny($.a, $.b)`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from yaql.language import expressions as ast

_COMPARING = frozenset(("changed", "changedAny", "changedAll", "added", "deleted", "old"))
_DOTS = (".", "?.")


def watched_parts(expression: Any) -> dict[str, Any]:
    """The arguments of all functions that compare, by how they are written.

    A comparison inside a function of a list (`$.nodes.any(changed($.x))`) is about its items, which can't be told apart from outside:
    there the list itself is watched.
    """
    return {written(part): part for part in _watched(expression)}


def _watched(expression: Any) -> Iterator[Any]:
    if isinstance(expression, ast.Wrap):
        yield from _watched(expression.expr)
    elif isinstance(expression, ast.MappingRuleExpression):
        yield from _watched(expression.source)
        yield from _watched(expression.destination)
    elif isinstance(expression, ast.BinaryOperator) and expression.operator in _DOTS:
        inside = any(True for _ in _watched(expression.args[1]))
        yield from _watched(expression.args[0])
        if inside:
            yield expression.args[0]
    elif isinstance(expression, ast.Function):
        if expression.name in _COMPARING:
            yield from expression.args
        else:
            for argument in expression.args:
                yield from _watched(argument)


def written(expression: Any) -> str:
    """The expression as people would write it."""
    if isinstance(expression, ast.KeywordConstant):
        return str(expression.value)
    if isinstance(expression, ast.Constant):
        return json.dumps(expression.value) if not isinstance(expression.value, str) else f"'{expression.value}'"
    if isinstance(expression, ast.GetContextValue):
        return str(expression.path.value)
    if isinstance(expression, ast.MappingRuleExpression):
        return f"{written(expression.source)} => {written(expression.destination)}"
    if isinstance(expression, ast.Wrap):
        return f"({written(expression.expr)})"
    return _call(expression) if isinstance(expression, ast.Function) else str(expression)


def _call(function: Any) -> str:
    arguments = [written(argument) for argument in function.args]
    if isinstance(function, ast.BinaryOperator):
        space = "" if function.operator in _DOTS else " "
        return f"{arguments[0]}{space}{function.operator}{space}{arguments[1]}"
    if isinstance(function, ast.UnaryOperator):
        return f"{function.operator} {arguments[0]}"
    if isinstance(function, ast.IndexExpression):
        return f"{arguments[0]}[{', '.join(arguments[1:])}]"
    if isinstance(function, ast.ListExpression):
        return f"[{', '.join(arguments)}]"
    return f"{{{', '.join(arguments)}}}" if isinstance(function, ast.MapExpression) else f"{function.name}({', '.join(arguments)})"
