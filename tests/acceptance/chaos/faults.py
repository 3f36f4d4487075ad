"""The faults. Each is a generator: it deploys, waits for its moment, does its harm, yields (a stop may be asked for here), and repairs."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from tests.acceptance.chaos.locks import ITS_NODES, ITS_ROW, freeze_in_a_commit, hold_rows
from tests.acceptance.chaos.stage import PATIENCE, Stage
from tests.acceptance.chaos.system import CLUSTERS

Act = Callable[[Stage], Iterator[None]]
Recovery = Literal["owner", "lost", "next"]

TO_START = 1.0
"""Seconds that are left to an agent which goes on to do something it must not."""
AGENTS = {"fleet": ("fleet", "f2"), "agents": ("a1", "a1")}
"""Cluster → the worker that is struck, and one of the nodes it serves."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`recovery` says what counts as having recovered; how long it took is told, but is a matter of how busy the machine is:

    - `owner`: another owner has committed something, counted from the harm;
    - `lost`: what ran on the nodes that were struck was judged, counted from the harm;
    - `next`: anything was committed (by another owner than one that died), counted from the repair.
    """

    kind: str
    act: Act
    recovery: Recovery = "next"
    clusters: tuple[str, ...] = ("fleet",)


def _served(worker: str) -> tuple[str, ...]:
    return CLUSTERS["fleet"] if worker == "fleet" else (worker,)


# -- agents ---------------------------------------------------------------------------------------------------------------------


def kill_before_claim(stage: Stage, cluster: str) -> Iterator[None]:
    """The message is with the agent, and it dies before it claims."""
    worker, node = AGENTS[cluster]
    stage.system.signal(worker, signal.SIGSTOP)
    stage.deploy()
    stage.until_recorded("dispatched", node)
    time.sleep(stage.chance.uniform(0.0, 0.3))
    stage.system.kill(worker)
    stage.struck(*_served(worker))
    yield
    stage.system.start(worker)


def kill_agent(stage: Stage, cluster: str, task: str = "") -> Iterator[None]:
    """Main and pool, while a task runs."""
    worker, node = AGENTS[cluster]
    stage.deploy_until(task or stage.some_task(), node)
    stage.system.kill(worker)
    stage.struck(*_served(worker))
    yield
    stage.system.start(worker)


def kill_agent_main(stage: Stage) -> Iterator[None]:
    """The pool process outlives its worker, and its task goes on; meanwhile another agent serves the node."""
    stage.deploy_until(stage.some_task(), "a1")
    stage.system.kill_main("a1")
    stage.struck("a1")
    yield
    stage.system.start("a1")


def kill_agent_child(stage: Stage, task: str = "") -> Iterator[None]:
    """The worker makes a new pool process; what the old one ran is lost."""
    stage.deploy_until(task or stage.some_task(), "a1")
    stage.system.kill_child("a1")
    stage.struck("a1")
    yield


def kill_after_the_work(stage: Stage, cluster: str, task: str) -> Iterator[None]:
    """The task's work is done, and its agent dies before it sees that."""
    worker, node = AGENTS[cluster]
    mine = stage.system.nodes / node / f"mine-{task}"
    mine.touch()
    stage.deploy()
    stage.system.wait(lambda: not mine.exists(), PATIENCE, f"{task} on node {node} kills its agent")
    stage.struck(*_served(worker))
    yield
    if worker == "fleet":
        stage.system.workers[worker].wait(PATIENCE)
        stage.system.start(worker)


def kill_before_the_report(stage: Stage) -> Iterator[None]:
    """The outcome is kept on the node's disk, but Redis does not answer; the agent dies, then Redis goes on."""
    kept = stage.system.folder / "state" / "f2" / "outcome"
    stage.deploy_until(stage.some_task(), "f2")
    with stage.system.redis_stopped():
        now = time.time()
        stage.release()
        stage.system.wait(lambda: kept.exists() and kept.stat().st_mtime > now, PATIENCE, "the outcome is kept on the node")
        stage.system.kill("fleet")
        stage.struck(*_served("fleet"))
    yield
    stage.system.start("fleet")


def term_agent(stage: Stage, cluster: str) -> Iterator[None]:
    """What runs ends by itself and is recorded; the worker is gone then."""
    worker, node = AGENTS[cluster]
    line = stage.deploy_until(stage.some_task(), node)
    stage.system.workers[worker].terminate()
    stage.struck(*_served(worker))
    yield
    assert stage.system.workers[worker].wait(PATIENCE) == 0, f"{worker} did not end well"
    ended = stage.system.wait(lambda: stage.attempts()[line.run, line.attempt]["status"] != "started", PATIENCE, "its task is recorded")
    assert ended and stage.attempts()[line.run, line.attempt]["status"] == "ready", "what ran while its agent was asked to end was not kept"
    stage.system.start(worker)


def freeze_agent(stage: Stage, cluster: str, *, with_task: bool) -> Iterator[None]:
    """Nothing is heard of it for longer than its lease, then it goes on. With its task frozen too, the next attempt must end that first."""
    worker, node = AGENTS[cluster]
    line = stage.deploy_until("serve", node)
    if with_task:
        os.killpg(line.pid, signal.SIGSTOP)
    stage.system.signal(worker, signal.SIGSTOP)
    stage.struck(*_served(worker))
    stage.until_recorded("lost", node)
    yield
    stage.system.signal(worker, signal.SIGCONT)
    if with_task:
        # Where nothing more starts on the node there is nobody to end it.
        stage.at_the_end.append(lambda: _end_frozen(line.pid))


def _end_frozen(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def freeze_before_the_start(stage: Stage, cluster: str) -> Iterator[None]:
    """The attempt is claimed, but its command does not run yet; when the agent goes on, it has long been lost."""
    worker, node = AGENTS[cluster]
    with stage.guarded(node):
        stage.deploy()
        run = stage.until_recorded("started", node)
        stage.system.signal(worker, signal.SIGSTOP)
        stage.struck(*_served(worker))
        # Without a sign of life for so long its other nodes may be given up.
        stage.gone |= set(_served(worker))
    stage.until_recorded("lost", node)
    assert run not in {line.run for line in stage.journal()}, "the command ran before its agent was frozen"
    yield
    if stage.stopped_at is not None:
        stage.until_over()
    stage.system.signal(worker, signal.SIGCONT)
    time.sleep(TO_START)


def agent_gone(stage: Stage) -> Iterator[None]:
    """It never comes back: its node is offline, and what waits for it can't run."""
    stage.deploy_until("prepare", "a1")
    stage.system.kill("a1")
    stage.struck("a1")
    stage.gone.add("a1")
    stage.until_recorded("lost", "a1")
    yield
    if stage.stopped_at is not None:
        stage.system.wait(
            lambda: "dispatched" not in {row["status"] for row in stage.attempts().values()},
            PATIENCE,
            "what was not claimed is recalled",
        )
        # Nothing waits for an agent that is gone: it is the stop that recalls, not that the node is given up.
        why = {row["reason"] for row in stage.attempts().values() if row["status"] == "recalled"}
        assert why <= {"The transaction is being stopped."}, f"recalled because: {', '.join(sorted(why))}"
        stage.recalled = stage.from_stop_to_recall()


# -- orchestrators and planners -------------------------------------------------------------------------------------------------


def kill_orchestrator(stage: Stage) -> Iterator[None]:
    """The only one; started again."""
    stage.deploy_until(stage.some_task())
    name = stage.owner()
    stage.system.kill(name)
    stage.struck()
    yield
    stage.system.start(name)


def term_orchestrator(stage: Stage) -> Iterator[None]:
    """It waits for what runs, and gives everything back."""
    stage.deploy_until(stage.some_task())
    name = stage.owner()
    stage.system.workers[name].terminate()
    stage.struck()
    yield
    assert stage.system.workers[name].wait(PATIENCE) == 0, f"{name} did not end well"
    stage.system.start(name)


def kill_one_of_two(stage: Stage) -> Iterator[None]:
    """The owner dies; the other takes over by itself."""
    stage.system.start("orchestrator-2")
    stage.deploy_until(stage.some_task())
    stage.system.kill(stage.owner())
    stage.struck()
    yield


def freeze_orchestrator(stage: Stage) -> Iterator[None]:
    """The owner is silent until another has taken over, then goes on as if nothing had been."""
    stage.system.start("orchestrator-2")
    stage.deploy_until(stage.some_task())
    name = stage.owner()
    stage.system.signal(name, signal.SIGSTOP)
    stage.struck()
    stage.system.wait(lambda: stage.new_owner(), PATIENCE, "another owner")
    yield
    stage.system.signal(name, signal.SIGCONT)


def kill_both(stage: Stage) -> Iterator[None]:
    """Orchestrator and agents at once."""
    stage.deploy_until(stage.some_task())
    name = stage.owner()
    stage.system.kill(name)
    stage.system.kill("fleet")
    stage.struck(*_served("fleet"))
    yield
    stage.system.start("fleet")
    time.sleep(stage.chance.uniform(0.0, 1.0))
    stage.system.start(name)


def kill_with_postgres(stage: Stage) -> Iterator[None]:
    """The fleet dies while there is no database to write that down in."""
    stage.deploy_until(stage.some_task())
    stage.system.postgres.stop_at_once()
    stage.system.kill("fleet")
    stage.struck(*_served("fleet"))
    yield
    stage.system.start("fleet")
    time.sleep(stage.chance.uniform(0.0, 2.0))
    stage.system.postgres.start()


def kill_with_redis(stage: Stage) -> Iterator[None]:
    """The fleet dies, and nobody but the database remembers what it was doing."""
    stage.deploy_until(stage.some_task())
    stage.system.kill("fleet")
    stage.system.redis.kill()
    stage.struck(*_served("fleet"))
    yield
    stage.system.redis.restart(empty=True)
    stage.system.start("fleet")


def kill_planner(stage: Stage) -> Iterator[None]:
    """While it holds the transaction and writes the plan."""
    with stage.system.postgres.connect() as connection, connection.transaction():
        connection.execute("LOCK TABLE history_snapshot IN SHARE MODE")
        stage.deploy()
        query = "SELECT 1 FROM history_transaction WHERE id = %s AND owner LIKE 'planner@%%'"
        stage.system.wait(lambda: stage.system.rows(query, stage.parents[0]), PATIENCE, "a planner at work")
        stage.system.kill("planner")
        stage.struck()
    yield
    stage.system.start("planner")


# -- services -------------------------------------------------------------------------------------------------------------------


def kill_redis(stage: Stage, *, keep: bool) -> Iterator[None]:
    """It comes back with its data or with nothing."""
    stage.deploy_until(stage.some_task())
    stage.system.redis.kill()
    stage.struck()
    yield
    time.sleep(stage.chance.uniform(0.0, 1.0))
    stage.system.redis.restart(empty=not keep)


def roll_redis_back(stage: Stage) -> Iterator[None]:
    """It comes back with what it knew some task runs ago."""
    redis = stage.system.redis
    copy = stage.system.folder / "redis-copy"
    shutil.rmtree(copy, ignore_errors=True)
    stage.deploy_until("prepare")
    shutil.copytree(redis.data, copy)
    stage.release()
    stage.hold("serve")
    stage.until_runs("serve")
    redis.kill()
    stage.struck()
    yield
    shutil.rmtree(redis.data)
    shutil.copytree(copy, redis.data)
    redis.start()


def kill_redis_and_orchestrator(stage: Stage) -> Iterator[None]:
    """The data of one is gone, the memory of the other too."""
    stage.deploy_until(stage.some_task())
    name = stage.owner()
    stage.system.redis.kill()
    stage.system.kill(name)
    stage.struck()
    yield
    stage.system.redis.restart(empty=True)
    stage.system.start(name)


def restart_postgres(stage: Stage) -> Iterator[None]:
    """Every connection is cut."""
    stage.deploy_until(stage.some_task())
    stage.system.postgres.stop_at_once()
    stage.struck()
    yield
    time.sleep(stage.chance.uniform(0.0, 2.0))
    stage.system.postgres.start()


BOTH = ("fleet", "agents")
ONE = ("agents",)

FAULTS: Mapping[str, Fault] = {
    "orchestrator-killed": Fault("orchestrator", kill_orchestrator, clusters=BOTH),
    "orchestrator-asked-to-end": Fault("orchestrator", term_orchestrator, clusters=BOTH),
    "one-of-two-orchestrators-killed": Fault("orchestrator", kill_one_of_two, "owner", clusters=BOTH),
    "owner-frozen": Fault("orchestrator", freeze_orchestrator, "owner"),
    "owner-frozen-in-a-commit": Fault("orchestrator", freeze_in_a_commit, "owner"),
    "row-held-by-a-session": Fault("postgres", partial(hold_rows, rows=ITS_ROW), clusters=BOTH),
    "nodes-held-by-a-session": Fault("postgres", partial(hold_rows, rows=ITS_NODES), clusters=BOTH),
    "planner-killed": Fault("planner", kill_planner),
    "fleet-killed-before-claim": Fault("agent", partial(kill_before_claim, cluster="fleet")),
    "fleet-killed": Fault("agent", partial(kill_agent, cluster="fleet"), "lost"),
    "fleet-killed-in-what-runs-once": Fault("agent", partial(kill_agent, cluster="fleet", task="build"), "lost"),
    "fleet-killed-after-the-work": Fault("agent", partial(kill_after_the_work, cluster="fleet", task="serve"), "lost"),
    "fleet-killed-before-the-report": Fault("agent", kill_before_the_report),
    "fleet-asked-to-end": Fault("agent", partial(term_agent, cluster="fleet")),
    "fleet-frozen": Fault("agent", partial(freeze_agent, cluster="fleet", with_task=False), "lost"),
    "fleet-frozen-before-the-start": Fault("agent", partial(freeze_before_the_start, cluster="fleet"), "lost"),
    "agent-killed-before-claim": Fault("agent", partial(kill_before_claim, cluster="agents"), clusters=ONE),
    "agent-killed": Fault("agent", partial(kill_agent, cluster="agents"), "lost", ONE),
    "agent-main-killed": Fault("agent", kill_agent_main, "lost", ONE),
    "agent-child-killed": Fault("agent", kill_agent_child, "lost", ONE),
    "agent-child-killed-in-what-runs-once": Fault("agent", partial(kill_agent_child, task="build"), "lost", ONE),
    "agent-child-killed-after-the-work": Fault("agent", partial(kill_after_the_work, cluster="agents", task="build"), "lost", ONE),
    "agent-asked-to-end": Fault("agent", partial(term_agent, cluster="agents"), clusters=ONE),
    "agent-and-task-frozen": Fault("agent", partial(freeze_agent, cluster="agents", with_task=True), "lost", ONE),
    "agent-frozen-before-the-start": Fault("agent", partial(freeze_before_the_start, cluster="agents"), "lost", ONE),
    "agent-gone": Fault("agent", agent_gone, "lost", ONE),
    "orchestrator-and-fleet-killed": Fault("both", kill_both, clusters=BOTH),
    "postgres-stopped-and-fleet-killed": Fault("both", kill_with_postgres),
    "redis-emptied-and-fleet-killed": Fault("both", kill_with_redis),
    "redis-killed": Fault("redis", partial(kill_redis, keep=True), clusters=BOTH),
    "redis-emptied": Fault("redis", partial(kill_redis, keep=False), clusters=BOTH),
    "redis-rolled-back": Fault("redis", roll_redis_back),
    "redis-emptied-and-orchestrator-killed": Fault("redis", kill_redis_and_orchestrator, clusters=BOTH),
    "postgres-restarted": Fault("postgres", restart_postgres, clusters=BOTH),
}
"""All faults by name."""
