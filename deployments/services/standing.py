"""What keeps unfinished transactions from going on, in sentences for people: locks, silent owners, and what their owners say."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from deployments.services.clock import SystemClock
from deployments.services.tools import Patience
from history import holders
from history import queries as history
from history.models import Transaction


def standing() -> dict[int, str]:
    """By request: why it does not go on, for those that don't."""
    period = Patience(**getattr(settings, "FUELWEB_PATIENCE", {})).ownership
    now = SystemClock().now()
    until = {parent: (parent.owner_until or now) - now for parent in history.unfinished_deploys()}
    # A locked row can't be renewed, so what is renewed needs no look at the locks.
    unrenewed = any(left < timedelta(seconds=period / 2) for left in until.values())
    locked = holders.holders_of_transactions(period) if unrenewed else {}
    found: dict[int, str] = {}
    for parent, left in until.items():
        if parent.id in locked:
            found[parent.id] = f"Transaction {parent.id} is locked in the database by {locked[parent.id]}."
        elif left < -timedelta(seconds=period):
            found[parent.id] = _silent(parent, period - left.total_seconds(), period)
        elif parent.own_message:
            found[parent.id] = f"Transaction {parent.id}: {parent.own_message}"
    return found


def standing_of(parent_id: int) -> str:
    """Why this request does not go on; empty if it does, or is over."""
    return standing().get(parent_id, "")


def _silent(parent: Transaction, seconds: float, period: float) -> str:
    holder = holders.longest_holder(period)
    told = f"Transaction {parent.id} stands: its owner {parent.owner} has been silent for {seconds:.0f} s, and nobody has taken it over"
    return f"{told}; the database is locked by {holder}." if holder else f"{told}. Is an orchestrator running?"
