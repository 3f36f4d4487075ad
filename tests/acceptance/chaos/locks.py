"""Faults that keep rows of the database locked: an owner that is stopped in its commit, a session of somebody else."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from tests.acceptance.chaos.stage import PATIENCE, Stage
from tests.acceptance.chaos.system import CLUSTERS

ITS_ROW = "UPDATE history_transaction SET progress = progress WHERE id = %(parent)s"
ITS_NODES = "SELECT 1 FROM deployments_node WHERE uid = ANY(%(nodes)s) FOR UPDATE"


def freeze_in_a_commit(stage: Stage) -> Iterator[None]:
    """The owner is stopped between its UPDATE and its COMMIT, so its transaction's row stays locked: PostgreSQL has to end that session."""
    stage.system.start("orchestrator-2")
    stage.deploy_until(stage.some_task())
    name = stage.owner()
    session = "SELECT state FROM pg_stat_activity WHERE application_name = 'fuelweb orchestrator' AND "
    with stage.system.commits_held():
        stage.release()
        stage.system.wait(lambda: stage.system.rows(session + "wait_event = 'PgSleep'"), PATIENCE, "the owner in its commit")
        stage.system.signal(name, signal.SIGSTOP)
    stage.struck()
    stage.system.wait(lambda: stage.new_owner(), PATIENCE, "another owner")
    yield
    stage.system.signal(name, signal.SIGCONT)


def hold_rows(stage: Stage, rows: str) -> Iterator[None]:
    """Somebody has rows of one deployment locked: the other goes on to its end, and people are told who it is."""
    stage.system.start("orchestrator-2")
    stage.deploy_until(stage.some_task())
    locked, other = stage.chance.sample(range(len(stage.parents)), 2)
    parent = stage.parents[locked]
    with stage.system.postgres.connect() as session, session.transaction():
        session.execute("SET application_name = 'psql'")
        session.execute(rows, {"parent": parent, "nodes": list(CLUSTERS[stage.clusters[locked]])})
        stage.struck()
        stage.system.wait(lambda: stage.is_over(stage.parents[other]), PATIENCE, "the end of the other deployment")
        assert not stage.is_over(parent), "what is locked has ended all the same"
        about = next(run for run in stage.runs() if run["parent_id"] == parent)
        name = f"{about['task_name']}/{about['node']}"
        said = f"pid {session.info.backend_pid}, idle in transaction"
        stage.system.wait(lambda: said in stage.system.manage("why", str(parent), name).stdout, PATIENCE, "who has it locked is told")
        yield
