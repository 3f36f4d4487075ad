"""What a task type is made of: a function from work and a connection to an outcome, and helpers to read its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from deployments.connections.base import Connection, NodeProblem, Tried
from deployments.core.documents.texts import storable
from deployments.core.errors import FuelwebError
from deployments.wire.messages import Work


class BadParameters(FuelwebError):
    """The task's parameters are not what its type needs."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt. `reason` is one sentence for people, `summary` data of the task type, small and JSON-serialisable.

    Commands may print anything; what no database could keep (NUL characters, half surrogate pairs) becomes U+FFFD in both.
    """

    state: Literal["ready", "error", "skipped"]
    reason: str = ""
    summary: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", storable(self.reason))
        object.__setattr__(self, "summary", storable(self.summary))


class Executor(Protocol):
    """Carries out the tasks of one type. It tells failure by its outcome; `NodeProblem` and `BadParameters` count as one too."""

    def __call__(self, work: Work, node: Connection) -> Outcome: ...


def required(parameters: Mapping[str, Any], name: str) -> Any:
    """A parameter that must be there (the sentence is Astute's).

    Raises:
        BadParameters: it isn't.
    """
    value = parameters.get(name)
    if value is None:
        raise BadParameters(f"Missing a required parameter {name}")
    return value


def number(parameters: Mapping[str, Any], name: str, default: float) -> float:
    """A parameter that is a number ≥ 0, also where it is written as text.

    Raises:
        BadParameters: it isn't one.
    """
    value = parameters.get(name)
    if value is None:
        return default
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = -1.0
    if not 0.0 <= found < float("inf"):
        raise BadParameters(f"The parameter {name} must be a number of at least 0, not {value!r}.")
    return found


def try_times(node: Connection, tries: int, interval: float, one: Callable[[], Outcome]) -> Outcome:
    """The outcome of the first try that isn't an error, or of the last; with a pause of `interval` seconds between two.

    A stop lets the try that runs end and begins no other, also if it comes in the pause.
    """
    tries = max(1, tries)
    for number in range(1, tries + 1):
        try:
            outcome = one()
        except NodeProblem as problem:
            outcome = Outcome("error", str(problem))
        if outcome.state != "error" or number == tries:
            break
        what = node.before_next(Tried(number, tries, interval, outcome.reason))
        if what == "stopped":
            return replace(outcome, reason=f"{outcome.reason} {number} of {tries} tries, stopped.")
        if what == "halted":
            break
    return outcome
