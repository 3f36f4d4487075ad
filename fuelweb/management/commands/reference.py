"""`manage.py reference`: print the page of all commands."""

from __future__ import annotations

from typing import Any

from deployments.management.base import FuelwebCommand
from fuelweb.command_page import command_page


class Command(FuelwebCommand):
    """Documentation made from the code."""

    help = "Print docs/commands.md: every command with its options, made from the code."
    examples = ("reference > docs/commands.md",)
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it."""
        self.stdout.write(command_page(), ending="")
