"""An agent and its broker, without Celery."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisGone

from deployments.agent import attempt as attempt_module
from deployments.agent.attempt import Agent, Refused
from deployments.agent.config import AgentConfig, BadEnvironment
from deployments.agent.fence import Fence, Unfenced
from deployments.agent.leases import Leases
from deployments.agent.memory import NodeMemory
from deployments.agent.presence import sealed_heartbeat
from deployments.connections import processes
from deployments.connections.base import NodeProblem
from deployments.connections.local import Local
from deployments.executors.base import Outcome
from deployments.wire.broker import Claim, Receipt
from deployments.wire.memory_broker import MemoryBroker
from deployments.wire.messages import AttemptKey, Report, Work
from deployments.wire.sealing import NodeKeys

KEYS = NodeKeys("secret")
TX, EPOCH = 1, 1


class Flaky(MemoryBroker):
    """Loses the answers of its first calls: the step is done, and nobody hears of it."""

    def __init__(self) -> None:
        super().__init__(time.time)
        self.lost_claims = self.lost_reports = 0

    def claim(self, key: AttemptKey, token: str, lease_seconds: float, started: bytes) -> Claim:
        answer = super().claim(key, token, lease_seconds, started)
        if self.lost_claims:
            self.lost_claims -= 1
            raise RedisGone("gone")
        return answer

    def report(self, key: AttemptKey, body: bytes) -> Receipt:
        if self.lost_reports:
            self.lost_reports -= 1
            raise RedisGone("gone")
        return super().report(key, body)


class Rig:
    """An agent with its folders, and an owner who permits."""

    def __init__(self, folder: Path) -> None:
        self.state, self.root = folder / "state", folder / "nodes"
        self.broker = Flaky()
        self.broker.vouch(TX, EPOCH)
        self.agent = Agent(AgentConfig("unix:///none", KEYS, self.state, fleet="f", root=self.root), self.broker)

    def key(self, number: int, node: str = "7") -> AttemptKey:
        return AttemptKey(TX, run=number, attempt=1, node=node, number=number)

    def permit(self, number: int, **work: Any) -> tuple[AttemptKey, bytes]:
        key = self.key(number)
        assert self.broker.permit(EPOCH, [key]) == [True]
        return key, KEYS.seal_work(key, Work(**{"task": "t", "type": "shell", **work}))

    def run(self, number: int, cmd: str = "true", **work: Any) -> str:
        key, payload = self.permit(number, parameters={"cmd": cmd, "retries": 0}, **work)
        return self.agent.attempt(key, payload)[0].state

    def reports(self) -> list[Report]:
        return [KEYS.open_report(entry.node, entry.body) for entry in self.broker.drain(TX)]

    def memory(self) -> NodeMemory:
        return NodeMemory(self.state, "7")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


class TestAnAttempt:
    def test_is_claimed_carried_out_and_reported(self, rig: Rig) -> None:
        assert rig.run(1, "echo done > $FUELWEB_ROOT/file") == "ready"
        assert (rig.root / "7" / "file").read_text() == "done\n"
        started, ended = rig.reports()
        assert (started.key, started.kind, started.state) == (rig.key(1), "started", "started")
        assert (ended.key, ended.kind, ended.state, ended.summary["exit_code"]) == (rig.key(1), "outcome", "ready", 0)
        assert 0 < ended.duration < 5
        assert rig.broker.leased([rig.key(1)]) == [False]
        assert rig.memory().highest() == 1
        assert not (rig.state / "7" / "attempt.lock").exists()

    def test_commands_know_which_attempt_they_are(self, rig: Rig) -> None:
        rig.run(3, 'echo "$FUELWEB_TRANSACTION $FUELWEB_TASK $FUELWEB_RUN $FUELWEB_ATTEMPT" > $FUELWEB_ROOT/file')
        assert (rig.root / "7" / "file").read_text() == "1 t 3 1\n"

    def test_a_message_that_comes_twice_runs_once(self, rig: Rig) -> None:
        key, payload = rig.permit(1, parameters={"cmd": "echo x >> $FUELWEB_ROOT/file"})
        rig.agent.attempt(key, payload)
        with pytest.raises(Refused, match="Dispatch 1 comes too late: dispatch 1 was started already"):
            rig.agent.attempt(key, payload)
        assert (rig.root / "7" / "file").read_text() == "x\n"

    def test_a_replay_is_refused_even_if_a_broken_broker_permits_it(self, rig: Rig) -> None:
        key, payload = rig.permit(5, parameters={"cmd": "true"})
        rig.agent.attempt(key, payload)
        rig.broker.restart(empty=True)
        rig.broker.vouch(TX, EPOCH)
        for number in (4, 5):
            old, body = rig.permit(number, parameters={"cmd": "touch $FUELWEB_ROOT/replayed"})
            with pytest.raises(Refused):
                rig.agent.attempt(old, body)
        assert not (rig.root / "7" / "replayed").exists()
        assert rig.run(6) == "ready"

    def test_a_refused_message_does_not_use_up_its_number(self, rig: Rig) -> None:
        key, payload = rig.permit(1, parameters={"cmd": "true"})
        rig.broker.set_stop(TX)
        with pytest.raises(Refused, match="its transaction is being stopped"):
            rig.agent.attempt(key, payload)
        rig.broker.clear_stop(TX)
        assert rig.agent.attempt(key, payload)[0].state == "ready"

    def test_what_is_not_sealed_for_it_is_refused_before_anything_else(self, rig: Rig) -> None:
        key, payload = rig.permit(1)
        other = AttemptKey(TX, 1, 1, "../../7", 1)
        for wrong, body in ((key, payload[:-1]), (key, b""), (rig.key(2), payload), (other, payload)):
            with pytest.raises(Refused, match="not sealed"):
                rig.agent.attempt(wrong, body)
        assert rig.broker.claimed([key]) == [False]
        assert not rig.state.exists()

    def test_a_lost_answer_to_the_claim_is_asked_for_again(self, rig: Rig) -> None:
        rig.broker.lost_claims = 2
        assert rig.run(1) == "ready"
        assert [report.kind for report in rig.reports()] == ["started", "outcome"]

    def test_gives_the_claim_up_before_its_lease_has_ended(self, rig: Rig) -> None:
        rig.broker.lost_claims = 1000
        with pytest.raises(Refused, match="Redis did not answer the claim"):
            rig.run(1, "touch $FUELWEB_ROOT/ran", lease_seconds=0.5)
        assert not (rig.root / "7" / "ran").exists()

    def test_the_outcome_is_reported_until_it_goes_through(self, rig: Rig) -> None:
        rig.broker.lost_reports = 2
        assert rig.run(1, "exit 4") == "error"
        assert rig.reports()[-1].summary["exit_code"] == 4

    def test_only_the_first_end_since_the_owner_looked_wakes_it(self, rig: Rig) -> None:
        wakes = [rig.agent.attempt(*rig.permit(number, mode="rehearsal"))[1] for number in (1, 2)]
        rig.reports()
        wakes += [rig.agent.attempt(*rig.permit(number, mode="rehearsal"))[1] for number in (3, 4)]
        assert wakes == [True, False, True, False]

    @pytest.mark.parametrize("mode", ["rehearsal", "noop"])
    def test_a_practice_counts_but_leaves_the_node_alone(self, rig: Rig, mode: str) -> None:
        state = rig.run(1, mode=mode)
        assert state == {"rehearsal": "ready", "noop": "skipped"}[mode]
        assert rig.memory().highest() == 1
        assert not rig.root.exists()
        assert sorted(entry.name for entry in (rig.state / "7").iterdir()) == ["number", "outcome"]

    def test_a_broken_state_folder_is_an_error_and_not_a_silence(self, rig: Rig) -> None:
        rig.state.mkdir()
        (rig.state / "7").mkdir()
        (rig.state / "7" / "guard").mkdir()
        assert rig.run(1) == "error"
        assert rig.reports()[-1].reason.startswith("The agent failed: IsADirectoryError")

    @pytest.mark.parametrize("summary", [{"at": object()}, {"bytes": b"\xff"}])
    def test_a_summary_that_can_t_be_sent_is_an_error_and_not_a_silence(
        self, rig: Rig, monkeypatch: pytest.MonkeyPatch, summary: dict[str, Any]
    ) -> None:
        monkeypatch.setattr(attempt_module, "execute", lambda work, node: Outcome("ready", "", summary))
        rig.run(1)
        assert rig.reports()[-1].state == "error"
        assert rig.reports()[-1].reason.startswith("It ended ready, but its executor's summary can't be sent")

    def test_a_damaged_memory_starts_nothing(self, rig: Rig) -> None:
        rig.run(1)
        (rig.state / "7" / "number").write_bytes(b"")
        with pytest.raises(Refused, match="holds no number: write the highest of the node"):
            rig.run(2)
        assert rig.broker.claimed([rig.key(2)]) == [False]


class TestLeasesOfRunningAttempts:
    def test_are_kept_while_it_runs(self, rig: Rig) -> None:
        key, payload = rig.permit(2, parameters={"cmd": "sleep 1.2", "retries": 0}, lease_seconds=0.6)
        thread = threading.Thread(target=rig.agent.attempt, args=(key, payload))
        thread.start()
        time.sleep(1.0)
        assert rig.broker.leased([key]) == [True]
        thread.join()
        assert rig.broker.leased([key]) == [False]

    @pytest.mark.parametrize("work", [{"parameters": {"cmd": "sleep 30"}}, {"mode": "rehearsal", "rehearsal_seconds": 30.0}])
    def test_a_later_permit_ends_it(self, rig: Rig, work: dict[str, Any]) -> None:
        key, payload = rig.permit(1, lease_seconds=0.6, **work)
        threading.Timer(0.3, rig.permit, args=(2,)).start()
        begun = time.monotonic()
        outcome, _ = rig.agent.attempt(key, payload)
        assert time.monotonic() - begun < 5
        assert outcome.state == "error"
        assert "a later attempt was allowed on the node" in outcome.reason

    def test_one_that_ran_out_before_the_start_lets_nothing_start(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        def slowly(*args: Any) -> Claim:
            answer = MemoryBroker.claim(rig.broker, *args)
            time.sleep(0.5)  # As if the agent's machine had been frozen.
            return answer

        monkeypatch.setattr(rig.broker, "claim", slowly)
        key, payload = rig.permit(1, parameters={"cmd": "touch $FUELWEB_ROOT/ran", "retries": 0}, lease_seconds=0.3)
        outcome, _ = rig.agent.attempt(key, payload)
        assert (outcome.state, outcome.reason) == ("error", "The attempt was not started: its lease had run out before.")
        assert not (rig.root / "7" / "ran").exists()

    def test_a_broker_that_is_away_for_a_moment_ends_nothing(self) -> None:
        class Away(MemoryBroker):
            calls = 0

            def renew(self, leases: Any) -> list[bool]:
                self.calls += 1
                if self.calls < 3:
                    raise RedisGone("gone")
                return super().renew(leases)

        broker, halted = Away(time.time), threading.Event()
        key = AttemptKey(1, 1, 1, "7", 1)
        leases = Leases(broker)
        leases.hold(key, 0.3, halted.set, time.monotonic())
        time.sleep(0.6)
        assert broker.leased([key]) == [True]
        leases.drop(key)
        time.sleep(0.5)
        assert broker.leased([key]) == [False]
        assert not halted.is_set()


class TestTheFence:
    @pytest.fixture
    def left(self, rig: Rig) -> Iterator[subprocess.Popen[bytes]]:
        """The process of an attempt whose agent was killed; its lock is there."""
        process = subprocess.Popen(["/bin/sleep", "30"], start_new_session=True)
        memory = rig.memory()
        memory.note_started(1)
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
        parts = [change if part.strip().startswith(name) else part for part in lock.read_text().strip("{}").split(",")]
        lock.write_text("{" + ",".join(parts) + "}")
        assert rig.run(2) == "ready"
        assert left.poll() is None

    def test_an_attempt_that_is_no_longer_the_node_s_last_may_do_nothing_more(self, rig: Rig) -> None:
        memory = rig.memory()
        memory.note_started(1)
        earlier = Local("7", root=rig.root, watch=Fence(memory, 1, lambda: True))
        memory.note_started(2)
        with pytest.raises(NodeProblem, match="a later attempt was started"):
            earlier.run(["/usr/bin/touch", "ran"], timeout=5)
        assert not (rig.root / "7" / "ran").exists()

    def test_an_earlier_attempt_does_not_remove_a_later_one_s_lock(self, rig: Rig, left: subprocess.Popen[bytes]) -> None:
        mine = processes.mark(os.getpid())
        assert mine is not None
        early = Fence(rig.memory(), 1, lambda: True)
        early.begun(mine)
        rig.memory().note_started(2)
        other = processes.mark(left.pid)
        assert other is not None
        Fence(rig.memory(), 2, lambda: True).begun(other)
        early.ended()
        assert (rig.state / "7" / "attempt.lock").exists()

    def test_daemons_of_an_attempt_that_has_ended_stay(self, rig: Rig) -> None:
        assert rig.run(1, "sleep 30 & echo $! > $FUELWEB_ROOT/daemon") == "ready"
        daemon = int((rig.root / "7" / "daemon").read_text())
        try:
            assert rig.run(2) == "ready"
            assert processes.start_time(daemon) is not None
        finally:
            os.kill(daemon, 9)


class TestTheHeartbeat:
    def test_tells_the_last_outcome_until_the_next_attempt_starts(self, rig: Rig) -> None:
        memory = rig.memory()
        beat = KEYS.open_heartbeat("7", sealed_heartbeat(memory, KEYS, "7", places=2, free=1))
        assert (beat.number, beat.outcome, beat.places, beat.free) == (0, None, 2, 1)
        rig.run(3, "exit 5")
        beat = KEYS.open_heartbeat("7", sealed_heartbeat(memory, KEYS, "7", places=2, free=2))
        assert beat.number == 3
        assert beat.outcome == rig.reports()[-1]
        memory.note_started(4)
        beat = KEYS.open_heartbeat("7", sealed_heartbeat(memory, KEYS, "7", places=2, free=2))
        assert (beat.number, beat.outcome) == (4, None)

    def test_a_shorter_outcome_leaves_nothing_of_a_longer_one(self, rig: Rig) -> None:
        memory = rig.memory()
        memory.note_started(1)
        for kept in (b"a long outcome", b"short", b""):
            memory.keep_outcome(kept)
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


class TestConfiguration:
    FULL = {"FUELWEB_REDIS_URL": "unix:///r", "FUELWEB_WIRE_SECRET": "s", "FUELWEB_AGENT_NODE": "7"}

    def test_an_agent_reads_its_environment(self) -> None:
        config = AgentConfig.from_environment({**self.FULL, "FUELWEB_HOME": "/h", "FUELWEB_AGENT_ROOT": "/r"})
        assert (config.redis_url, config.node, config.fleet) == ("unix:///r", "7", None)
        assert (config.state, config.root) == (Path("/h/agents"), Path("/r"))
        assert AgentConfig.from_environment({**self.FULL, "FUELWEB_AGENT_STATE": "/s"}).state == Path("/s")

    def test_one_key_opens_one_node(self) -> None:
        config = AgentConfig.from_environment({**self.FULL, "FUELWEB_NODE_KEY": "ab" * 32})
        assert config.keys.key("7") == bytes.fromhex("ab" * 32)
        with pytest.raises(Exception, match="no key for node 8"):
            config.keys.key("8")

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"FUELWEB_REDIS_URL": ""}, "Set FUELWEB_REDIS_URL"),
            ({"FUELWEB_WIRE_SECRET": ""}, "Set FUELWEB_WIRE_SECRET"),
            ({"FUELWEB_NODE_KEY": "short"}, "64 hexadecimal digits"),
            ({"FUELWEB_AGENT_NODE": ""}, "either FUELWEB_AGENT_NODE or FUELWEB_FLEET"),
            ({"FUELWEB_FLEET": "f"}, "either FUELWEB_AGENT_NODE or FUELWEB_FLEET"),
            ({"FUELWEB_GONE_AFTER": "soon"}, "FUELWEB_GONE_AFTER must be a number of seconds greater than 0, not 'soon'"),
            ({"FUELWEB_GONE_AFTER": "-1"}, "FUELWEB_GONE_AFTER must be a number"),
        ],
    )
    def test_what_is_missing_is_said(self, change: dict[str, str], says: str) -> None:
        with pytest.raises(BadEnvironment, match=says):
            AgentConfig.from_environment({**self.FULL, **change})
