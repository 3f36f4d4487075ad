"""One attempt at a time on a node, whatever became of the agents."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployments.agent import memory as memory_module
from deployments.agent.fence import Fence, Unfenced
from deployments.connections import processes
from deployments.connections.base import NodeProblem
from deployments.connections.local import Local
from tests.unit.agent.rig import Rig


class TestTheFence:
    @pytest.fixture
    def left(self, rig: Rig) -> Iterator[subprocess.Popen[bytes]]:
        """The process of an attempt whose agent was killed; its lock is there."""
        process = subprocess.Popen(["/bin/sleep", "30"], start_new_session=True)
        memory = rig.memory()
        memory.start(1)
        mark = processes.mark(process.pid)
        assert mark is not None
        Fence(memory, 1, lambda: True).begun(mark)
        yield process
        process.kill()
        process.wait()

    def test_ends_what_a_killed_agent_left_before_anything_runs(self, rig: Rig, left: subprocess.Popen[bytes]) -> None:
        assert (
            rig.run(2, f"kill -0 {left.pid} 2>/dev/null && ! grep -q Z /proc/{left.pid}/stat && touch $FUELWEB_ROOT/beside; true")
            == "ready"
        )
        assert left.wait(1) == -15
        assert not (rig.root / "7" / "beside").exists()

    def test_an_attempt_fails_where_that_is_impossible(
        self, rig: Rig, left: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def not_ours(group: int, grace: float) -> bool:
            raise PermissionError

        monkeypatch.setattr(processes, "end_group", not_ours)
        key, payload = rig.permit(2, parameters={"cmd": "touch $FUELWEB_ROOT/ran"})
        outcome, _ = rig.agent.attempt(key, payload)
        assert (outcome.state, outcome.reason[:9]) == ("error", "unfenced:")
        assert str(left.pid) in outcome.reason
        assert not (rig.root / "7" / "ran").exists()
        with pytest.raises(Unfenced):
            Fence(rig.memory(), 3, lambda: True).clear()

    @pytest.mark.parametrize("change", ['"start": 1', '"boot": "another"'])
    def test_never_ends_a_process_that_only_has_the_same_number(self, rig: Rig, left: subprocess.Popen[bytes], change: str) -> None:
        lock = rig.state / "7" / "attempt.lock"
        name = change.split(":")[0]
        parts = [change if part.strip().startswith(name) else part for part in lock.read_text().strip("{} ").split(",")]
        lock.write_text("{" + ",".join(parts) + "}")
        assert rig.run(2) == "ready"
        assert left.poll() is None

    def test_an_attempt_that_is_no_longer_the_node_s_last_may_do_nothing_more(self, rig: Rig) -> None:
        memory = rig.memory()
        memory.start(1)
        earlier = Local("7", root=rig.root, watch=Fence(memory, 1, lambda: True))
        memory.start(2)
        with pytest.raises(NodeProblem, match="a later attempt was started"):
            earlier.run(["/usr/bin/touch", "ran"], timeout=5)
        assert not (rig.root / "7" / "ran").exists()

    def test_an_earlier_attempt_does_not_remove_a_later_one_s_lock(self, rig: Rig, left: subprocess.Popen[bytes]) -> None:
        early, later = Fence(rig.memory(), 1, lambda: True), Fence(rig.memory(), 2, lambda: True)
        process = subprocess.Popen(["/bin/sleep", "30"], start_new_session=True)
        other = processes.mark(process.pid)
        assert other is not None
        rig.memory().start(2)
        later.clear()
        later.begun(other)
        early.ended()
        assert json.loads((rig.state / "7" / "attempt.lock").read_text())["group"] == process.pid
        process.kill()
        process.wait()

    def test_ends_the_rest_of_a_group_whose_leader_had_ended_when_the_agent_was_killed(self, rig: Rig) -> None:
        """It was being ended after its time: its leader has heeded the TERM, a child has not."""
        script = f"""
from pathlib import Path
from deployments.agent.fence import Fence
from deployments.agent.memory import NodeMemory
from deployments.connections.local import Local
memory = NodeMemory(Path({str(rig.state)!r}), "7")
memory.start(1)
stubborn = "(trap '' TERM; echo $BASHPID > $FUELWEB_ROOT/stubborn; while :; do sleep 0.1; done) & echo $$ > $FUELWEB_ROOT/leader; wait"
node = Local("7", root=Path({str(rig.root)!r}), watch=Fence(memory, 1, lambda: True), grace=600.0)
node.run(["/bin/bash", "-c", stubborn], timeout=1.0)
"""
        agent = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[3])
        stubborn, leader = (_pid(rig.root / "7" / name) for name in ("stubborn", "leader"))
        _until(lambda: processes.start_time(leader) is None)
        agent.kill()
        agent.wait()
        assert processes.start_time(stubborn) is not None
        assert rig.run(2, f"test ! -e /proc/{stubborn} || grep -q ') Z ' /proc/{stubborn}/stat") == "ready"
        assert processes.start_time(stubborn) is None
        assert [entry.name for entry in (rig.state / "7").glob("attempt.*")] == ["attempt.new"]

    def test_a_further_try_starts_nothing_beside_one_that_could_not_be_ended(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(processes, "end_group", lambda group, grace: False)
            cmd = "echo $$ >> $FUELWEB_ROOT/pids; exec sleep 300"
            key, payload = rig.permit(1, parameters={"cmd": cmd, "retries": 2, "interval": 0, "timeout": 0.3})
            outcome, _ = rig.agent.attempt(key, payload)
        (pid,) = (rig.root / "7" / "pids").read_text().split()
        assert (outcome.state, outcome.reason[:9]) == ("error", "unfenced:")
        assert pid in outcome.reason
        assert rig.run(2) == "ready"
        assert processes.start_time(int(pid)) is None

    @pytest.mark.parametrize("content", [b"", b"\0" * 80])
    def test_a_lock_that_a_power_failure_has_emptied_names_nothing(self, rig: Rig, content: bytes) -> None:
        rig.run(1)
        (rig.state / "7" / "attempt.lock").write_bytes(content)
        assert rig.run(2) == "ready"

    @pytest.mark.parametrize("content", [b"{", b"[1]", b'{"group": 1}', b"\xff"])
    def test_a_lock_that_nobody_can_read_is_left_to_people(self, rig: Rig, content: bytes) -> None:
        rig.run(1)
        lock = rig.state / "7" / "attempt.lock"
        lock.write_bytes(content)
        assert rig.run(2, "touch $FUELWEB_ROOT/ran") == "error"
        assert rig.reports()[-1].reason.startswith(f"unfenced: {lock} can't be read. Delete it once nothing")
        assert not (rig.root / "7" / "ran").exists()

    def test_without_its_lock_no_command_starts(self, rig: Rig) -> None:
        rig.run(1)
        (rig.state / "7" / "attempt.new").unlink()
        (rig.state / "7" / "attempt.new").mkdir()
        assert rig.run(2, "touch $FUELWEB_ROOT/ran") == "error"
        assert rig.reports()[-1].reason.endswith("attempt.new can't be written: Is a directory.")
        assert not (rig.root / "7" / "ran").exists()

    def test_a_lock_that_can_t_be_removed_does_not_spoil_the_outcome(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        def read_only(path: Path, to: Path) -> None:
            if path.name == "attempt.lock":
                raise OSError(30, "Read-only file system", str(path))
            replace(path, to)

        replace = os.replace

        key, payload = rig.permit(1, parameters={"cmd": "true", "retries": 0})
        with monkeypatch.context() as patch:
            patch.setattr(Fence, "clear", lambda self: None)
            patch.setattr(os, "replace", read_only)
            assert rig.agent.attempt(key, payload)[0].state == "ready"
        assert (rig.state / "7" / "attempt.lock").exists()
        assert rig.run(2) == "ready"

    def test_a_file_is_written_by_one_attempt_at_a_time(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        """An agent frozen in the middle of a write: a later attempt waits for it, but not for ever."""
        monkeypatch.setattr(memory_module, "GUARD_SECONDS", 0.3)
        rig.memory().start(1)
        with Fence(rig.memory(), 1, lambda: True).alone():
            assert rig.run(2, "touch $FUELWEB_ROOT/ran") == "error"
        assert "unfenced: an earlier attempt is still at work on the node" in rig.reports()[-1].reason
        assert not (rig.root / "7" / "ran").exists()
        assert rig.memory().highest() == 1
        monkeypatch.undo()
        with Fence(rig.memory(), 1, lambda: True).alone():
            key, payload = rig.permit(3, parameters={"cmd": "touch $FUELWEB_ROOT/ran"})
            thread = threading.Thread(target=rig.agent.attempt, args=(key, payload))
            thread.start()
            thread.join(0.3)
            assert thread.is_alive()
            assert not (rig.root / "7" / "ran").exists()
        thread.join(30)
        assert (rig.root / "7" / "ran").exists()
        with pytest.raises(NodeProblem, match="a later attempt was started"), Fence(rig.memory(), 1, lambda: True).alone():
            pass

    def test_daemons_of_an_attempt_that_has_ended_stay(self, rig: Rig) -> None:
        assert rig.run(1, "sleep 30 & echo $! > $FUELWEB_ROOT/daemon") == "ready"
        daemon = int((rig.root / "7" / "daemon").read_text())
        try:
            assert rig.run(2) == "ready"
            assert processes.start_time(daemon) is not None
        finally:
            os.kill(daemon, 9)


def _until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def _pid(file: Path) -> int:
    """The process id that a task has written down."""
    _until(lambda: file.exists() and file.read_text().strip())
    return int(file.read_text())
