"""What every connection can do, and the values that go in and out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import quote

from deployments.core.errors import FuelwebError

How = Literal["exited", "timed out", "halted"]


def folder_name(node: str) -> str:
    """The node's uid as the name of one folder, whatever stands in it."""
    name = quote(node, safe="")
    return f"%2E{name[1:]}" if name.startswith(".") else name


class NodeProblem(FuelwebError):
    """The node can't do what the task asks."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended. `exit_code` is negative for a signal, as Python has it; `output` are the last lines of stdout and stderr."""

    how: How
    exit_code: int
    output: str


@dataclass(frozen=True, slots=True)
class Tried:
    """A try of a task that failed while others are left: the `number`th `of` so many, and seconds before the next."""

    number: int
    of: int
    pause: float
    reason: str


Next = Literal["go on", "halted", "stopped"]
"""Whether the next try may begin: not if a later attempt was allowed on the node, nor if the deployment is being stopped."""


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """Names a process for ever: a process id alone is given again to others.

    `start` is the leader's start time in clock ticks since boot, `boot` the machine's boot id.
    """

    group: int
    start: int
    boot: str


class Tries(Protocol):
    """Those who are to know of tries that fail, and who know of a stop."""

    def failed(self, tried: Tried) -> None:
        """A try failed, and another is to follow."""

    def stopped(self) -> bool:
        """Whether no other try may begin."""


class Watch(Protocol):
    """Is told of the process that runs on the node, so that it can be ended even if this agent is killed."""

    def alone(self) -> AbstractContextManager[None]:
        """What is done within it is done by no other attempt on this node at the same time.

        Raises NodeProblem if the attempt may do nothing more on its node: a later one was started there.
        """

    def begun(self, mark: ProcessMark) -> None:
        """The process exists, but has not run anything yet; it runs nothing if this raises (as `alone` does) or never returns."""

    def ending(self) -> None:
        """The whole group is about to be ended: what is left of it belongs to no result, even if its leader has ended."""

    def ended(self) -> None:
        """The process has ended; daemons it left are its result and stay."""


@dataclass(frozen=True, slots=True)
class FileSpec:
    """How a file is to stand on the node. Modes are numbers (0o644); None for an owner leaves it as it comes."""

    path: str
    data: bytes
    permissions: int = 0o644
    dir_permissions: int = 0o755
    user_owner: str | None = None
    group_owner: str | None = None
    overwrite: bool = True
    parents: bool = True


class Connection(Protocol):
    """The way to one node, for one attempt. All paths are the node's absolute ones."""

    def run(self, argv: Sequence[str], *, timeout: float, cwd: str = "/", env: Mapping[str, str] | None = None) -> Ended:
        """Run a command until its process ends (not until its output does: a daemon may keep that open).

        After `timeout` seconds the whole process group is ended.

        Raises:
            NodeProblem: the command could not be started.
        """

    def put(self, file: FileSpec) -> bool:
        """Write a file in one step: readers see the old one or the new one. False if one was there and was to be kept.

        Raises:
            NodeProblem: it could not be written.
        """

    def pause(self, seconds: float) -> bool:
        """Wait; False at once if the attempt is to end."""

    def before_next(self, tried: Tried) -> Next:
        """Wait for the time of the next try; ends early if there is to be none."""

    def halt(self) -> None:
        """End the attempt: what runs is ended (TERM, then KILL), nothing more is started. From any thread."""
