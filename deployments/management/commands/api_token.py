"""A token for a script."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from deployments.management.base import FuelwebCommand
from deployments.services import tokens


class Command(FuelwebCommand):
    help = "Print a token that may all its account may. It is shown only now: only its digest is kept; the admin can take it back."
    examples = ("api_token admin --days 7",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", help="whose rights the script has, and under whose name it is recorded")
        parser.add_argument("--days", type=float, default=30, help="how long it is good (default: 30)")

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(tokens.issue_for(options["username"], tokens.days(options["days"])))
