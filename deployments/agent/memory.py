"""What an agent must remember of a node even if it is killed: the highest dispatch number it started, and what came of that attempt."""

from __future__ import annotations

import os
from pathlib import Path

from deployments.connections.base import folder_name
from deployments.core.errors import FuelwebError

_DIGITS = 20
_LENGTH = 4


class MemoryDamaged(FuelwebError):
    """What the agent remembers of the node can't be read."""


class NodeMemory:
    """A node's state folder. It outlives a kill of the agent (not each write a power failure: then its processes are gone too)."""

    def __init__(self, state: Path, node: str) -> None:
        self.folder = state / folder_name(node)
        self._number, self._outcome = self.folder / "number", self.folder / "outcome"

    def highest(self) -> int:
        """The highest dispatch number started on this node; 0 if there was none.

        Raises:
            MemoryDamaged: somebody else has written there.
        """
        try:
            return int(self._number.read_bytes())
        except FileNotFoundError:
            return 0
        except ValueError as error:
            raise MemoryDamaged(f"{self._number} holds no number: write the highest of the node's history there.") from error

    def note_started(self, number: int) -> None:
        """Remember it before anything runs. Always as long, in one write: a reader, or a kill, never meets half a number."""
        try:
            _overwrite(self._number, str(number).zfill(_DIGITS).encode())
        except FileNotFoundError:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _overwrite(self._number, str(number).zfill(_DIGITS).encode(), new=True)

    def keep_outcome(self, sealed: bytes) -> None:
        """Keep the sealed outcome of the attempt last started, until the next one is kept."""
        _overwrite(self._outcome, len(sealed).to_bytes(_LENGTH, "big") + sealed)

    def outcome(self) -> bytes | None:
        """The sealed outcome last kept. One that was being written, or cut off by a kill, does not open."""
        try:
            content = self._outcome.read_bytes()
        except FileNotFoundError:
            return None
        return content[_LENGTH:][: int.from_bytes(content[:_LENGTH], "big")]


def _overwrite(path: Path, content: bytes, *, new: bool = False) -> None:
    # In place: file systems flush a file that is cut off or replaced to the disk at once, and that is a millisecond for each attempt.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(handle, content, 0)
        if new:
            # Else a power failure soon after could leave it empty.
            os.fsync(handle)
    finally:
        os.close(handle)
