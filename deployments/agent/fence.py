"""One attempt at a time on a node, even if agents are killed: a lock file names the process that runs there.

It is written before the process runs anything and removed when the process has ended. Who finds one ends what it names first.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

from deployments.agent.memory import NodeMemory
from deployments.connections import processes
from deployments.connections.base import NodeProblem, ProcessMark

GRACE_SECONDS = 5.0


class Unfenced(NodeProblem):
    """What an earlier attempt left running on the node could not be ended."""


class Fence:
    """See `Watch`: the one of the attempt with this dispatch number. `leased` tells whether it can't have been given up meanwhile."""

    def __init__(self, memory: NodeMemory, number: int, leased: Callable[[], bool]) -> None:
        self._memory, self._number, self._leased = memory, number, leased
        self._path = memory.folder / "attempt.lock"
        self._mark: ProcessMark | None = None

    def clear(self) -> None:
        """End what an earlier attempt left (TERM, then KILL); daemons of an attempt whose own process had ended stay.

        Raises:
            Unfenced: it could not be ended.
        """
        with self._guard():
            left = self._read()
            if left is not None and processes.lives(left):
                self._end(left)
            self._path.unlink(missing_ok=True)

    def check(self) -> None:
        """See `Watch`."""
        if self._memory.highest() != self._number:
            raise NodeProblem("The attempt was ended: a later attempt was started on the node.")
        # An agent that was frozen after its claim may go on when its transaction is long over. Once something runs, the lease may run
        # out (Redis is away): what runs goes on, and shows itself again.
        if self._mark is None and not self._leased():
            raise NodeProblem("The attempt was not started: its lease had run out before.")

    def begun(self, mark: ProcessMark) -> None:
        """See `Watch`."""
        with self._guard():
            self.check()
            fresh = self._path.with_suffix(".new")
            fresh.write_text(json.dumps(asdict(mark)), encoding="ascii")
            os.replace(fresh, self._path)
            self._mark = mark

    def ended(self) -> None:
        """See `Watch`. A later attempt's lock stays."""
        with self._guard():
            if self._mark is not None and self._read() == self._mark:
                self._path.unlink()

    def _end(self, left: ProcessMark) -> None:
        try:
            gone = processes.end_group(left.group, GRACE_SECONDS)
        except PermissionError:
            gone = False
        if not gone:
            raise Unfenced(f"unfenced: process group {left.group}, left by an earlier attempt, could not be ended. End it on the node.")

    def _read(self) -> ProcessMark | None:
        try:
            return ProcessMark(**json.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return None

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """One at a time, across threads and processes: the system lets go when a holder is killed."""
        handle = os.open(self._memory.folder / "guard", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
