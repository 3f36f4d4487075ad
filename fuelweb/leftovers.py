"""Processes that outlived their supervisor (it was killed), found and ended by the next one.

The file holds `pid start-time` lines. A pid alone proves nothing, since the system gives it away again; together with the start time
it names one process for ever.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

_STAT_START_TIME = 19
"""Place of the start time in /proc/<pid>/stat, counted behind the name in brackets."""


def remember(file: Path, pids: Iterable[int]) -> None:
    """Write down these processes in place of those written before."""
    fresh = file.with_suffix(".new")
    fresh.write_text("".join(f"{pid} {start}\n" for pid in pids if (start := _start_time(pid))), encoding="ascii")
    fresh.replace(file)


def end(file: Path, patience: float = 5.0) -> int:
    """End the processes written down that still run: TERM, after `patience` seconds KILL. How many there were."""
    groups = [pid for pid, start in _read(file) if _start_time(pid) == start]
    for pid in groups:
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while any(_start_time(pid) for pid in groups) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in groups:
        if _start_time(pid):
            _signal(pid, signal.SIGKILL)
    file.unlink(missing_ok=True)
    return len(groups)


def _read(file: Path) -> list[tuple[int, str]]:
    if not file.exists():
        return []
    lines = [line.split() for line in file.read_text(encoding="ascii", errors="replace").splitlines()]
    # What a machine that went down has left there may be anything.
    return [(int(line[0]), line[1]) for line in lines if len(line) == 2 and line[0].isdecimal()]


def _start_time(pid: int) -> str:
    """In ticks since the machine started; empty for a process that is gone or only waits to be collected."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[_STAT_START_TIME]


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return
