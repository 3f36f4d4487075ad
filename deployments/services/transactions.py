"""Transactions for interfaces: choosing, deleting, and what they were planned from."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from deployments.core.errors import InvalidData
from deployments.services import stored as stored_data
from deployments.services.clock import Clock
from deployments.services.errors import NotFound
from history import queries as history
from history import recorder
from history.models import Transaction
from history.models.transaction import UNFINISHED

STATUSES = ("pending", "ready", "running", "error", "stopped")
NAMES = tuple(
    "super deploy deployment provision stop_deployment reset_environment reset_nodes remove_keys remove_ironic_bootstrap update spawn_vms "
    "node_deletion cluster_deletion remove_images check_before_deployment check_networks verify_networks check_dhcp "
    "verify_network_connectivity multicast_verification check_repo_availability check_repo_availability_with_setup dry_run_deployment "
    "dump capacity_log create_stats_user remove_stats_user update_dnsmasq resolve".split()
)
"""Fuel's names, and `resolve`: what a person decided about a failed task run."""


def not_deleted(row: Transaction) -> Transaction:
    """The row.

    Raises:
        NotFound: people have deleted it.
    """
    if row.deleted_at is not None:
        since = f"{row.deleted_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        raise NotFound(f"Task not found: it was deleted at {since}; it is still among the transactions, with its history.")
    return row


def delete(row: Transaction, *, force: bool, clock: Clock) -> None:
    """Mark it and its children as deleted.

    Raises:
        InvalidData: it is not over, and `force` is not given.
    """
    if row.status in UNFINISHED and not force:
        raise InvalidData("You cannot delete running task manually")
    recorder.mark_deleted(Transaction.objects.filter(id=row.id), clock.now())


def stored(row: Transaction, kind: str) -> Any:
    """What a child was planned from; of a request, its newest planned child. None if nothing is stored.

    Raises:
        CantBeLoaded: it can't be read.
    """
    for child in reversed(history.children(row)):
        if child.recorded_at is not None:
            return stored_data.snapshot(child.id, kind)
    return None
