"""A small disk of a test's own, which can be filled and freed."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    """Mounted at `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filling = folder / "filling"

    def fill(self) -> None:
        """Leave not a byte."""
        with self._filling.open("ab", buffering=0) as file:
            for size in (2**16, 2**12, 1):
                try:
                    while file.write(b"x" * size) == size:
                        pass
                except OSError as full:
                    assert full.errno == errno.ENOSPC

    def free(self) -> None:
        """Give back what `fill` took."""
        self._filling.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[SmallDisk]:
    """A file system in memory of so many kB; the test is skipped where none can be mounted."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system can be mounted by root only")
    try:
        yield SmallDisk(folder)
    finally:
        # Lazily: something that is being ended may still have it open.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
