"""Locks of rows that others may hold for long: a frozen process, a `psql` session, a backup. Nobody here waits for them."""

from __future__ import annotations

from django.db import OperationalError, connection

from history.models import Transaction

_TABLE = Transaction._meta.db_table
_LOCK_NOT_AVAILABLE, _DEADLOCK, _QUERY_CANCELED = "55P03", "40P01", "57014"
_SQLITE_BUSY = 5


class RowLocked(Exception):
    """Another database session holds the row. It is to be tried again later, and nothing else is to wait meanwhile."""


def lock_unless_held(transaction_id: int) -> None:
    """Lock a transaction's row for the rest of the database transaction, at once or not at all.

    Raises:
        RowLocked: somebody else has it.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM {_TABLE} WHERE id = %s {skip_locked()}", [transaction_id])
        if cursor.fetchone() is None and Transaction.objects.filter(id=transaction_id).exists():
            raise RowLocked(f"Transaction {transaction_id} is locked in the database by another session.")


def skip_locked() -> str:
    """The end of a SELECT that takes the rows it finds, and finds only what it can take.

    SQLite has one lock for everything, which a transaction takes at its beginning.
    """
    return "FOR NO KEY UPDATE SKIP LOCKED" if connection.vendor == "postgresql" else ""


def is_patience_over(error: BaseException) -> bool:
    """Whether the database gave up waiting for a lock, or for a statement to end; the connection is as good as before."""
    if isinstance(error, RowLocked):
        return True
    if not isinstance(error, OperationalError):
        return False
    state, code = getattr(error.__cause__, "sqlstate", ""), getattr(error.__cause__, "sqlite_errorcode", 0)
    return state in (_LOCK_NOT_AVAILABLE, _DEADLOCK, _QUERY_CANCELED) or code & 0xFF == _SQLITE_BUSY


def is_too_slow(error: BaseException) -> bool:
    """Whether it was no lock: the statement itself took longer than `statement_timeout`."""
    return getattr(error.__cause__, "sqlstate", "") == _QUERY_CANCELED
