"""What an agent remembers of a node, and that no dispatch is started twice."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from deployments.agent.attempt import Agent, Refused
from deployments.agent.config import AgentConfig
from deployments.agent.memory import MemoryDamaged
from deployments.agent.presence import sealed_heartbeat
from deployments.wire.broker import Claim
from deployments.wire.memory_broker import MemoryBroker
from deployments.wire.messages import AttemptKey, Work
from deployments.wire.sealing import NodeKeys
from tests.unit.agent.rig import KEYS, TX, Rig


class TestWhatWasStarted:
    def test_is_noted_on_the_disk_before_its_command_starts(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        flushed: list[tuple[str, bool]] = []
        sync = os.fdatasync

        def fdatasync(handle: int) -> None:
            sync(handle)
            flushed.append((Path(f"/proc/self/fd/{handle}").read_text(), (rig.root / "7").exists()))

        rig.memory().start(1)
        monkeypatch.setattr(os, "fdatasync", fdatasync)
        assert rig.run(2, "touch $FUELWEB_ROOT/ran") == "ready"
        assert flushed == [("2".zfill(20), False)]
        rig.run(3, mode="rehearsal")
        assert len(flushed) == 1, "what does nothing need not outlive a power failure"

    def test_a_new_state_folder_outlives_a_power_failure(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        flushed: list[str] = []
        monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(os.readlink(f"/proc/self/fd/{handle}")))
        rig.run(1)
        assert flushed == [str(rig.state.parent), str(rig.state), str(rig.state / "7")]

    def test_an_outcome_that_comes_late_does_not_replace_a_later_one(self, rig: Rig) -> None:
        rig.run(2)
        kept = rig.memory().outcome()
        rig.memory().keep_outcome(1, b"late")
        assert rig.memory().outcome() == kept


class Hostile(MemoryBroker):
    """Grants everything, to all who ask at the same time."""

    def __init__(self, at_once: int) -> None:
        super().__init__(time.time)
        self._together = threading.Barrier(at_once, timeout=60)

    def claim(self, key: AttemptKey, token: str, lease_seconds: float, started: bytes) -> Claim:
        self._together.wait()
        return Claim(True, self.now())


class TestADamagedMemory:
    @pytest.mark.parametrize(
        "content", [b"", b"x", b"-5", b"+5", b"1_000", b"9" * 20, b"1" * 200, b"9" * 100_000, b"\xff\xfe", b"1.5", b"\0" * 20]
    )
    def test_starts_nothing_and_says_what_to_do(self, rig: Rig, content: bytes) -> None:
        rig.run(1)
        (rig.state / "7" / "number").write_bytes(content)
        sentence = "holds no dispatch number: write the highest of the node's history there."
        with pytest.raises(Refused, match=sentence):
            rig.run(2, "touch $FUELWEB_ROOT/ran")
        with pytest.raises(MemoryDamaged, match=sentence):
            sealed_heartbeat(rig.memory(), KEYS, "7", places=1, free=1)
        assert not (rig.root / "7" / "ran").exists()
        (rig.state / "7" / "number").write_text("1\n")
        assert rig.run(3) == "ready"

    def test_an_outcome_that_makes_no_sense_is_none(self, rig: Rig) -> None:
        rig.run(1)
        rig.memory().keep_outcome(1, KEYS.seal("7", "report", b"7", {"key": "x"}))
        assert KEYS.open_heartbeat("7", sealed_heartbeat(rig.memory(), KEYS, "7", 1, 1)).outcome is None


class TestAHostileBroker:
    def test_can_t_make_two_agents_start_the_same_dispatch(self, rig: Rig) -> None:
        """A fleet's threads and another agent on the same machine: all were granted the attempt before anyone had noted it."""
        asking, rounds = 6, 10
        broker = Hostile(asking)
        configs = [AgentConfig("", KEYS, rig.state, fleet="f", root=rig.root), AgentConfig("", KEYS, rig.state, node="7", root=rig.root)]
        agents = [Agent(config, broker) for config in configs]
        ended: list[str] = []

        def ask(agent: Agent, key: AttemptKey, payload: bytes) -> None:
            try:
                ended.append(agent.attempt(key, payload)[0].state)
            except Refused as refused:
                ended.append(f"{refused}")

        for number in range(1, rounds + 1):
            key = rig.key(number)
            payload = KEYS.seal_work(key, Work("t", "shell", {"cmd": "echo $FUELWEB_RUN >> $FUELWEB_ROOT/ran"}))
            threads = [threading.Thread(target=ask, args=(agents[turn % 2], key, payload)) for turn in range(asking)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
        assert (rig.root / "7" / "ran").read_text().split() == [str(number) for number in range(1, rounds + 1)]
        late = [f"Dispatch {number} comes too late: dispatch {number} was started already." for number in range(1, rounds + 1)]
        assert sorted(ended) == sorted([*late * (asking - 1), *["ready"] * rounds])
        assert [KEYS.open_report("7", entry.body).key.number for entry in broker.drain(TX)] == list(range(1, rounds + 1))

    def test_of_many_processes_one_may_start_a_dispatch(self, rig: Rig) -> None:
        script = f"""
from pathlib import Path
from deployments.agent.memory import NodeMemory, TooLate
memory = NodeMemory(Path({str(rig.state)!r}), "7")
for number in range(1, 101):
    try:
        memory.start(number)
        print(number)
    except TooLate:
        pass
"""
        root = Path(__file__).parents[3]
        racing = [subprocess.Popen([sys.executable, "-c", script], cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(4)]
        started = [int(line) for process in racing for line in process.communicate(timeout=120)[0].split()]
        assert len(started) == len(set(started))
        assert max(started) == 100


class TestTheHeartbeat:
    def test_tells_the_last_outcome_until_the_next_attempt_starts(self, rig: Rig) -> None:
        memory = rig.memory()
        beat = KEYS.open_heartbeat("7", sealed_heartbeat(memory, KEYS, "7", places=2, free=1))
        assert (beat.number, beat.outcome, beat.places, beat.free) == (0, None, 2, 1)
        rig.run(3, "exit 5")
        beat = KEYS.open_heartbeat("7", sealed_heartbeat(memory, KEYS, "7", places=2, free=2))
        assert beat.number == 3
        assert beat.outcome == rig.reports()[-1]
        memory.start(4)
        beat = KEYS.open_heartbeat("7", sealed_heartbeat(memory, KEYS, "7", places=2, free=2))
        assert (beat.number, beat.outcome) == (4, None)

    def test_a_shorter_outcome_leaves_nothing_of_a_longer_one(self, rig: Rig) -> None:
        memory = rig.memory()
        memory.start(1)
        for kept in (b"a long outcome", b"short", b""):
            memory.keep_outcome(1, kept)
            assert memory.outcome() == kept

    def test_an_outcome_cut_off_by_a_kill_is_none(self, rig: Rig) -> None:
        rig.run(1)
        file = rig.state / "7" / "outcome"
        for length in (0, 2, 20):
            os.truncate(file, length)
            assert KEYS.open_heartbeat("7", sealed_heartbeat(rig.memory(), KEYS, "7", 1, 1)).outcome is None

    def test_of_a_node_with_another_key_has_no_outcome(self, rig: Rig) -> None:
        rig.run(1)
        others = NodeKeys("another")
        assert others.open_heartbeat("7", sealed_heartbeat(rig.memory(), others, "7", 1, 1)).outcome is None
