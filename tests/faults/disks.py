"""The disks that agents keep their notes on: full for a while, or broken in a single write.

A full disk takes no new file and no longer one; what stands in the room that a file has already can be overwritten.
"""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.chance import Faults
    from tests.faults.clock import Simulation
    from tests.faults.world import World

FULL, FAILS = "disk full", "note fails"


class Disks:
    """One for each node. It has a chance of its own, so that a seed without it is as it was."""

    def __init__(self, seed: int, simulation: Simulation, faults: Faults) -> None:
        self._simulation, self._faults = simulation, faults
        self._random = chance = random.Random(f"disks {seed}")
        self._mean = chance.choice((5.0, 15.0)) if chance.random() < 0.3 else 0.0
        self._broken = chance.choice((0.1, 0.4)) if chance.random() < 0.2 else 0.0
        self._full_until: dict[str, float] = {}

    def start(self, world: World) -> None:
        """Fill them from now on, while there are faults."""
        if self._mean:
            self._simulation.after(self._random.expovariate(1 / self._mean), lambda: self._fill(world))

    def _fill(self, world: World) -> None:
        if not self._faults.on:
            return
        agent, seconds = self._random.choice(world.agents), self._random.choice((1.0, 10.0, 60.0))
        self._faults.count(FULL)
        self._simulation.tell(f"the disk of node {agent.node} is full for {seconds:.0f} s")
        self._full_until[f"agent {agent.node}"] = self._simulation.now + seconds
        self.start(world)

    def lack(self, folders: object) -> str:
        """In place of the product's look for room."""
        return "its disk is full" if self._is_full() else ""

    def os_module(self) -> SimpleNamespace:
        """Stands for `os` where notes are written."""
        own = {"open": self._open, "pwrite": self._pwrite, "posix_fallocate": self._allocate, "fdatasync": self._sync}
        return SimpleNamespace(**{name: getattr(os, name) for name in dir(os) if not name.startswith("_")} | own)

    def _open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT and self._is_full() and not os.path.exists(path):
            raise _no_space()
        return os.open(path, flags, mode)

    def _pwrite(self, handle: int, content: bytes, at: int) -> int:
        grows = at + len(content) > os.fstat(handle).st_size
        if grows and self._is_full():
            raise _no_space()
        if self._breaks():
            # Where there was nothing yet a part of it may be there, or still nothing.
            if grows:
                os.pwrite(handle, content[: self._random.choice((0, self._random.randrange(len(content) + 1)))], at)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return os.pwrite(handle, content, at)

    def _allocate(self, handle: int, at: int, size: int) -> None:
        if at + size > os.fstat(handle).st_size and self._is_full():
            raise _no_space()
        os.posix_fallocate(handle, at, size)

    def _sync(self, handle: int) -> None:
        # What this machine's own disk takes for it is of no interest.
        if self._breaks():
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _is_full(self) -> bool:
        actor = self._simulation.actor
        return self._faults.on and actor is not None and self._full_until.get(actor.process.name, 0.0) > self._simulation.now

    def _breaks(self) -> bool:
        if not self._broken or not self._faults.on or self._simulation.actor is None or self._random.random() >= self._broken:
            return False
        self._faults.count(FAILS)
        return True


def _no_space() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
