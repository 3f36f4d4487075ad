"""One attempt at a time on a node, even if agents are killed: a lock file names the process that runs there.

It is written before the process runs anything and removed when the process has ended. Who finds one ends what it names first.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from deployments.agent.memory import NodeMemory, Occupied, overwrite
from deployments.agent.room import wanted_in
from deployments.connections import processes
from deployments.connections.base import NodeProblem, ProcessMark

logger = logging.getLogger(__name__)

GRACE_SECONDS = 5.0
_MARK_BYTES = 128
"""The length of the lock file, whatever it names: it is written where it has its room already."""


class Unfenced(NodeProblem):
    """What an earlier attempt left running on the node could not be ended."""


class Fence:
    """See `Watch`: the one of the attempt with this dispatch number. `leased` tells whether it can't have been given up meanwhile."""

    def __init__(self, memory: NodeMemory, number: int, leased: Callable[[], bool]) -> None:
        self._memory, self._number, self._leased = memory, number, leased
        self._path = memory.folder / "attempt.lock"
        self._spare = _spare(memory)
        self._ending = memory.folder / "attempt.ending"
        """There while a whole group is being ended: if the agent is killed meanwhile, the leader may be gone, but not the others."""
        self._mark: ProcessMark | None = None

    def clear(self) -> None:
        """End what an earlier attempt left (TERM, then KILL); daemons of an attempt whose own process had ended stay.

        Raises:
            Unfenced: it could not be ended, or nobody can tell what it was.
        """
        with self._memory.guard():
            left = self._read()
            if left is not None and (processes.lives(left) or self._ending.exists() and processes.remains(left)):
                self._ending.touch()
                self._end(left)
            if self._path.exists():
                os.replace(self._path, self._spare)
            self._ending.unlink(missing_ok=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """See `Watch`."""
        with self._memory.guard():
            self._check()
            yield

    def begun(self, mark: ProcessMark) -> None:
        """See `Watch`."""
        with self._memory.guard():
            self._check()
            left = self._read()
            if left is not None and processes.lives(left):
                # An earlier try of this very attempt, which could not be ended.
                raise _unfenced(left)
            try:
                overwrite(self._spare, json.dumps(asdict(mark)).ljust(_MARK_BYTES).encode())
                os.replace(self._spare, self._path)
            except OSError as error:
                raise NodeProblem(f"The command was not started: {self._spare} can't be written: {error.strerror}.") from error
            self._mark = mark

    def ending(self) -> None:
        """See `Watch`."""
        try:
            with self._memory.guard():
                if self._is_mine():
                    self._ending.touch()
        except (OSError, Occupied, Unfenced) as error:
            logger.warning("It can't be noted that dispatch %s is being ended: %s", self._number, error)

    def ended(self) -> None:
        """See `Watch`. A later attempt's lock stays."""
        try:
            with self._memory.guard():
                if self._is_mine():
                    # Not removed: so the next lock has its room, however full the disk is by then.
                    os.replace(self._path, self._spare)
                    self._ending.unlink(missing_ok=True)
        except (OSError, Occupied, Unfenced) as error:
            # Its process has ended, so the next attempt finds nothing to end.
            logger.warning("The lock of dispatch %s stays behind: %s", self._number, error)

    def _is_mine(self) -> bool:
        return self._mark is not None and self._read() == self._mark

    def _check(self) -> None:
        if self._memory.highest() != self._number:
            raise NodeProblem("The attempt was ended: a later attempt was started on the node.")
        # An agent that was frozen after its claim may go on when its transaction is long over. Once something runs, the lease may run
        # out (Redis is away): what runs goes on, and shows itself again.
        if self._mark is None and not self._leased():
            raise NodeProblem("The attempt was not started: its lease had run out before.")

    def _end(self, left: ProcessMark) -> None:
        try:
            gone = processes.end_group(left.group, GRACE_SECONDS)
        except PermissionError:
            gone = False
        if not gone:
            raise _unfenced(left)

    def _read(self) -> ProcessMark | None:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        # A power failure can leave it empty, or its bytes unwritten: then what it named is gone.
        if not content.strip(b"\0"):
            return None
        try:
            return ProcessMark(**json.loads(content))
        except (ValueError, TypeError) as error:
            raise Unfenced(
                f"unfenced: {self._path} can't be read. Delete it once nothing of an earlier attempt runs on the node."
            ) from error


def make_room(memory: NodeMemory) -> None:
    """Make sure that the next attempt's lock can be written; to be called before it is claimed, after the memory's own `make_room`.

    Raises:
        NoRoom: it can't.
        OSError: something else is wrong with the state folder.
    """
    spare = _spare(memory)
    if spare.exists():
        return
    with wanted_in(memory.folder), memory.guard():
        if not spare.exists():
            overwrite(spare, b" " * _MARK_BYTES)


def _spare(memory: NodeMemory) -> Path:
    """What becomes the lock by being renamed."""
    return memory.folder / "attempt.new"


def _unfenced(left: ProcessMark) -> Unfenced:
    return Unfenced(f"unfenced: process group {left.group}, left by an earlier attempt, could not be ended. End it on the node.")
