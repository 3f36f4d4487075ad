"""Which executor carries out which task type. A new type is one line here and one module beside."""

from __future__ import annotations

from collections.abc import Mapping

from deployments.connections.base import Connection, NodeProblem
from deployments.executors.base import BadParameters, Executor, Outcome
from deployments.executors.rehearsal import rehearsal
from deployments.executors.shell import shell
from deployments.executors.upload_file import upload_file
from deployments.wire.messages import Work

_EXECUTORS: Mapping[str, Executor] = {
    "shell": shell,
    "upload_file": upload_file,
}


def runnable_types() -> frozenset[str]:
    """The task types that agents can carry out."""
    return frozenset(_EXECUTORS)


def touches_node(work: Work) -> bool:
    """Whether carrying this out does anything on the node."""
    return work.mode == "real" and work.type in _EXECUTORS


def execute(work: Work, node: Connection) -> Outcome:
    """Carry out an attempt. It never raises: what an executor raises is an outcome too, and its reason names the exception."""
    if work.mode == "rehearsal":
        return rehearsal(work, node)
    if work.mode == "noop":
        return Outcome("skipped", "Nothing was executed: this is a noop run.")
    executor = _EXECUTORS.get(work.type)
    if executor is None:
        return Outcome("error", f"Unknown task type '{work.type}'")
    try:
        return executor(work, node)
    except (BadParameters, NodeProblem) as problem:
        return Outcome("error", str(problem))
    except Exception as bug:
        return Outcome("error", f"The executor of {work.type} failed: {type(bug).__name__}: {bug}")
