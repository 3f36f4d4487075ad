"""Print the page of lifecycles."""

from __future__ import annotations

from typing import Any

from deployments.core.lifecycle_page import lifecycle_page
from deployments.management.base import FuelwebCommand


class Command(FuelwebCommand):
    help = "Print docs/lifecycle.md: every state and every move, as diagrams and tables made from the code."
    examples = ("diagrams > docs/lifecycle.md",)
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(lifecycle_page(), ending="")
