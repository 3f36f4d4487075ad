"""The one door through which history is written."""

from history.recorder.ledger import Ledger, OwnershipLost, RowMoved, RunRow, load_rows
from history.recorder.locking import RowLocked, is_patience_over, is_too_slow, lock_unless_held
from history.recorder.ownership import release, renew, say, take, unowned
from history.recorder.planned import PlannedRun, count_try, discard_plan, forget_try, mark_sent, record_plan
from history.recorder.requests import (
    AlreadyOpen,
    NothingUnderWay,
    Request,
    close_requests,
    mark_deleted,
    note_done,
    open_request,
    open_stop,
)

__all__ = [
    "AlreadyOpen", "Ledger", "NothingUnderWay", "OwnershipLost", "PlannedRun", "Request", "RowLocked",
    "RowMoved", "RunRow", "close_requests", "count_try", "discard_plan", "forget_try", "is_patience_over", "is_too_slow", "load_rows",
    "lock_unless_held", "mark_deleted", "mark_sent", "note_done", "open_request", "open_stop",
    "record_plan", "release", "renew", "say", "take", "unowned",
]  # fmt: skip
