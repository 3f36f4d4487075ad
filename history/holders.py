"""Who has locked what others want to write: database sessions, asked of the database itself, as it can't be noted in a locked row."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

from history.models import Transaction
from history.models.transaction import UNFINISHED

_ABOUT = (
    "a.pid, a.state, a.application_name, EXTRACT(EPOCH FROM clock_timestamp() - a.xact_start), "
    "EXTRACT(EPOCH FROM clock_timestamp() - a.state_change)"
)
# A row lock stands in the row itself: its xmax is the transaction that has it. (Several who share a row have a number of another kind.)
_OF_ROWS = (
    f"SELECT COALESCE(t.parent_id, t.id), {_ABOUT} FROM {Transaction._meta.db_table} t "
    "JOIN pg_locks l ON l.locktype = 'transactionid' AND l.granted AND l.transactionid = t.xmax "
    "LEFT JOIN pg_stat_activity a ON a.pid = l.pid WHERE t.status = ANY(%s) AND l.pid IS DISTINCT FROM pg_backend_pid() ORDER BY t.id DESC"
)
_OF_TABLES = (
    f"SELECT {_ABOUT} FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid() "
    "AND clock_timestamp() - a.xact_start > %s * INTERVAL '1 second' AND EXISTS (SELECT 1 FROM pg_locks l "
    "JOIN pg_class c ON c.oid = l.relation WHERE l.pid = a.pid AND l.granted AND l.mode <> 'AccessShareLock' "
    r"AND (c.relname LIKE 'history\_%%' OR c.relname LIKE 'deployments\_%%')) ORDER BY a.xact_start LIMIT 1"
)
_WAL_WRITER = "120"
"""The byte of the file `-shm` that a SQLite writer has locked (sqlite.org/walformat.html, 2.3)."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A session with an open database transaction."""

    pid: int | None
    state: str = ""
    application: str = ""
    open_for: float | None = None
    """Seconds; None where this account may not see that."""
    as_it_is_for: float | None = None
    """Seconds for which `state` has been so."""

    def __str__(self) -> str:
        if self.pid is None:
            return "a prepared transaction (pg_prepared_xacts)"
        told = [f"pid {self.pid}"]
        if self.state and self.as_it_is_for is not None:
            told.append(f"{self.state} for {self.as_it_is_for:.0f} s")
        if self.application:
            told.append(f"application {self.application}")
        return ", ".join(told)


def holders_of_transactions(longer_than: float) -> dict[int, Holder]:
    """By request: who has had its row (or one of its children's) for more than so many seconds, of those that are unfinished."""
    if connection.vendor != "postgresql":
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_OF_ROWS, [list(UNFINISHED)])
        found = {parent: _holder(*about) for parent, *about in cursor.fetchall()}
    return {parent: holder for parent, holder in found.items() if holder.open_for is None or holder.open_for > longer_than}


def longest_holder(longer_than: float) -> Holder | None:
    """The session that has had anything of ours locked the longest, if for more than so many seconds."""
    if connection.vendor != "postgresql":
        return _sqlite_writer()
    with connection.cursor() as cursor:
        cursor.execute(_OF_TABLES, [longer_than])
        rows = cursor.fetchall()
    return _holder(*rows[0]) if rows else None


def _holder(pid: int | None, state: str | None, application: str | None, open_for: object, as_it_is_for: object) -> Holder:
    seconds = [None if told is None else float(str(told)) for told in (open_for, as_it_is_for)]
    return Holder(pid, state or "", application or "", *seconds)


def _sqlite_writer() -> Holder | None:
    """Who is writing to the SQLite file now, where the system tells that (Linux)."""
    try:
        inode = os.stat(f"{connection.settings_dict['NAME']}-shm").st_ino
        locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for pid in _writers(locks, inode):
        if pid != os.getpid():
            return Holder(pid, application=_command(pid))
    return None


def _writers(locks: Collection[str], inode: int) -> list[int]:
    """Lines are like `1: POSIX  ADVISORY  WRITE 1234 08:01:5678 120 120`."""
    found = []
    for line in locks:
        words = line.split()
        if "WRITE" in words and words[-2] == _WAL_WRITER and words[-3].rpartition(":")[2] == str(inode):
            found.append(int(words[words.index("WRITE") + 1]))
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
