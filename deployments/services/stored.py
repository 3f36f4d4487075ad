"""What a run was planned from, as it is stored: it may be damaged, or written by a newer version."""

from __future__ import annotations

from typing import Any

from deployments.core.errors import FuelwebError
from deployments.core.plan import PLAN_FORMAT, Plan
from history import queries as history
from history.models import SnapshotDamaged

CAUSES = (LookupError, TypeError, ValueError, AttributeError, RecursionError)
"""What reading data of any other form may raise."""


class CantBeLoaded(FuelwebError):
    """What is stored of the transaction can't be read."""


def snapshot(child_id: int, kind: str) -> Any:
    """The stored data; None if there is none of this kind.

    Raises:
        CantBeLoaded: it is damaged.
    """
    try:
        return history.snapshot(child_id, kind)
    except SnapshotDamaged as error:
        raise CantBeLoaded(f"Transaction {child_id} can't be loaded: {error} Restore it from a backup of the database.") from error


def plan(child_id: int) -> Plan | None:
    """The stored plan; None if there is none.

    Raises:
        CantBeLoaded: it is damaged, or of another version's format.
    """
    data = snapshot(child_id, "plan")
    if data is None:
        return None
    try:
        known = data["format"]
        if known != PLAN_FORMAT:
            raise CantBeLoaded(
                f"Transaction {child_id} can't be loaded: its plan has format {known!r:.20}, and this version reads format {PLAN_FORMAT}. "
                "Go on with the version that planned it."
            )
        return Plan.from_data(data)
    except CAUSES as error:
        raise CantBeLoaded(
            f"Transaction {child_id} can't be loaded: its plan is damaged. Restore it from a backup of the database."
        ) from error
