"""What has been worked out once is found again wherever the same answers lead to it.

An evaluation asks questions of the data in an order that only the answers decide ("what is `storage` on this node?", "has
`network_scheme` changed?"). So its past runs form a tree: a question at each fork, a branch per answer, a result at each end. For
another node the tree is walked with that node's answers; only where no branch fits must the expression be evaluated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from deployments.core.expressions.view import View

Answer = int
"""Stands for a value: the `id` of its canonical object."""

Trace = dict["Question", Answer]
"""The questions that an evaluation asked, in order, each once."""

Result = TypeVar("Result")


class Question(Protocol):
    """Something about a view that always has the same answer for the same data. Told apart by identity."""

    def ask(self, view: View) -> Answer:
        """The answer, without leaving a trace."""


class _Fork:
    __slots__ = ("branches", "question")

    def __init__(self, question: Question) -> None:
        self.question = question
        self.branches: dict[Answer | None, Any] = {}


class _End(Generic[Result]):
    __slots__ = ("result",)

    def __init__(self, result: Result) -> None:
        self.result = result


class Memory(Generic[Result]):
    """The tree of past evaluations of one expression."""

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root: Any = None

    def find(self, view: View) -> _End[Result] | None:
        """The result (as `.result`), if an evaluation with the same answers has been learned."""
        step = self._root
        while type(step) is _Fork:
            step = step.branches.get(step.question.ask(view))
        return step  # type: ignore[no-any-return]

    def learn(self, trace: Trace, result: Result) -> None:
        """Remember where these answers led."""
        root = _Fork(_NOTHING)
        root.branches[None] = self._root
        fork, answer = root, None
        for question, found in trace.items():
            step = fork.branches.get(answer)
            if step is None:
                step = fork.branches[answer] = _Fork(question)
            elif type(step) is not _Fork or step.question is not question:
                return  # Not the way it went last time, so its answers don't decide it: better to evaluate again.
            fork, answer = step, found
        fork.branches[answer] = _End(result)
        self._root = root.branches[None]


class _Nothing:
    def ask(self, view: View) -> Answer:
        return 0


_NOTHING = _Nothing()


class Tracer:
    """Collects the questions of the evaluation that is under way; evaluations nest."""

    def __init__(self) -> None:
        self._trace: Trace = {}

    def note(self, question: Question, answer: Answer) -> None:
        """The evaluation under way asked this."""
        self._trace.setdefault(question, answer)

    def begin(self) -> Trace:
        """Start a trace of its own; give what is returned to `end`."""
        outer, self._trace = self._trace, {}
        return outer

    def end(self, outer: Trace, *, keep: bool) -> Trace:
        """Go back to the outer trace and return the inner one; `keep` adds the inner questions to the outer ones."""
        inner, self._trace = self._trace, outer
        if keep:
            for question, answer in inner.items():
                outer.setdefault(question, answer)
        return inner
