"""A long past to try things on."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from deployments.core.errors import InvalidData
from deployments.management.base import FuelwebCommand
from deployments.services.clock import SystemClock
from history.recorder import seeding


class Command(FuelwebCommand):
    help = (
        "Write many finished deployments that never were, of clusters that are not there (seeded-0 …): "
        "to measure, and to see pages with a long history. `retention --seeded` removes them again."
    )
    examples = ("seed_history --transactions 100 --runs 50",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--transactions", type=int, default=100, metavar="N", help="how many deployments (default: 100)")
        parser.add_argument("--runs", type=int, default=500, metavar="M", help="task runs in each (default: 500)")
        parser.add_argument("--clusters", type=int, default=20, metavar="K", help="clusters that were deployed in turn (default: 20)")
        parser.add_argument("--nodes", type=int, default=10, metavar="K", help="nodes of each cluster (default: 10)")
        parser.add_argument("--days", type=float, default=365, help="spread over so many days until now (default: 365)")

    def handle(self, *args: Any, **options: Any) -> None:
        counts = {name: options[name] for name in ("transactions", "runs", "clusters", "nodes")}
        if wrong := [f"--{name}" for name, count in counts.items() if count < 1]:
            raise InvalidData(f"{' and '.join(wrong)} must be at least 1.")
        if not 0 <= options["days"] <= 100_000:
            raise InvalidData("--days must be between 0 and 100,000.")
        between = timedelta(days=options["days"]) / counts["transactions"]
        begun = time.monotonic()
        ids = seeding.seed(seeding.Seeds(**counts, ends=SystemClock().now(), between=between), self._say)
        rows, took = len(ids) * counts["runs"], time.monotonic() - begun
        self.stderr.write("")
        speed = f"{took:.1f} s, {rows / took:,.0f} rows/s"
        self.stdout.write(f"{len(ids):,} deployments, {rows:,} task runs ({speed}): transactions {ids[0]} to {ids[-1]}.")

    def _say(self, written: int) -> None:
        self.stderr.write(f"\r{written:,} deployments", ending="")
