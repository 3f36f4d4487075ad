"""`manage.py agent NODE`: serve one node, from the machine it is (or, with --root, from a folder that stands for it)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from deployments.management.agent_worker import add_agent_options, agent_environment, become_agent
from deployments.management.base import FuelwebCommand
from deployments.wire.names import node_queue


class Command(FuelwebCommand):
    help = "Serve one node: carry out its tasks, one at a time. TERM or Ctrl-C waits for the task that runs."
    examples = ("agent web-1 --root practice",)
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("node", metavar="NODE", help="the node's uid")
        add_agent_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        node = str(options["node"])
        if not node or "," in node:
            raise CommandError(f"'{node}' is not a node's uid: give one, as `manage.py load_cluster` or the nodes page shows it.")
        become_agent(
            ["-P", "prefork", "-c", "1", "-Q", node_queue(node), "-n", f"agent-{node}@%h", "--loglevel", options["loglevel"]],
            agent_environment(node=node, root=options["root"], state=options["state"]),
            events=options["events"],
        )
