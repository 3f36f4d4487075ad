"""What an agent must remember of a node even if it is killed: the highest dispatch number it started, and what came of that attempt."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployments.agent.room import wanted_in
from deployments.connections.base import NodeProblem, folder_name
from deployments.connections.disk import flush, make_folders
from deployments.core.errors import FuelwebError

GUARD_SECONDS = 15.0
"""How long the guard is waited for: longer than it takes to end what an earlier attempt left (TERM, then KILL)."""

OUTCOME_BYTES = 16 * 1024
"""Room that is kept for an outcome beforehand: one with 4 KB of output has it, sealed, even if each character is written as six."""

_DIGITS = 20
_LONGEST, _MOST = 100, 10**15
_LENGTH = 4
_STEP_SECONDS = 0.02


class MemoryDamaged(FuelwebError):
    """What the agent remembers of the node can't be read."""


class TooLate(FuelwebError):
    """This dispatch, or a later one, was started on the node before."""


class Occupied(NodeProblem):
    """Another attempt is in the middle of something on the node, and does not end it."""


class NodeMemory:
    """A node's state folder, common to all agents that may serve the node from this machine. It outlives a kill of the agent.

    What was started in earnest outlives a power failure too. Outcomes need not: an attempt without one is lost, and judged so.

    No file ever stands half written: each is made whole under another name, or overwritten where it has its room already. So a disk that
    is full leaves the last good state behind.
    """

    def __init__(self, state: Path, node: str) -> None:
        self.folder = state / folder_name(node)
        self._number, self._outcome = self.folder / "number", self.folder / "outcome"

    @contextmanager
    def guard(self) -> Iterator[None]:
        """One at a time on this node, across threads and processes: the system lets go when a holder is killed.

        Raises:
            Occupied: somebody holds it for longer than GUARD_SECONDS (frozen, or in a write that hangs).
        """
        handle = os.open(self.folder / "guard", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(handle, self.folder / "guard")
            yield
        finally:
            os.close(handle)

    def highest(self) -> int:
        """The highest dispatch number started on this node; 0 if there was none.

        Raises:
            MemoryDamaged: somebody else has written there.
        """
        try:
            content = self._number.read_bytes()
        except FileNotFoundError:
            return 0
        if not content and not _size(self._outcome):
            # An earlier version made the file first, and then the disk was full: nothing was ever started.
            return 0
        digits = content.strip()
        # `int` would take signs, underscores and foreign digits as well; and what nothing ever counts up to nobody has written here.
        if not digits.isdigit() or (number := int(digits[:_LONGEST])) > _MOST or len(digits) > _LONGEST:
            raise MemoryDamaged(f"{self._number} holds no dispatch number: write the highest of the node's history there.")
        return number

    def check(self, number: int) -> None:
        """Whether this dispatch could still be started: a cheap answer before the claim, which `start` gives again for good.

        Raises:
            TooLate: it, or a later one, was started before.
            MemoryDamaged: see `highest`.
        """
        highest = self.highest()
        if number <= highest:
            raise TooLate(f"Dispatch {number} comes too late: dispatch {highest} was started already.")

    def start(self, number: int, *, durable: bool = True) -> None:
        """Note that this dispatch is started; before anything of it runs. Of all who try, on whatever message, one succeeds.

        Args:
            durable: it is to outlive a power failure. (A flush of the disk is milliseconds; what does nothing there needs none.)

        Raises:
            TooLate: it, or a later one, was started before.
            MemoryDamaged: see `highest`.
            Occupied: see `guard`.
        """
        make_folders(self.folder, 0o700)
        with self.guard():
            self.check(number)
            self._make_number()
            # Always as long, in one write: a reader, or a kill, never meets half a number.
            overwrite(self._number, _digits(number), durable=durable)

    def make_room(self) -> None:
        """Make sure that the next attempt's number and outcome can be noted; to be called before it is claimed.

        Raises:
            NoRoom: they can't.
            OSError: something else is wrong with the state folder.
        """
        with wanted_in(self.folder):
            make_folders(self.folder, 0o700)
            if _size(self._number) and _size(self._outcome) >= OUTCOME_BYTES:
                return
            with self.guard():
                self._make_number()
                _reserve(self._outcome, OUTCOME_BYTES)

    def _make_number(self) -> None:
        if _size(self._number):
            return
        fresh = self._number.with_suffix(".new")
        overwrite(fresh, _digits(0), durable=True)
        os.replace(fresh, self._number)
        flush(self.folder)

    def keep_outcome(self, number: int, sealed: bytes) -> None:
        """Keep the sealed outcome of this dispatch until the next one is kept, if it is the one last started."""
        with self.guard():
            if number == self.highest():
                overwrite(self._outcome, len(sealed).to_bytes(_LENGTH, "big") + sealed, durable=False)

    def outcome(self) -> bytes | None:
        """The sealed outcome last kept. One that was being written, or cut off by a kill, does not open."""
        try:
            content = self._outcome.read_bytes()
        except FileNotFoundError:
            return None
        return content[_LENGTH:][: int.from_bytes(content[:_LENGTH], "big")]


def _lock(handle: int, path: Path) -> None:
    until = time.monotonic() + GUARD_SECONDS
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > until:
                raise Occupied(f"unfenced: an earlier attempt is still at work on the node (see who holds {path}).") from error
        time.sleep(_STEP_SECONDS)


def _digits(number: int) -> bytes:
    return str(number).zfill(_DIGITS).encode()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _reserve(path: Path, size: int) -> None:
    """Give the file its room: what is written there later needs no more."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(handle, 0, size)
    finally:
        os.close(handle)


def overwrite(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Write this to the beginning of a file, which is made if need be. In place: what has its room already needs no more.

    Raises:
        OSError: it was not written, or not all of it.
    """
    # File systems flush a file that is cut off or replaced to the disk at once, and that is a millisecond for each attempt.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        if os.pwrite(handle, content, 0) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        if durable:
            os.fdatasync(handle)
    finally:
        os.close(handle)
