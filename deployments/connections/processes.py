"""Processes by their marks: who they are, whether they are still there, ending them for good."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from deployments.connections.base import ProcessMark

_STEP_SECONDS = 0.02


def boot_id() -> str:
    """Changes whenever the machine starts."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def start_time(pid: int) -> int | None:
    """The process' start time in clock ticks since boot; None if it is gone or has ended (a zombie)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in brackets, and may itself hold blanks and brackets.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def mark(pid: int) -> ProcessMark | None:
    """The mark of a process that leads its group; None if it has ended already."""
    start = start_time(pid)
    return None if start is None else ProcessMark(pid, start, boot_id())


def lives(known: ProcessMark) -> bool:
    """Whether the very process of this mark is still running."""
    return known.boot == boot_id() and start_time(known.group) == known.start


def remains(known: ProcessMark) -> bool:
    """Whether anything of the group lives that this process has led, it itself included; it may have ended.

    While anything does, the system gives the group's number to nobody else. What has put itself into a session of its own isn't counted.
    """
    leader = start_time(known.group)
    return known.boot == boot_id() and leader in (None, known.start) and known.group in _live_groups(session=known.group)


def end_group(group: int, grace: float) -> bool:
    """TERM, and KILL after `grace` seconds, to all processes of a group; whether they are gone.

    Raises:
        PermissionError: they belong to somebody else.
    """
    return _end(group, signal.SIGTERM, grace) or _end(group, signal.SIGKILL, grace)


def _end(group: int, number: signal.Signals, grace: float) -> bool:
    until = time.monotonic() + grace
    try:
        os.killpg(group, number)
        while time.monotonic() < until:
            if not _has_live_member(group):
                return True
            time.sleep(_STEP_SECONDS)
    except ProcessLookupError:
        return True
    return not _has_live_member(group)


def _has_live_member(group: int) -> bool:
    """Zombies don't count: they have ended, and only wait for their parent to ask."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return group in _live_groups()


def _live_groups(session: int | None = None) -> Iterator[int]:
    """The groups of all processes, or of all in a session, that have not ended."""
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal():
            continue
        try:
            stat = Path(f"/proc/{entry.name}/stat").read_bytes()
        except OSError:
            continue
        state, _parent, group, of_session = stat[stat.rindex(b")") + 2 :].split()[:4]
        if state not in (b"Z", b"X") and session in (None, int(of_session)):
            yield int(group)
