"""Planning newton on 3 controllers and 10 … 1,000 computes: seconds, peak memory, growth. Each size in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from django.conf import settings

COMPUTES = (10, 50, 100, 200, 500, 1000)

_CHILD = """
import json, resource, time
from tests.benchmarks.newton import newton_plan
before = time.process_time()
plan = newton_plan({computes})
seconds = time.process_time() - before
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([len(plan.runs), len(plan.bundles), seconds, peak]))
"""


def planning() -> list[dict[str, Any]]:
    """A row per size; `ms_per_run` shows the growth."""
    rows = []
    for computes in COMPUTES:
        child = [sys.executable, "-c", _CHILD.format(computes=computes)]
        output = subprocess.run(child, cwd=settings.BASE_DIR, capture_output=True, text=True, check=True).stdout
        runs, bundles, seconds, peak = json.loads(output)
        rows.append({
            "nodes": f"3+{computes}", "task_runs": runs, "relations": bundles, "cpu_seconds": round(seconds, 2), "peak_mb": round(peak),
            "ms_per_run": round(1000 * seconds / runs, 3),
        })  # fmt: skip
    return rows
