"""A long past to be asked about: seeded deployments and, among them, some that were recorded as real ones are, with plan and proof."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection

from deployments.core.events import Begin
from deployments.core.facts import ClusterFacts, NodeFacts
from deployments.core.plan import Plan
from deployments.core.planning import planner
from history.models import Attempt, Event, TaskRun, Transaction
from history.recorder import seeding
from tests.integration.recorded import Recorded

RUNS, CLUSTERS, NODES = 500, 5, 10
"""Of each deployment. Few clusters, so that already a short past fills a page of each question: both ends answer with as many rows."""
PARTS = 10
"""After each of so many parts of the past comes a deployment that was recorded whole."""
ASKED = 20
"""How many seeded deployments are asked about, spread over the whole past."""

_END = datetime(2026, 1, 1, tzinfo=UTC)
_BETWEEN = timedelta(minutes=15)
_FAILED = f"task-{RUNS // NODES - 5:03}"
_EVENTS = """VALUES (1, 'attempt', 1, '', 'dispatched'), (2, 'attempt', 1, 'dispatched', 'started'), (3, 'run', NULL, 'pending', 'running'),
    (4, 'attempt', 1, 'started', 'ready'), (5, 'run', NULL, 'running', 'ready')"""


@dataclass(frozen=True)
class Past:
    """What is asked about: seeded deployments, deployments that were recorded whole (each with a failure), and one that runs now."""

    seeded: list[Transaction]
    whole: list[Transaction]
    running: Transaction


def make_past(deployments: int, say: Callable[[int], None]) -> Past:
    """So many deployments, in the tables that the connection sees."""
    seeded, whole, runs = [], [], _plans()
    with connection.cursor() as cursor:
        # Nobody minds if this past is lost.
        cursor.execute("SET synchronous_commit TO off")
    for part in range(PARTS):
        count = deployments * (part + 1) // PARTS - deployments * part // PARTS
        ends = _END - _BETWEEN * deployments * (PARTS - 1 - part) / PARTS
        seeds = seeding.Seeds(count, RUNS, CLUSTERS, NODES, ends=ends, between=_BETWEEN)
        seeded += seeding.seed(seeds)
        say(len(seeded))
        cluster = part % CLUSTERS
        done = _begun(runs[cluster], cluster).finish({f"{_FAILED}/seeded-{cluster}-1": "error:It broke."})
        whole.append(done.parent.id)
    now = _begun(runs[0], 0)
    for row in list(now.child.undone.values())[: NODES // 2]:
        now.start(f"{row.task_name}/{row.node}")
    # Recorded without agents, but asked about as what was really run.
    Transaction.objects.filter(rehearsal__isnull=False).update(rehearsal=None)
    _fill()
    return Past(_rows(seeded[:: max(1, deployments // ASKED)][:ASKED]), _rows(whole), _rows([now.parent.id])[0])


def _begun(plan: Plan, cluster: int) -> Recorded:
    recorded = Recorded(plan, seeding.FIRST_CLUSTER + cluster)
    recorded.commit(Begin())
    return recorded


def _plans() -> list[Plan]:
    """By cluster; every task waits for the one before on its node, and every tenth for that one on all nodes."""
    tasks = []
    for number in range(RUNS // NODES):
        task = {"id": f"task-{number:03}", "type": "shell", "version": "2.1.0", "role": ["*"], "parameters": {"cmd": "true"}}
        before = {"name": f"task-{number - 1:03}"}
        tasks.append(task | ({"cross-depends": [before]} if number and number % 10 == 0 else {"requires": [before["name"]] * bool(number)}))
    names = [[f"seeded-{cluster}-{node}" for node in range(NODES)] for cluster in range(CLUSTERS)]
    return [planner.plan(tasks, ClusterFacts(nodes=tuple(NodeFacts(uid, ("web",)) for uid in uids))) for uids in names]


def _fill() -> None:
    """An attempt for each seeded task run that was started, and the events that tell of it; their digests prove nothing."""
    runs, attempts, events = (model._meta.db_table for model in (TaskRun, Attempt, Event))
    seeded = f"{runs} r JOIN {Transaction._meta.db_table} t ON t.id = r.transaction_id AND t.actor = %s WHERE r.attempts = 1"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {attempts} (run_id, attempt, node, number, status, dispatched_at, time_start, time_end, duration, reason) "
            f"SELECT r.id, 1, r.node, r.id * 1000, r.status, r.time_start, r.time_start, r.time_end, 1, '' FROM {seeded}",
            [seeding.ACTOR],
        )
        cursor.execute(
            f"INSERT INTO {events} (transaction_id, seq, at, actor, subject, run, attempt, node, old, new, reason, digest) "
            "SELECT t.parent_id, r.position * 5 + e.seq, r.time_start, t.actor, e.subject, r.id, e.attempt, r.node, e.old, e.new, '', "
            f"repeat('0', 64) FROM {seeded.replace(' WHERE', f' CROSS JOIN ({_EVENTS}) e (seq, subject, attempt, old, new) WHERE')}",
            [seeding.ACTOR],
        )


def _rows(ids: list[int]) -> list[Transaction]:
    return list(Transaction.objects.filter(id__in=ids).order_by("id"))
