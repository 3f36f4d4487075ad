"""The nodes themselves: their processes, which outlive a killed agent, and the journal that the tasks write there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from deployments.connections.base import Ended, Next, NodeProblem, ProcessMark, Tried, Tries, Watch
from tests.faults.chance import Faults
from tests.faults.clock import Signal, Simulation

FOR_EVER = 1e9
HANGS_BELOW = 40.0
"""Tasks with a longer time limit don't hang: nobody would notice before the simulation is thought to stand still."""


@dataclass(slots=True)
class Entry:
    """One line of the journal: a task's process on a node. `start` and `end` count what was written anywhere, so they tell the order."""

    node: str
    number: int
    task: str
    start: int
    at: float
    end: int | None = None
    ended: float = 0.0
    how: str = ""
    """`done`, `failed` or `killed`; empty while it runs."""
    tries: int = 1
    """How many tries its attempt may make in all."""


@dataclass(slots=True)
class Program:
    """A process on a node."""

    entry: Entry
    over: Signal

    @property
    def lives(self) -> bool:
        """Whether it runs."""
        return not self.entry.how


class Machines:
    """All nodes, their processes by number, and the journal."""

    def __init__(self, simulation: Simulation) -> None:
        self.journal: list[Entry] = []
        self._simulation = simulation
        self._programs: dict[int, Program] = {}
        self._written = 0
        self._tries: dict[str, int] = {}

    def begin(self, node: str, number: int) -> int:
        """A process that has not run anything yet; its number."""
        self._programs[len(self._programs) + 100] = program = Program(
            Entry(node, number, "", 0, 0.0, how="waiting"), Signal(self._simulation)
        )
        assert program
        return len(self._programs) + 99

    def go(self, pid: int, command: Mapping[str, object]) -> Program:
        """Let it run its command: `{run, seconds, fails, tries}`; the first `fails` tries of a run end badly."""
        program, run = self._programs[pid], str(command["run"])
        self._written += 1
        self._tries[run] = tried = self._tries.get(run, 0) + 1
        entry = program.entry
        entry.task, entry.start, entry.at, entry.how = run, self._written, self._simulation.now, ""
        entry.tries = int(str(command["tries"]))
        self.journal.append(entry)
        self._simulation.tell(f"task {run} begins on {entry.node} as {entry.node}#{entry.number}")
        how = "failed" if tried <= int(str(command["fails"])) else "done"
        self._simulation.after(float(str(command["seconds"])), lambda: self._end(program, how))
        return program

    def kill(self, pid: int) -> bool:
        """End a process for good."""
        self._end(self._programs[pid], "killed")
        return True

    def reboot(self, node: str) -> None:
        """End all processes of a node."""
        for program in self._programs.values():
            if program.entry.node == node:
                self._end(program, "killed")

    def lives(self, known: ProcessMark) -> bool:
        """Whether it still runs."""
        return self._programs[known.group].lives

    def processes_module(self) -> SimpleNamespace:
        """Stands for `deployments.connections.processes` in the fence."""
        return SimpleNamespace(lives=self.lives, end_group=lambda group, grace: self.kill(group))

    def _end(self, program: Program, how: str) -> None:
        entry = program.entry
        if entry.how:
            return
        self._written += 1
        entry.end, entry.ended, entry.how = self._written, self._simulation.now, how
        self._simulation.tell(f"task {entry.task} on {entry.node}#{entry.number}: {how}")
        program.over.set()


class LocalDouble:
    """`deployments.connections.local.Local` on a simulated machine: the same steps in the same order."""

    machines: Machines
    simulation: Simulation
    faults: Faults

    def __init__(
        self, node: str, *, root: Path | None = None, watch: Watch | None = None, grace: float = 5.0, tries: Tries | None = None,
        **_told: object,
    ) -> None:  # fmt: skip
        assert watch is not None
        assert tries is not None
        self._node, self._watch, self._tries = node, watch, tries
        self._halted = False
        self._changed = Signal(self.simulation)

    def run(self, argv: Sequence[str], *, timeout: float, cwd: str = "/", env: Mapping[str, str] | None = None) -> Ended:
        """A process that waits at the gate, is marked, and then runs the command."""
        pid = self.machines.begin(self._node, self._watch._number)  # type: ignore[attr-defined]
        self.simulation.sleep(0.01)
        self.faults.at_call("begin")
        self._watch.begun(ProcessMark(pid, pid, "boot"))
        if self._halted:
            self._watch.ended()
            return Ended("halted", -15, "")
        command = json.loads(argv[-1])
        hangs = timeout < HANGS_BELOW and self.faults.happens("attempt hangs")
        program = self.machines.go(pid, {**command, "seconds": FOR_EVER} if hangs else command)
        program.over.waiting = self._changed.waiting
        # In a write to a disk that is gone not even the agent's own time limit works; its other threads live.
        self._changed.wait(None if hangs else timeout)
        how = "halted" if self._halted else "timed out" if program.lives else "exited"
        if program.lives:
            self.machines.kill(pid)
        self.faults.at_call("done")
        self._watch.ended()
        failed = program.entry.how != "done"
        if failed:
            self.faults.caused("failure")
        return Ended(how, 1 if failed else 0, "")  # type: ignore[arg-type]

    def put(self, file: object) -> bool:
        """Nothing of a simulation writes files."""
        raise NodeProblem("There are no files here.")

    def pause(self, seconds: float) -> bool:
        """Wait; False at once if the attempt is to end."""
        return not (self._halted or self._changed.wait(seconds))

    def before_next(self, tried: Tried) -> Next:
        """Wait for the next try, and look for a stop again and again."""
        self._tries.failed(tried)
        left = tried.pause
        while True:
            if self._tries.stopped():
                return "stopped"
            if not self.pause(min(left, 1.0)):
                return "halted"
            left -= 1.0
            if left <= 0:
                return "go on"

    def halt(self) -> None:
        """End the attempt."""
        self._halted = True
        self._changed.set()
