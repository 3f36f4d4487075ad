"""Prove from the event log that a transaction kept its promises."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from deployments.core.proof.findings import Finding
from deployments.management.base import FuelwebCommand
from deployments.services.verification import Verification, verify_transaction


class Command(FuelwebCommand):
    help = (
        "Replay a transaction's event log against its plan and prove that nothing started before what it waits for, nothing ran twice at "
        "once on a node, no limit was passed, nothing started after a stop, and every state was reached legally. Exit 1 with findings."
    )
    examples = ("verify 7",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("transaction", type=int, help="id of a request, or of one of its children")
        parser.add_argument("--format", choices=("text", "json"), default="text")

    def handle(self, *args: Any, **options: Any) -> None:
        proof = verify_transaction(options["transaction"])
        self.stdout.write(json.dumps(proof.as_dict(), indent=1) if options["format"] == "json" else _text(proof))
        if proof.findings:
            self.stdout.flush()
            sys.exit(1)


def _text(proof: Verification) -> str:
    figures = f"{proof.events} events, {proof.task_runs} task runs"
    so_far = "" if proof.over else f" (so far: transaction {proof.transaction} is {proof.status})"
    if not proof.findings:
        return f"verified: {figures}, 0 findings{so_far}"
    count = len(proof.findings)
    return "\n".join([*map(_line, proof.findings), f"not verified: {figures}, {count} finding{'s' if count > 1 else ''}{so_far}"])


def _line(finding: Finding) -> str:
    where = f"event {finding.seq}" if finding.seq is not None else "the end"
    return f"{finding.kind:8}{where}: {finding.sentence}"
