"""Room on the disks that an attempt needs: without any nothing is claimed, so nothing that was asked for fails or is lost for it."""

from __future__ import annotations

import errno
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deployments.agent.steady import steady
from deployments.core.errors import FuelwebError

NEEDED_BYTES = 64 * 1024
"""In each folder: for what is noted of a few attempts, and the beginning of what their commands print."""
LOOK_SECONDS = 1.0

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})


class NoRoom(FuelwebError):
    """A disk takes nothing now: it is full, read-only or broken."""


@contextmanager
def wanted_in(folder: Path) -> Iterator[None]:
    """What is written within needs room there.

    Raises:
        NoRoom: there is none. All other errors pass as they are.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise NoRoom(f"nothing can be written to {folder} ({error.strerror})") from error


class Room:
    """Watches the folders that all attempts of this process write to, the temporary one among them. Safe to use from many threads."""

    def __init__(self, *folders: Path | None, clock: Callable[[], float] = steady) -> None:
        self._folders, self._clock = [folder for folder in folders if folder is not None], clock
        self._known: tuple[float, str] = (-math.inf, "")

    def lack(self) -> str:
        """Why nothing can be started now, as a part of a sentence; empty if there is room. Looked at once a second at most."""
        now = self._clock()
        if now - self._known[0] >= LOOK_SECONDS:
            self._known = (now, _lack([*self._folders, Path(tempfile.gettempdir())]))
        return self._known[1]

    def check(self) -> None:
        """What the look above found, as an error.

        Raises:
            NoRoom: see `lack`.
        """
        if lack := self.lack():
            raise NoRoom(lack)


def _lack(folders: Sequence[Path]) -> str:
    for folder in folders:
        try:
            with wanted_in(folder), tempfile.TemporaryFile(dir=_there(folder)) as probe:
                os.posix_fallocate(probe.fileno(), 0, NEEDED_BYTES)
        except NoRoom as none:
            return str(none)
        except OSError:
            # Whatever else is wrong there: the attempt itself tells.
            continue
    return ""


def _there(folder: Path) -> Path:
    """The folder or, where it is still to be made, the one that it will be made in."""
    return folder if folder.is_dir() or folder == folder.parent else _there(folder.parent)
