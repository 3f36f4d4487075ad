"""A token with which nodes announce themselves."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from deployments.management.base import FuelwebCommand
from deployments.services import tokens


class Command(FuelwebCommand):
    help = (
        "Print a token that is good for announcing nodes (POST /nodes/ and PUT /nodes/agent/) and for nothing else. "
        "It is shown only now: only its digest is kept."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("uid", nargs="?", default="", help="the only node it is good for (default: any)")
        parser.add_argument("--days", type=float, default=365, help="how long it is good (default: 365)")

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(tokens.issue_for_agent(options["uid"], tokens.days(options["days"])))
