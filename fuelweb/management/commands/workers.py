"""`manage.py workers`: do the workers answer?"""

from __future__ import annotations

import socket
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.core.management import CommandError
from django.db import DatabaseError

from deployments.management.base import FuelwebCommand
from deployments.services.fleet_places import fleet_places
from fuelweb import system, workers

_LONGEST = 3600


class Command(FuelwebCommand):
    """A health check."""

    help = (
        "Asks all workers for a sign of life; exits 1 if a needed role does not answer. "
        "Tells how many places of each fleet are taken, and by whom."
    )
    examples = ("workers --need fleet",)
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What is needed."""
        parser.add_argument("--need", action="append", choices=system.WORKERS, help="a role that must answer (default: every role)")
        parser.add_argument("--here", action="store_true", help="only workers on this host count")
        parser.add_argument("--timeout", type=float, default=3.0, help="seconds to wait for answers (default: 3)")

    def handle(self, *args: Any, need: list[str] | None, here: bool, timeout: float, **options: Any) -> None:
        """Ask and judge."""
        if not 0 < timeout <= _LONGEST:
            raise CommandError(f"--timeout must be more than 0 and at most {_LONGEST} seconds.")
        needed = need or list(system.WORKERS)
        if absent := workers.missing(needed, timeout, socket.gethostname() if here else ""):
            raise CommandError(f"No answer from: {', '.join(absent)}. Is it running, and on the same Redis?")
        self.stdout.write(f"{', '.join(needed)}: ok")
        # Who asks for a sign of life only may have no database.
        with suppress(DatabaseError):
            for found in fleet_places():
                self.stdout.write(found.text)
