"""Letting go of old history."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from deployments.core.errors import InvalidData
from deployments.management.base import FuelwebCommand
from deployments.services.clock import SystemClock
from history.recorder import retention


class Command(FuelwebCommand):
    help = (
        "Forget transactions that ended long ago, with their task runs, events and snapshots. "
        "Kept are those that hold a node's last touch, or what the next deployment compares with."
    )
    examples = ("retention --keep-days 90 --dry-run",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--keep-days", type=float, metavar="N", help="keep everything that ended in the last N days")
        which.add_argument("--seeded", action="store_true", help="forget what seed_history has written, and nothing else")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be forgotten")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["seeded"]:
            chosen = retention.seeded()
        else:
            days = options["keep_days"]
            if not 0 <= days <= 100_000:
                raise InvalidData("--keep-days must be between 0 and 100,000.")
            chosen = retention.plan(SystemClock().now() - timedelta(days=days))
        kept = f" {chosen.kept:,} that are as old are kept: nodes' last touches, or what later deployments compare with." * bool(
            chosen.kept
        )
        if options["dry_run"]:
            self.stdout.write(f"{len(chosen.old):,} transactions would be forgotten.{kept}")
            return
        for gone in retention.forget(chosen.old):
            self.stderr.write(f"\r{gone:,} of {len(chosen.old):,}", ending="")
        if chosen.old:
            self.stderr.write("")
        self.stdout.write(f"{len(chosen.old):,} transactions were forgotten.{kept}")
