"""What can be wrong with a request, said so that a person can act on it."""

from __future__ import annotations

LONGEST = 4_000
"""A message that quotes more of somebody's data than this many characters is cut."""


class FuelwebError(Exception):
    """The request can't be carried out.

    An error without a message speaks the first line of its class's docstring. `task`, `node` and `where` say what it is about,
    where that is known. Errors are picklable: they cross process borders.
    """

    def __init__(self, message: str = "", *, task: str | None = None, node: str | None = None, where: str | None = None) -> None:
        super().__init__(message)
        self.message = _cut(message) or (type(self).__doc__ or "").strip().splitlines()[0]
        self.task, self.node, self.where = task, node, where and _cut(where)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.task, self.node, self.where)

    @property
    def kind(self) -> str:
        """The name by which scripts tell errors apart."""
        return type(self).__name__

    def as_dict(self) -> dict[str, str]:
        """`{kind, message, task?, node?, where?}`, as the commands and the API print it."""
        about = {"task": self.task, "node": self.node, "where": self.where}
        return {"kind": self.kind, "message": self.message, **{key: value for key, value in about.items() if value is not None}}


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _rebuild(kind: type[FuelwebError], message: str, task: str | None, node: str | None, where: str | None) -> FuelwebError:
    return kind(message, task=task, node=node, where=where)


class InvalidData(FuelwebError):
    """The graph or the cluster description is not valid."""


class LoopDetected(FuelwebError):
    """The tasks wait for each other in a circle, so none of them could ever start."""


class ExpressionError(FuelwebError):
    """An expression of the graph could not be evaluated."""


class TaskBaseDeploymentNotAllowed(FuelwebError):
    """A task is too old for task-based deployment."""


class CriticalNodesOffline(FuelwebError):
    """Nodes that the deployment can't do without have no agent."""


class IllegalTransition(FuelwebError):
    """The move between these two states is not allowed."""
