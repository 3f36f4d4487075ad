"""What a command prints: kept in a file, because daemons may go on writing after the command has ended, and a pipe would end them."""

from __future__ import annotations

import os
import tempfile
from types import TracebackType

OUTPUT_BYTES = 4096
"""How much of a command's output is kept: its end."""
MOST_BYTES = 16 * 2**20
"""How much of the disk the output may take; beyond this its beginning is given back at the next look."""


class Output:
    """A file without a name, open for as long as anybody writes to it."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._before = b""

    def __enter__(self) -> Output:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.file.close()

    def look(self) -> None:
        """Give back the space of an output that became too large. Writers go on behind the hole that this leaves."""
        if os.fstat(self.file.fileno()).st_blocks * 512 > MOST_BYTES:
            self._before = self._end()
            os.ftruncate(self.file.fileno(), 0)

    def tail(self) -> str:
        """The last whole lines."""
        end = self._end()
        if len(end) <= OUTPUT_BYTES:
            return end.decode(errors="replace")
        text = _without_half(end[-OUTPUT_BYTES:]).decode(errors="replace")
        # A last line that is longer than what is kept has no beginning.
        return text.partition("\n")[2].strip("\n") and text.partition("\n")[2] or text

    def _end(self) -> bytes:
        """A little more than is kept, to tell whether it was cut off."""
        # Not by seeking: the writers' place in the file is the same as ours.
        handle = self.file.fileno()
        size = os.fstat(handle).st_size
        found = os.pread(handle, OUTPUT_BYTES + 1, max(0, size - OUTPUT_BYTES - 1))
        return (self._before + found.lstrip(b"\0"))[-OUTPUT_BYTES - 1 :] if self._before else found


def _without_half(cut: bytes) -> bytes:
    """Without what is left of a character (UTF-8) that was cut at the front."""
    for start in range(min(3, len(cut))):
        if cut[start] & 0b1100_0000 != 0b1000_0000:
            return cut[start:]
    return cut[3:]
