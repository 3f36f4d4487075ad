"""The expression language of task graphs: yaql with Fuel's functions for comparing new data with old.

`$` is the new data of the node, `$node` its own part, `$common` the part common to all. Nothing here depends on the clock or on chance:
`now`, `random` and the like are not there.
"""

from __future__ import annotations

from collections.abc import ItemsView, KeysView
from typing import Any

from yaql.language import utils

from deployments.core.expressions.canonical import Canon, NotData
from deployments.core.expressions.differences import UNDEFINED, surplus
from deployments.core.expressions.memory import Memory, Question, Tracer
from deployments.core.expressions.rewriting import Remembered, defines_functions, key_of, reads_only_data, remember_parts
from deployments.core.expressions.view import Root, View
from deployments.core.expressions.vocabulary import SHAREABLE, new_context, new_engine
from deployments.core.expressions.watching import watched_parts

_VIEW = "$%view"


class Part:
    """A question that is itself an expression: its value on a view, or whether that has changed."""

    __slots__ = ("_language", "_memory", "_work")

    def __init__(self, language: Language, work: Any) -> None:
        self._language, self._work = language, work
        self._memory: Memory[Any] = Memory()

    def ask(self, view: View) -> int:
        try:
            return id(self.value(view))
        except NotData:
            return 0  # No past evaluation had this answer, so the expression is evaluated anew.

    def value(self, view: View) -> Any:
        """The canonical value.

        Raises:
            NotData: the value is a function or the like, so it can't be kept.
        """
        if self in view.answers:
            return view.answers[self]
        end = self._memory.find(view)
        value = end.result if end else self._evaluate(view)
        view.answers[self] = value
        return value

    def _evaluate(self, view: View) -> Any:
        tracer = self._language.tracer
        outer, kept = tracer.begin(), True
        try:
            value = self._work(view)
            if isinstance(value, KeysView | ItemsView):
                raise NotData("a view that is a set and has an order can't be kept as either")
            value = self._language.canon.freeze(value)
            kept = False
        finally:
            # What fails is evaluated as part of the expression around it, or ends the plan.
            trace = tracer.end(outer, keep=kept)
        self._memory.learn(trace, value)
        return value


class Language:
    """Parses and evaluates; remembers parts of expressions across views. One per plan."""

    def __init__(self, canon: Canon, tracer: Tracer, common: Any) -> None:
        self.canon, self.tracer = canon, tracer
        self._engine = new_engine()
        self._context = new_context(self, common)
        self._parts: dict[Any, Part] = {}
        self._opaque: set[Question] = set()

    def parse(self, text: str) -> Any:
        """The expression, ready for `evaluate`. Raises what yaql raises."""
        expression = self._engine(text).expression
        if defines_functions(expression):
            return _Unshared(expression)
        return remember_parts(expression, self._remembered)

    def evaluate(self, expression: Any, view: View) -> Any:
        """The canonical value on this view. Raises what yaql raises."""
        context = self._context_of(view)
        if isinstance(expression, _Unshared):
            context[SHAREABLE] = False
            expression = expression.inner
        value = expression(utils.NO_VALUE, context, self._engine)
        return self.canon.freeze(_defined(value))

    def watched(self, text: str) -> dict[str, Any]:
        """The parts of the expression that it compares with old data, by how they are written, ready for `part`."""
        expression = self._engine(text).expression
        if defines_functions(expression):
            # Its parts mean nothing outside of it, so all data counts.
            expression = self._engine("changed($)").expression
        return watched_parts(expression)

    def part(self, expression: Any, view: View, *, past: bool) -> Any:
        """The canonical value of a watched part on the new data or the old; null where it can't be worked out."""
        key = ("old" if past else "new", key_of(expression))
        work = self.on_old if past else self.on_new
        part = self._parts.get(key)
        if part is None:
            part = self._parts[key] = Part(self, lambda view: self.canon.freeze(_defined(work(expression, self._context_of(view)))))
        try:
            return part.value(view)
        except Exception:
            return None

    # -- the functions of the language ---------------------------------------------------------------------------------

    def on_new(self, expression: Any, context: Any) -> Any:
        """The value on the new data; a lazy one is worked out."""
        return self._on(expression, context[_VIEW].new, context)

    def on_old(self, expression: Any, context: Any) -> Any:
        """The value on the old data, `UNDEFINED` where that can't be worked out."""
        try:
            return self._on(expression, context[_VIEW].old, context)
        except Exception:
            return UNDEFINED

    def changed(self, expression: Any, context: Any) -> bool:
        """Whether the value differs between new and old."""
        return bool(self._shared("changed", expression, context, self._changed))

    def added(self, expression: Any, context: Any) -> Any:
        """What the new value has more than the old."""
        return self._shared("added", expression, context, self._added)

    def deleted(self, expression: Any, context: Any) -> Any:
        """What the old value has more than the new."""
        return self._shared("deleted", expression, context, self._deleted)

    def data(self, value: Any) -> Any:
        """Plain lists and dicts."""
        return self.canon.thaw(self.canon.freeze(_defined(value)))

    def _changed(self, expression: Any, context: Any) -> bool:
        new, old = self.on_new(expression, context), self.on_old(expression, context)
        return new is not old and bool(new != old)

    def _added(self, expression: Any, context: Any) -> Any:
        return surplus(self.on_new(expression, context), self.on_old(expression, context))

    def _deleted(self, expression: Any, context: Any) -> Any:
        return surplus(self.on_old(expression, context), self.on_new(expression, context))

    # -- inside --------------------------------------------------------------------------------------------------------

    def _on(self, expression: Any, root: Root, context: Any) -> Any:
        inner = context.create_child_context()
        inner["$"] = root
        value = expression(utils.NO_VALUE, inner, self._engine)
        try:
            return self.canon.freeze(value)
        except NotData:
            return value

    def _shared(self, word: str, expression: Any, context: Any, work: Any) -> Any:
        if not context[SHAREABLE] or not reads_only_data(expression):
            return work(expression, context)
        key = (word, key_of(expression))
        part = self._parts.get(key)
        if part is None:
            part = self._parts[key] = Part(self, lambda view: work(expression, self._context_of(view)))
        return self._told(part, context[_VIEW], lambda: work(expression, context))

    def _remembered(self, part: Remembered, context: Any, engine: Any) -> Any:
        view = context[_VIEW]
        if context["$"] is not view.new:
            return part.inner(utils.NO_VALUE, context, engine)
        question = self._parts.get(part.key)
        if question is None:
            question = self._parts[part.key] = Part(self, lambda view: part.inner(utils.NO_VALUE, self._context_of(view), engine))
        return self._told(question, view, lambda: part.inner(utils.NO_VALUE, context, engine))

    def _told(self, part: Part, view: View, otherwise: Any) -> Any:
        """The part's value, asked by the evaluation under way; parts that give no data are evaluated where they stand."""
        if part not in self._opaque:
            try:
                value = part.value(view)
            except NotData:
                self._opaque.add(part)
            else:
                self.tracer.note(part, id(value))
                return value
        return otherwise()

    def _context_of(self, view: View) -> Any:
        context = self._context.create_child_context()
        context["$"] = view.new
        context["$node"] = view.node
        context[_VIEW] = view
        return context


def _defined(value: Any) -> Any:
    return None if value is UNDEFINED else value


class _Unshared:
    """An expression with functions of its own: evaluated as a whole each time."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
