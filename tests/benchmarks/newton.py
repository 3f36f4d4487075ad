"""The real graph that the pure benchmarks work on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from deployments.core.graph import load_tasks
from deployments.core.plan import Plan
from deployments.core.planning.planner import plan
from tests.benchmarks.clusters import newton_facts

SHARED = Path(__file__).resolve().parents[3] / "shared"
GRAPHS = Path(os.environ.get("FUELWEB_GRAPHS", SHARED / "graphs"))
GRAPH = GRAPHS / "fuel-library-newton-tasks.yaml"
DURATIONS = SHARED / "cases/traversal/durations.json"


def tasks() -> list[dict[str, Any]]:
    """The newton library's tasks.

    Raises:
        SystemExit: the graph isn't here.
    """
    if not GRAPH.is_file():
        raise SystemExit(f"This benchmark needs {GRAPH.name}: set FUELWEB_GRAPHS to the folder that holds it.")
    return [dict(task) for task in load_tasks(GRAPH.read_bytes()).tasks]


def newton_plan(computes: int, max_nodes_per_call: int = 50) -> Plan:
    """3 controllers and so many computes."""
    return plan(tasks(), newton_facts(computes), max_nodes_per_call=max_nodes_per_call)


def durations() -> dict[str, float]:
    """Seconds by task; one for each where no file is here."""
    return json.loads(DURATIONS.read_text()) if DURATIONS.is_file() else {"*": 60.0}
