"""Children are kept alive and ended in order. Real processes, a clock of the test's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fuelweb import leftovers
from fuelweb.supervisor import Child, Supervisor


class Clock:
    """Moves only when told."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, clock: Clock, said: list[str]) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "logs", said.append, tmp_path / "processes", clock)
    yield supervisor
    supervisor.kill()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def sleeper(name: str, stage: int = 0) -> Child:
    return Child(name, [sys.executable, "-c", "import time; time.sleep(60)"], stage)


def stubborn(name: str, tmp_path: Path, stage: int = 0) -> Child:
    code = f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open({str(tmp_path / name)!r}, 'w'); time.sleep(60)"
    return Child(name, [sys.executable, "-c", code], stage)


def test_a_child_that_dies_is_started_again_after_its_back_off(supervisor: Supervisor, clock: Clock, said: list[str]) -> None:
    child = sleeper("web")
    supervisor.start(child)
    first = child.process
    assert first is not None
    first.kill()
    first.wait()

    supervisor.keep_alive()
    assert said == [f"web was ended by signal 9; it is started again in 1 s (see {supervisor._logs / 'web.log'})"]
    clock.now += 0.9
    supervisor.keep_alive()
    assert not child.alive
    clock.now += 0.2
    supervisor.keep_alive()
    assert child.alive
    assert child.process is not None
    assert child.process.pid != first.pid


def test_the_back_off_doubles_until_the_child_has_lived_long(supervisor: Supervisor, clock: Clock) -> None:
    child = Child("fails", [sys.executable, "-c", "raise SystemExit(3)"], 0)
    supervisor.start(child)
    waits = []
    for _ in range(8):
        assert child.process is not None
        child.process.wait()
        supervisor.keep_alive()
        waits.append(child.due_at - clock.now)
        clock.now = child.due_at
        supervisor.keep_alive()
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]

    assert child.process is not None
    child.process.wait()
    clock.now += 61
    supervisor.keep_alive()
    assert child.due_at - clock.now == 1


def test_output_goes_to_the_childs_log(supervisor: Supervisor) -> None:
    child = Child("talks", [sys.executable, "-c", "import os; print('hello', os.environ['GIVEN'])"], 0, {"GIVEN": "word"})
    supervisor.start(child)
    assert child.process is not None
    child.process.wait()
    assert (supervisor._logs / "talks.log").read_text() == "hello word\n"


def test_a_stage_is_ended_while_the_others_are_kept_alive(supervisor: Supervisor, clock: Clock) -> None:
    first, second = sleeper("first", 0), sleeper("second", 1)
    supervisor.start(first)
    supervisor.start(second)
    assert supervisor.stages() == [0, 1]

    supervisor.ask_to_end(0)
    until(lambda: supervisor.has_ended(0))
    assert second.process is not None
    second.process.kill()
    second.process.wait()
    supervisor.keep_alive()
    clock.now += 2
    supervisor.keep_alive()
    assert second.alive
    assert not first.alive


def test_kill_ends_even_what_does_not_listen(supervisor: Supervisor, tmp_path: Path) -> None:
    children = [stubborn("deaf", tmp_path), sleeper("last", 1)]
    for child in children:
        supervisor.start(child)
    until((tmp_path / "deaf").exists)
    supervisor.kill()
    assert not any(child.alive for child in children)
    assert children[0].process is not None
    assert children[0].process.returncode == -signal.SIGKILL
    assert children[1].process is not None
    assert children[1].process.returncode == -signal.SIGTERM


def test_what_a_killed_supervisor_left_is_found_and_ended(tmp_path: Path) -> None:
    file = tmp_path / "processes"
    ours = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], process_group=0)
    leftovers.remember(file, [ours.pid])
    assert leftovers.end(file) == 1
    assert ours.wait(5) == -signal.SIGTERM
    assert not file.exists()
    assert leftovers.end(file) == 0


def test_a_pid_that_was_given_away_again_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "processes"
    file.write_text(f"{os.getpid()} 1\n")
    assert leftovers.end(file) == 0


def test_without_room_for_logs_and_notes_it_goes_on_and_catches_up(
    supervisor: Supervisor, clock: Clock, said: list[str], tmp_path: Path
) -> None:
    # A folder where a file should be is refused like a file on a full disk.
    (tmp_path / "logs" / "one.log").mkdir(parents=True)
    noted = tmp_path / "processes"
    noted.with_suffix(".new").mkdir()
    supervisor.start(sleeper("one"))
    assert supervisor.children[0].alive
    assert [line.partition(":")[0] for line in said] == ["what one says is lost", "the processes can't be noted"]
    assert not noted.exists()
    noted.with_suffix(".new").rmdir()
    supervisor.keep_alive()
    assert supervisor.children[0].process is not None
    assert noted.read_text().startswith(f"{supervisor.children[0].process.pid} ")
    clock.now += 10
    supervisor.keep_alive()
    assert len(said) == 2


def test_what_can_not_be_started_is_tried_again(supervisor: Supervisor, clock: Clock, said: list[str], tmp_path: Path) -> None:
    program = tmp_path / "program"
    supervisor.start(Child("one", [str(program)], 1))
    assert not supervisor.children[0].alive
    assert said == [f"one can't be started: [Errno 2] No such file or directory: '{program}'; tried again in 1 s"]
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o700)
    clock.now += 2
    supervisor.keep_alive()
    assert supervisor.children[0].alive


@pytest.mark.parametrize("content", ["", "\0\0\0\0", "x y\n", "12\n", "99999999 1\n\xff"])
def test_a_damaged_note_of_processes_names_none(content: str, tmp_path: Path) -> None:
    file = tmp_path / "processes"
    file.write_text(content, encoding="latin-1")
    assert leftovers.end(file) == 0
