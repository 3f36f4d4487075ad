"""A token with which nodes announce themselves."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from deployments.management.base import FuelwebCommand
from deployments.services import tokens


class Command(FuelwebCommand):
    help = (
        "Print a token that is good for announcing nodes (POST /nodes/ and PUT /nodes/agent/) and for nothing else. "
        "It is shown only now: only its digest is kept."
    )
    examples = ("agent_token web-1 --days 30",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("uid", nargs="?", help="the only node it is good for (default: any)")
        parser.add_argument("--days", type=float, default=365, help="how long it is good (default: 365)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["uid"] == "":
            raise CommandError("The uid is empty: name the node, or leave it out for a token that is good for any.")
        self.stdout.write(tokens.issue_for_agent(options["uid"] or "", tokens.days(options["days"])))
