"""`manage.py fleet`: serve many nodes from one process, new ones too as they come."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from deployments.management.agent_worker import add_agent_options, agent_environment, become_agent
from deployments.management.base import FuelwebCommand, refuse_empty
from deployments.wire.names import DEFAULT_FLEET, fleet_queue


class Command(FuelwebCommand):
    help = "Serve all nodes of a fleet from one process, a place per node up to --places. TERM or Ctrl-C waits for the tasks that run."
    examples = ("fleet --name racks --places 50",)
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", default=DEFAULT_FLEET, help=f"the fleet's name (default: {DEFAULT_FLEET})")
        parser.add_argument("--places", type=int, help="how many tasks may run at once (default: FUELWEB_FLEET_PLACES, else 100)")
        add_agent_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_empty(options, "name")
        name, places = str(options["name"]), settings.FUELWEB_FLEET_PLACES if options["places"] is None else int(options["places"])
        if places < 1:
            raise CommandError(f"A fleet with {places} places could run nothing: give --places a number of at least 1.")
        become_agent(
            ["-P", "threads", "-c", str(places), "-Q", fleet_queue(name), "-n", f"fleet-{name}@%h", "--loglevel", options["loglevel"]],
            agent_environment(fleet=name, root=options["root"], state=options["state"]),
            events=options["events"],
        )
