"""Who holds a transaction now. Taken and renewed by conditional updates, judged by the database's clock."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Any

from django.db import connection
from django.db import transaction as database
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from history.models import Transaction
from history.models.transaction import UNFINISHED
from history.recorder.locking import RowLocked, lock_unless_held


def unowned() -> list[Transaction]:
    """Unfinished parents whom nobody holds: never taken, given back, or lapsed. Oldest first.

    Every orchestrator asks this every second, mostly in vain, so the SQL of the question is made only once.
    """
    with connection.cursor() as cursor:
        cursor.execute(*_ids_of_unowned())
        ids = [transaction_id for (transaction_id,) in cursor.fetchall()]
    return list(Transaction.objects.filter(id__in=ids).order_by("id")) if ids else []


@cache
def _ids_of_unowned() -> tuple[str, tuple[Any, ...]]:
    sql, parameters = _unowned().order_by().values_list("id").query.sql_with_params()
    return sql, parameters


def _unowned() -> QuerySet[Transaction]:
    lapsed = Q(owner_until=None) | Q(owner_until__lt=Now())
    return Transaction.objects.filter(lapsed, parent=None, name="deploy", status__in=UNFINISHED)


def take(transaction_id: int, owner: str, seconds: float) -> int | None:
    """Become the owner for so many seconds; the new epoch, or None if it can't be had now: somebody holds it, or its row, or it is over.

    What an owner before has said of it is taken back.
    """
    try:
        with database.atomic():
            lock_unless_held(transaction_id)
            until = Now() + timedelta(seconds=seconds)
            free = _unowned().filter(id=transaction_id)
            if not free.update(owner=owner, owner_epoch=F("owner_epoch") + 1, owner_until=until, message=""):
                return None
            return Transaction.objects.values_list("owner_epoch", flat=True).get(id=transaction_id)
    except RowLocked:
        return None


def renew(transaction_id: int, epoch: int, seconds: float) -> bool:
    """Stay the owner; False if the epoch is no longer this one's, or the transaction was given back.

    Raises:
        RowLocked: it was not renewed. (It may be the owner's own commit that has the row just now.)
    """
    with database.atomic():
        lock_unless_held(transaction_id)
        # Whoever renews may not know yet that another thread of his has given it back.
        return bool(_held(transaction_id, epoch).exclude(owner="").update(owner_until=Now() + timedelta(seconds=seconds)))


def release(transaction_id: int, epoch: int) -> None:
    """Give the transaction back, so that another may take it at once.

    Raises:
        RowLocked: nobody could take it either.
    """
    _set(transaction_id, epoch, owner="", owner_until=None)


def say(transaction_id: int, epoch: int, message: str) -> None:
    """What people should know of an unfinished transaction, from its last owner; the next one takes it back, and so does its end.

    Raises:
        RowLocked: it was not written down.
    """
    _set(transaction_id, epoch, message=message)


def _set(transaction_id: int, epoch: int, **values: Any) -> None:
    with database.atomic():
        lock_unless_held(transaction_id)
        _held(transaction_id, epoch).update(**values)


def _held(transaction_id: int, epoch: int) -> QuerySet[Transaction]:
    return Transaction.objects.filter(id=transaction_id, owner_epoch=epoch, status__in=UNFINISHED)
