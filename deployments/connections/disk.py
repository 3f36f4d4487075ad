"""Folders that a power failure doesn't take back."""

from __future__ import annotations

import os
from pathlib import Path


def make_folders(folder: Path, permissions: int) -> None:
    """The folder with all above it; those that were there stay as they are."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        each.chmod(permissions)
        flush(each.parent)


def flush(folder: Path) -> None:
    """Write to the disk which names stand in the folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
