"""How fast a deployment is beside another one's trouble, in the same orchestrator: as a share of its speed alone, in the same run."""

from __future__ import annotations

import os
import time
from typing import Any

from django.db import connection

from deployments.models import Cluster
from deployments.services.standing import standing_of
from history import queries as history
from history.models import Transaction
from tests.benchmarks.stage import stage, wait_for
from tests.benchmarks.troubles import FOR_ROOT, ON_POSTGRES, TROUBLES, Scene

NODES, TASKS, SECONDS = 2, 15, 0.5
"""30 runs of half a second."""
PATIENCE = 300.0


def bystander(seconds: float) -> list[dict[str, Any]]:
    """The bystander's runs a second alone, and while each trouble lasts (so many seconds)."""
    with stage() as system:
        scene = Scene(system)
        cluster = scene.cluster("bystander", NODES, TASKS)
        _deployed(scene, cluster)
        rows = []
        for name, trouble in TROUBLES.items():
            if name in ON_POSTGRES and connection.vendor != "postgresql" or name in FOR_ROOT and os.geteuid():
                continue
            alone = _speed(scene, cluster, 2 * NODES * TASKS * SECONDS)
            with trouble(scene) as parent:
                beside = _speed(scene, cluster, seconds)
                told = standing_of(parent.id)
                repaired = time.monotonic()
            wait_for(lambda parent=parent: _is_over(parent), PATIENCE)
            rows.append(
                {
                    "trouble": name, "database": connection.vendor, "alone_per_second": round(alone, 2),
                    "beside_per_second": round(beside, 2), "ratio": round(beside / alone, 2), "told": told,
                    "ended": history.transaction(parent.id).status, "ended_after": round(time.monotonic() - repaired, 1),
                }
            )  # fmt: skip
    return rows


def _speed(scene: Scene, cluster: Cluster, seconds: float) -> float:
    """Runs a second of one deployment after the other, for at least so many seconds. Pauses between two don't count."""
    runs = took = 0.0
    until = time.monotonic() + seconds
    while not runs or time.monotonic() < until:
        runs, took = runs + NODES * TASKS, took + _deployed(scene, cluster)
    return runs / took


def _deployed(scene: Scene, cluster: Cluster) -> float:
    """Seconds from the request to the end."""
    parent = scene.deploy(cluster, SECONDS)
    wait_for(lambda: _is_over(parent), PATIENCE)
    ended = history.transaction(parent.id)
    if ended.status != "ready" or ended.time_end is None:
        raise RuntimeError(f"the bystander's deployment ended {ended.status}: {ended.message}")
    return (ended.time_end - ended.created_at).total_seconds()


def _is_over(parent: Transaction) -> bool:
    return history.transaction(parent.id).status not in ("pending", "running")
