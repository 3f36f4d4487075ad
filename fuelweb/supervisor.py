"""Keeps the processes of a system alive, and ends them in an order that leaves nothing undone.

Nothing here knows what the processes are: a `Child` is a name, a command line, and the stage at which it is ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from fuelweb import leftovers

_FIRST_BACK_OFF, _LONGEST_BACK_OFF = 1.0, 30.0
_STEADY_AFTER = 60.0
"""A child that has lived this many seconds starts again with the shortest back-off."""
_LARGEST_LOG = 10_000_000
_NOTE_SECONDS = 5.0
_KILL_AFTER = 5.0
"""Seconds that are left to a process after a second request to end before it is killed."""


@dataclass
class Child:
    """A process to be kept alive. Children of a lower stage are asked to end, and have ended, before those of the next."""

    name: str
    argv: Sequence[str]
    stage: int
    env: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    wanted: bool = True
    started_at: float = 0.0
    due_at: float = 0.0
    back_off: float = _FIRST_BACK_OFF

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """Starts children, starts them again when they die, and ends them stage by stage.

    `say` prints a line for people; each child's own output goes to `<logs>/<name>.log`. The file `remembered` names the processes,
    for a next supervisor to end should this one be killed.
    """

    def __init__(self, logs: Path, say: Callable[[str], None], remembered: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._logs, self._say, self._remembered, self._clock = logs, say, remembered, clock
        self.children: list[Child] = []
        self._forgetful, self._note_again = False, 0.0
        """Whether the file of the processes could not be written, and when that is tried again."""
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)

    def start(self, child: Child) -> None:
        """Take a child in and start it."""
        self.children.append(child)
        self._spawn(child)

    def keep_alive(self) -> None:
        """Start again what has died, each after its back-off. To be called again and again."""
        now = self._clock()
        for child in self.children:
            if not child.wanted or child.alive:
                continue
            if child.process is not None:
                self._note_death(child, now)
            elif now >= child.due_at:
                self._spawn(child)
        if self._forgetful and now >= self._note_again:
            self._note_again = now + _NOTE_SECONDS
            self._remember()

    def ask_to_end(self, stage: int) -> None:
        """Send TERM to the children of a stage; they are not started again."""
        for child in self.children:
            if child.stage == stage:
                child.wanted = False
                _send(child, signal.SIGTERM)

    def has_ended(self, stage: int) -> bool:
        """Whether no child of the stage runs."""
        return not any(child.alive for child in self.children if child.stage == stage)

    def stages(self) -> list[int]:
        """The stages, in the order of ending."""
        return sorted({child.stage for child in self.children})

    def kill(self) -> None:
        """End everything now: KILL, but for the last stage (which holds data) TERM first."""
        last = max(self.stages(), default=0)
        for child in self.children:
            child.wanted = False
            _send(child, signal.SIGTERM if child.stage == last else signal.SIGKILL)
        for child in self.children:
            if child.process is not None:
                try:
                    child.process.wait(_KILL_AFTER)
                except subprocess.TimeoutExpired:
                    _send(child, signal.SIGKILL)
                    child.process.wait()
        self._remembered.unlink(missing_ok=True)

    def _spawn(self, child: Child) -> None:
        try:
            with self._log(child) as output:
                # A group of its own: Ctrl-C in the terminal must reach the supervisor only.
                child.process = subprocess.Popen(
                    child.argv,
                    env={**os.environ, **child.env},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    process_group=0,
                )
        except OSError as error:
            self._say(f"{child.name} can't be started: {error}; tried again in {child.back_off:.0f} s")
            self._put_off(child, self._clock())
        child.started_at = self._clock()
        self._remember()

    def _log(self, child: Child) -> IO[bytes]:
        """What it prints goes there; nowhere, where there is no room even for the file: it is needed all the same."""
        log = self._logs / f"{child.name}.log"
        try:
            if log.exists() and log.stat().st_size > _LARGEST_LOG:
                log.replace(log.with_suffix(".log.1"))
            return log.open("ab")
        except OSError as error:
            self._say(f"what {child.name} says is lost: {error}")
            return Path(os.devnull).open("ab")

    def _remember(self) -> None:
        """For the next supervisor. Without it this one goes on, and tries again."""
        try:
            leftovers.remember(self._remembered, [child.process.pid for child in self.children if child.process is not None])
        except OSError as error:
            if not self._forgetful:
                self._say(f"the processes can't be noted: {error}")
            self._forgetful = True
        else:
            self._forgetful = False

    def _note_death(self, child: Child, now: float) -> None:
        assert child.process is not None
        if now - child.started_at > _STEADY_AFTER:
            child.back_off = _FIRST_BACK_OFF
        log = self._logs / f"{child.name}.log"
        self._say(f"{child.name} {_how(child.process.returncode)}; it is started again in {child.back_off:.0f} s (see {log})")
        self._put_off(child, now)

    def _put_off(self, child: Child, now: float) -> None:
        child.process, child.due_at = None, now + child.back_off
        child.back_off = min(child.back_off * 2, _LONGEST_BACK_OFF)


def _how(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _send(child: Child, number: signal.Signals) -> None:
    """TERM goes to the process itself, which knows how to end its own children; KILL goes to all of its group."""
    if child.process is None or child.process.poll() is not None:
        return
    if number == signal.SIGKILL:
        os.killpg(child.process.pid, number)
    else:
        child.process.send_signal(number)
