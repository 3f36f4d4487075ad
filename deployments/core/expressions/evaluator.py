"""Evaluates the expressions of tasks on the nodes of one cluster, each as seldom as its data allows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from deployments.core.errors import ExpressionError
from deployments.core.expressions import legacy
from deployments.core.expressions.canonical import Canon, Frozen, NotData
from deployments.core.expressions.formatting import NAMES
from deployments.core.expressions.language import Language
from deployments.core.expressions.memory import Memory, Tracer
from deployments.core.expressions.view import Reader, Root, View
from deployments.core.facts import ClusterFacts, PastFacts, PlanSettings
from deployments.core.plan import MASTER_NODE, SYNC_NODE
from deployments.core.time_limit import Limit, TimeUp

_LONGEST_SHOWN = 200
_PROPERTY = re.compile(r'Unknown function "#property#(.+)"')
"""What yaql says of `null.key`: it looks for a function that reads `key` from such a value."""


class _Statement:
    """One expression and what it gave so far; `work` is None until it is first needed."""

    __slots__ = ("memory", "parse", "work")

    def __init__(self, parse: Callable[[], Callable[[View], Any]]) -> None:
        self.parse = parse
        self.work: Callable[[View], Any] | None = None
        self.memory: Memory[Any] = Memory()


class Evaluator:
    """Knows the cluster's data in canonical form. One per plan."""

    def __init__(self, cluster: ClusterFacts, settings: PlanSettings, limit: Limit) -> None:
        self._cluster, self._settings, self._limit = cluster, settings, limit
        self.canon = Canon()
        self._tracer = Tracer()
        self._reader = Reader(self.canon, self._tracer)
        self._common: Frozen = self.canon.freeze(cluster.common)
        self._language = Language(self.canon, self._tracer, self._common)
        self._info = _deployment_info(cluster)
        self._new_roots: dict[str, tuple[Root, Root]] = {}
        self._past_common: dict[int, Frozen] = {}
        self._views: dict[tuple[str, int], View] = {}
        self._statements: dict[tuple[str, str], _Statement] = {}
        self._names: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._watched: dict[str, dict[str, Any]] = {}

    def view(self, task: str, node: str, *, fresh: bool | None = None) -> View:
        """What the task sees on the node; `fresh` overrules whether the node counts as one on which nothing has ever run."""
        forgotten = node in self._cluster.fresh if fresh is None else fresh
        past = None if forgotten else self._cluster.past(task, node)
        view = self._views.get((node, id(past)))
        if view is None:
            new, own = self._new_of(node)
            view = self._views[node, id(past)] = View(new, self._old_of(node, past), own)
        return view

    def yaql(self, text: str, view: View, *, task: str, node: str) -> Any:
        """The canonical value of a yaql expression.

        Raises:
            ExpressionError: it can't be parsed or evaluated, gives no data, or takes too long.
        """
        return self._value("yaql", text, view, task, node)

    def watched(self, text: str, view: View, *, task: str, node: str, past: bool = False) -> dict[str, Any]:
        """The parts of a yaql expression that it compares with old data, by how they are written, with their canonical values.

        Args:
            past: the values on the old data. A part that can't be worked out is null.

        Raises:
            ExpressionError: a part takes too long.
        """
        parts = self._watched.get(text)
        if parts is None:
            parts = self._watched[text] = self._language.watched(text)
        try:
            with self._limit(), self.canon.bounded():
                return {name: self._language.part(part, view, past=past) for name, part in parts.items()}
        except TimeUp as error:
            raise _failed(text, task, node, error) from error

    def legacy(self, text: str, view: View, *, task: str, node: str) -> Any:
        """The value of a legacy condition. Raises like `yaql`."""
        return self._value("legacy", text, view, task, node)

    def names(self, view: View) -> Mapping[str, Any]:
        """What the names in braces stand for on this view: one object for equal ones."""
        cluster, ssl = view.new.peek("cluster"), view.new.peek("public_ssl")
        version = view.new.peek("openstack_version")
        values = (_item(cluster, "id"), version if isinstance(version, str | int | float) else None, _item(ssl, "hostname"))
        names = self._names.get(values)
        if names is None:
            filled = (values[0], values[1], self._settings.master_ip, values[2], dict(self._settings.shown))
            names = self._names[values] = dict(zip(NAMES, filled, strict=True))
        return names

    # -- views ---------------------------------------------------------------------------------------------------------

    def _new_of(self, node: str) -> tuple[Root, Root]:
        roots = self._new_roots.get(node)
        if roots is None:
            own: Frozen = self.canon.freeze(self._info[node])
            top: Frozen = self.canon.freeze(_over(self._common, own))
            roots = self._new_roots[node] = (Root(self._reader, "new", top, self._common), Root(self._reader, "node", own))
        return roots

    def _old_of(self, node: str, past: PastFacts | None) -> Root:
        if past is None:
            return Root(self._reader, "old", self.canon.freeze({}))
        common = self._past_common.get(id(past))
        if common is None:
            common = self._past_common[id(past)] = self.canon.freeze(past.common)
        own = self.canon.freeze(past.nodes[node])
        return Root(self._reader, "old", self.canon.freeze(_over(common, own)), common)

    # -- values --------------------------------------------------------------------------------------------------------

    def _value(self, kind: str, text: str, view: View, task: str, node: str) -> Any:
        statement = self._statement(kind, text)
        if statement in view.values:
            return view.values[statement]
        try:
            with self._limit(), self.canon.bounded():
                value = view.values[statement] = self._found_or_evaluated(statement, view)
                return value
        except (Exception, TimeUp) as error:
            raise _failed(text, task, node, error) from error

    def _statement(self, kind: str, text: str) -> _Statement:
        statement = self._statements.get((kind, text))
        if statement is None:
            statement = self._statements[kind, text] = _Statement(lambda: self._parsed(kind, text))
        return statement

    def _parsed(self, kind: str, text: str) -> Callable[[View], Any]:
        if kind == "legacy":
            condition = legacy.parse(text)
            return lambda view: condition(view.new)
        expression = self._language.parse(text)
        return lambda view: self._language.evaluate(expression, view)

    def _found_or_evaluated(self, statement: _Statement, view: View) -> Any:
        if statement.work is None:
            statement.work = statement.parse()
        end = statement.memory.find(view)
        if end is not None:
            return end.result
        outer = self._tracer.begin()
        try:
            value = self.canon.freeze(statement.work(view))
        finally:
            trace = self._tracer.end(outer, keep=False)
        statement.memory.learn(trace, value)
        return value


def _deployment_info(cluster: ClusterFacts) -> dict[str, dict[str, Any]]:
    info = {node.uid: node.deployment_info() for node in cluster.nodes}
    info[MASTER_NODE] = {"uid": MASTER_NODE, "roles": [MASTER_NODE]}
    info[SYNC_NODE] = {}
    return info


def _over(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The keys in which a node's data differs from the common data: its own, mappings united with the common ones."""
    return {key: _union(common[key], value) if key in common else value for key, value in own.items()}


def _union(below: Any, above: Any) -> Any:
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    return {**below, **_over(below, above)}


def _item(data: Any, key: str) -> Any:
    value = data.get(key) if isinstance(data, Mapping) else None
    return value if isinstance(value, str | int | float) else None


def _failed(text: str, task: str, node: str, error: BaseException) -> ExpressionError:
    message = f"The expression {_shown(text)} of task '{task}' on node {node}: {_reason(error)}."
    return ExpressionError(message, task=task, node=node, where=text)


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return f"`{line if len(line) <= _LONGEST_SHOWN else line[:_LONGEST_SHOWN] + '…'}`"


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"the data has no key {error}"
    if isinstance(error, NotData):
        return f"it must give data, and {error}"
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if isinstance(error, MemoryError):
        return "it needs more memory than there is for planning"
    words = str(error).strip().rstrip(".")
    if found := _PROPERTY.fullmatch(words):
        return f"null, or a value that is no mapping, has no key '{found[1]}'"
    return words or type(error).__name__
