"""The key by which a node's agent knows its orders."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from deployments.management.base import FuelwebCommand
from deployments.services.setup import key_of_node


class Command(FuelwebCommand):
    help = (
        "Print the key of one node, for FUELWEB_NODE_KEY of the agent that runs there. It opens and seals what is said to and by this "
        "node, and nothing else; it is made from FUELWEB_WIRE_SECRET, and good as long as that is."
    )
    examples = ("node_key web-1",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("uid", help="the node's uid; it need not be known yet")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["uid"]:
            raise CommandError("The uid is empty: name the node.")
        self.stdout.write(key_of_node(options["uid"]))
