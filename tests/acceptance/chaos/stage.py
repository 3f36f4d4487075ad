"""One round: deployments under way, the fault that strikes them, and what is remembered of it for the judges."""

from __future__ import annotations

import fcntl
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.acceptance.chaos import journal
from tests.acceptance.chaos.system import CLUSTERS, System

UNFINISHED = ("pending", "running")
PATIENCE = 90.0


class Stage:
    """What a fault is given to work with."""

    def __init__(self, system: System, clusters: Sequence[str], chance: random.Random) -> None:
        self.system, self.chance = system, chance
        self.clusters = tuple(clusters)
        self.parents: list[int] = []
        self.struck_at = 0.0
        """When the harm was done."""
        self.repaired_at = 0.0
        self.stopped_at: float | None = None
        """When the last stop command had answered."""
        self.recalled: float | None = None
        """Seconds from the request to stop until what was not claimed had been recalled."""
        self.dead_owner = ""
        self.struck_nodes: set[str] = set()
        self.gone: set[str] = set()
        """Nodes whose agent does not come back in this round."""
        self.at_the_end: list[Callable[[], None]] = []
        """What is to be cleared away after the round."""

    def deploy(self) -> None:
        """Ask for a deployment of each cluster of this round."""
        self.parents += self.system.deploy(self.clusters)

    def deploy_until(self, task: str, node: str = "") -> journal.Line:
        """Ask for the deployments, and wait until this task runs on the node (or on some); its line. It is held until `release`."""
        self.hold(task)
        self.deploy()
        return self.until_runs(task, node)

    def struck(self, *nodes: str) -> None:
        """The harm is done now, to these nodes if it is one of agents. What was held goes on."""
        self.struck_at = time.time()
        self.struck_nodes |= set(nodes)
        self.release()

    def hold(self, task: str) -> None:
        """This task does not end on any node."""
        for node in self.nodes:
            (self.system.nodes / node / f"hold-{task}").touch()

    def release(self) -> None:
        """Whatever is held goes on."""
        for file in self.system.nodes.glob("*/hold-*"):
            file.unlink()

    # -- moments ----------------------------------------------------------------------------------------------------------

    def until_runs(self, task: str, node: str = "") -> journal.Line:
        """Wait until this task runs on the node (or on some), and a random moment more; its line."""

        def found() -> list[journal.Line]:
            return [line for line in journal.running(self.journal()) if line.task == task and node in ("", line.node)]

        line = self.system.wait(found, PATIENCE, f"{task} runs on {node or 'some node'}")[-1]
        time.sleep(self.chance.uniform(0.0, 0.3))
        return line

    def until_recorded(self, status: str, node: str) -> int:
        """Wait until an attempt of the node is recorded with this status; its run."""
        query = (
            "SELECT a.run_id FROM history_attempt a JOIN history_taskrun r ON r.id = a.run_id JOIN history_transaction t ON t.id = "
            "r.transaction_id WHERE t.parent_id = ANY(%s) AND a.node = %s AND a.status = %s"
        )
        rows = self.system.wait(
            lambda: self.system.rows(query, self.parents, node, status), PATIENCE, f"an attempt is {status} on node {node}"
        )
        return int(rows[0]["run_id"])

    @contextmanager
    def guarded(self, node: str) -> Iterator[None]:
        """Nothing begins on the node: its agents wait for each other at this lock, and here they wait for the test."""
        folder = self.system.folder / "state" / node
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "guard").open("ab") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            yield

    def until_over(self, seconds: float = PATIENCE) -> None:
        """Wait until all deployments of this round have ended."""
        self.system.wait(self._over, seconds, "the end of the deployment after the fault")

    def is_over(self, parent: int) -> bool:
        """Whether this deployment has ended."""
        return not self.system.rows("SELECT 1 FROM history_transaction WHERE id = %s AND status = ANY(%s)", parent, list(UNFINISHED))

    def _over(self) -> bool:
        query = "SELECT 1 FROM history_transaction WHERE id = ANY(%s) AND status = ANY(%s) LIMIT 1"
        return not self.system.rows(query, self.parents, list(UNFINISHED))

    # -- what a person does -----------------------------------------------------------------------------------------------

    def stop(self) -> bool:
        """Ask for a stop of each deployment; whether all were accepted, or came after the end."""
        done = True
        for cluster in self.clusters:
            answer = self.system.manage("stop", cluster, "--reason", "chaos", check=False)
            said = answer.stderr.strip()
            if answer.returncode and not ("Nothing to stop" in said or "already stopping" in said):
                assert answer.stderr.startswith("CommandError: ") and len(said.splitlines()) == 1, said
                done = False
        self.stopped_at = time.time()
        return done

    # -- what is known ----------------------------------------------------------------------------------------------------

    @property
    def nodes(self) -> list[str]:
        """The nodes of this round."""
        return [node for cluster in self.clusters for node in CLUSTERS[cluster]]

    def owner(self) -> str:
        """The worker that owns one of the deployments now."""
        query = "SELECT owner FROM history_transaction WHERE id = ANY(%s) AND owner LIKE 'orchestrator@%%'"
        owner = str(self.system.wait(lambda: self.system.rows(query, self.parents), PATIENCE, "an owner")[0]["owner"])
        pid = int(owner.rpartition(".")[2])
        self.dead_owner = owner
        return next(name for name, worker in self.system.workers.items() if worker.pid == pid)

    def new_owner(self) -> bool:
        """Whether another has taken over from the owner last asked for."""
        query = "SELECT 1 FROM history_transaction WHERE id = ANY(%s) AND owner LIKE 'orchestrator@%%' AND owner <> %s"
        return bool(self.system.rows(query, self.parents, self.dead_owner))

    def some_task(self) -> str:
        """Any: at the first nothing has been done yet, at the last little is left; `build` may not be run again by itself."""
        return self.chance.choice(("prepare", "build", "gather", "serve", "check"))

    def from_stop_to_recall(self) -> float | None:
        """Seconds from the request to stop until the last recall was recorded; None where nothing was recalled."""
        query = (
            "SELECT extract(epoch FROM max(e.at) - min(t.stop_requested_at)) AS seconds FROM history_event e JOIN history_transaction t "
            "ON t.id = e.transaction_id WHERE t.id = ANY(%s) AND e.subject = 'attempt' AND e.new = 'recalled' "
            "AND e.at >= t.stop_requested_at"
        )
        seconds = self.system.rows(query, self.parents)[0]["seconds"]
        return None if seconds is None else float(seconds)

    def runs(self) -> list[dict[str, Any]]:
        """All task runs of this round."""
        return self.system.rows(
            "SELECT r.*, t.parent_id FROM history_taskrun r JOIN history_transaction t ON t.id = r.transaction_id "
            "WHERE t.parent_id = ANY(%s) ORDER BY r.id",
            self.parents,
        )

    def attempts(self) -> dict[tuple[int, int], dict[str, Any]]:
        """All attempts of this round, by run and number."""
        rows = self.system.rows("SELECT * FROM history_attempt WHERE run_id = ANY(%s)", [run["id"] for run in self.runs()])
        return {(row["run_id"], row["attempt"]): row for row in rows}

    def journal(self) -> list[journal.Line]:
        """What the tasks of this round wrote."""
        return self.system.journal({run["id"] for run in self.runs()})
