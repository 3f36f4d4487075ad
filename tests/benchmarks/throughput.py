"""End to end: recorded task runs a second through real workers, against raw Celery no-ops in the same run."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import Any

import redis
from django.conf import settings

from deployments.models import Cluster, Graph, Node, Release
from deployments.services.clock import SystemClock
from deployments.services.lifecycle import DeployOptions, request_deploy
from deployments.services.rehearsal import Rehearsal
from deployments.services.setup import make_dispatcher
from deployments.wire.names import node_queue
from history import queries as history
from history.models import Attempt, TaskRun
from tests.benchmarks.stage import stage

NODES = 100


def throughput(runs: int, rounds: int) -> dict[str, Any]:
    """`runs` no-op task runs on 100 nodes, and a graph of barriers, each against raw Celery where that makes sense."""
    with stage():
        raws, ours, gated = [], [], []
        for turn in range(rounds):
            raws.append(_raw(runs))
            ours.append(_ours(f"wide{turn}", NODES, _independent(runs // NODES)))
            gated.append(_ours(f"gated{turn}", 10, _barriers(100)))
    raw, own = statistics.median(raws), statistics.median(row["runs_per_second"] for row in ours)
    g1 = statistics.median(row["runs_per_second"] for row in gated)
    return {
        "runs": runs, "database": settings.DATABASES["default"]["ENGINE"].rpartition(".")[2],
        "raw_celery_per_second": round(raw, 1), "recorded_runs_per_second": round(own, 1), "ratio": round(own / raw, 3),
        "g1_recorded_runs_per_second": round(g1, 1),
        "lost": sum(row["lost"] for row in ours + gated), "doubled": sum(row["doubled"] for row in ours + gated),
    }  # fmt: skip


def _independent(count: int) -> list[dict[str, Any]]:
    return [{"id": f"t{i:04}", "type": "shell", "version": "2.1.0", "role": ["*"], "parameters": {"cmd": "true"}} for i in range(count)]


def _barriers(count: int) -> list[dict[str, Any]]:
    """G1: tasks in sequence on each node, with a barrier over all nodes at every 10th."""
    tasks = _independent(count)
    for index, task in enumerate(tasks[1:], 1):
        before = tasks[index - 1]["id"]
        if index % 10 == 0:
            task["cross-depends"] = [{"name": before, "role": "*"}]
        else:
            task["requires"] = [before]
    return tasks


def _ours(name: str, nodes: int, tasks: list[dict[str, Any]]) -> dict[str, Any]:
    release, _ = Release.objects.get_or_create(name="bench", version="1.0")
    cluster = Cluster.objects.create(name=name, release=release, max_nodes_per_call=0)
    Node.objects.bulk_create(Node(uid=f"{name}-{i}", cluster=cluster, roles=["worker"], status="provisioned") for i in range(nodes))
    Graph.objects.create(cluster=cluster, type="default", tasks=tasks)
    options = DeployOptions(rehearsal=Rehearsal(speed=1.0, durations={"*": 0.0}))
    parent = request_deploy(cluster, options, actor="bench", reason="", clock=SystemClock(), dispatcher=make_dispatcher())
    while history.transaction(parent.id).status in ("pending", "running"):
        time.sleep(0.2)
    child = history.children(parent)[0]
    child.refresh_from_db()
    if child.status != "ready":
        raise RuntimeError(f"the benchmark's deployment ended {child.status}: {child.message}")
    rows = TaskRun.objects.filter(transaction=child)
    first = rows.order_by("time_start").first()
    seconds = (child.time_end - first.time_start).total_seconds()
    tries = Attempt.objects.filter(run__transaction=child)
    return {
        "runs_per_second": rows.count() / seconds, "lost": rows.exclude(status="ready").count(),
        "doubled": tries.count() - tries.values("run").distinct().count(),
    }  # fmt: skip


def _raw(runs: int) -> float:
    """Raw no-ops a second: one publisher, a threads pool of the fleet's size, the same number of queues."""
    os.environ["RAW_REDIS_URL"] = settings.REDIS_URL
    from tests.benchmarks.raw_app import DONE, app, noop  # noqa: PLC0415 - it reads its environment when it is imported

    queues = [node_queue(f"raw{i}") for i in range(NODES)]
    command = [sys.executable, "-m", "celery", "-A", "tests.benchmarks.raw_app", "worker", "--pool=threads", "--concurrency=100",
               f"--queues={','.join(queues)}", "--without-gossip", "--without-mingle", "--loglevel=ERROR"]  # fmt: skip
    worker = subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=subprocess.DEVNULL)
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=None)
    try:
        noop.apply_async(kwargs={"last": 1}, queue=queues[0])
        client.blpop(DONE, 60)
        begun = time.monotonic()
        with app.producer_pool.acquire(block=True) as producer:
            for index in range(runs):
                noop.apply_async(kwargs={"last": runs}, queue=queues[index % NODES], producer=producer)
        if client.blpop(DONE, 600) is None:
            raise TimeoutError("raw Celery did not finish")
        return runs / (time.monotonic() - begun)
    finally:
        worker.terminate()
        worker.wait(60)
