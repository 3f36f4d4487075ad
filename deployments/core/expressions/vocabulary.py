"""The functions and the grammar of the expression language: yaql's without clock and chance, and Fuel's."""

from __future__ import annotations

import collections.abc  # noqa: F401 - yaql uses it without importing it
import json
from copy import copy
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import yaml
import yaql
from yaql.language import contexts, factory, specs, yaqltypes

from deployments.core.expressions.canonical import MOST_ITEMS
from deployments.core.expressions.differences import UNDEFINED

if TYPE_CHECKING:
    from deployments.core.expressions.language import Language

SHAREABLE = "$%shareable"
"""False in the context of an expression whose parts can't be remembered across views."""

_MEMORY_QUOTA = 100 * 1024 * 1024
_NOT_PURE = ("now", "random", "randint", "localtz")
_YAML_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@lru_cache(maxsize=1)
def _prototype() -> Any:
    """Making the parser's tables takes longer than planning a small cluster."""
    options = {"yaql.limitIterators": MOST_ITEMS, "yaql.memoryQuota": _MEMORY_QUOTA, "yaql.convertSetsToLists": True}
    return yaql.YaqlFactory().create(options)


def new_engine() -> Any:
    """An engine with lexer and parser of its own, because these keep state while they parse."""
    made = _prototype()
    return factory.YaqlEngine(made.lexer.clone(), copy(made.parser), made.options, made.factory)


@lru_cache(maxsize=1)
def _standard_functions() -> Any:
    standard = yaql.create_context()
    for name in _NOT_PURE:
        for layer in _layers(standard):
            for function in layer.get_functions(name)[0]:
                layer.delete_function(function)
    return standard


def new_context(language: Language, common: Any) -> contexts.Context:
    """What every expression knows: yaql's own functions, Fuel's (which ask `language`), and `$common`."""
    context = _standard_functions().create_child_context()
    context["$common"] = common
    context[SHAREABLE] = True
    for name, function in {**_comparing(language), **_printing(language)}.items():
        context.register_function(function, name=name)
    return context


def _layers(context: Any) -> Any:
    while context is not None:
        yield context
        context = context.parent


def _comparing(language: Language) -> dict[str, Any]:
    def comparing(function: Any) -> Any:
        return specs.parameter("expression", yaqltypes.YaqlExpression())(specs.inject("context", yaqltypes.Context())(function))

    def comparing_all(function: Any) -> Any:
        return specs.parameter("expressions", yaqltypes.YaqlExpression())(specs.inject("context", yaqltypes.Context())(function))

    return {
        "new": comparing(lambda expression, context: language.on_new(expression, context)),
        "old": comparing(lambda expression, context: language.on_old(expression, context)),
        "changed": comparing(lambda expression, context: language.changed(expression, context)),
        "added": comparing(lambda expression, context: language.added(expression, context)),
        "deleted": comparing(lambda expression, context: language.deleted(expression, context)),
        "changedAny": comparing_all(lambda context, *expressions: any(language.changed(part, context) for part in expressions)),
        "changedAll": comparing_all(lambda context, *expressions: all(language.changed(part, context) for part in expressions)),
    }


def _printing(language: Language) -> dict[str, Any]:
    def method(function: Any) -> Any:
        return specs.extension_method(specs.parameter("value", yaqltypes.PythonType(object, nullable=True))(function))

    return {
        "isUndef": method(lambda value: value is UNDEFINED),
        "toYaml": method(lambda value: yaml.dump(language.data(value), Dumper=_YAML_DUMPER, default_flow_style=False)),
        "toJson": method(lambda value: json.dumps(language.data(value))),
    }
