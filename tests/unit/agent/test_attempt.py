"""An agent and its broker, without Celery."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisGone

from deployments.agent import attempt as attempt_module
from deployments.agent.attempt import Refused
from deployments.agent.leases import Leases
from deployments.agent.steady import steady
from deployments.executors.base import Outcome
from deployments.wire.broker import Claim
from deployments.wire.memory_broker import MemoryBroker
from deployments.wire.messages import AttemptKey
from tests.unit.agent.rig import EPOCH, TX, Rig


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
        assert sorted(entry.name for entry in (rig.state / "7").iterdir()) == ["guard", "number", "outcome"]

    def test_a_broken_state_folder_is_an_error_and_not_a_silence(self, rig: Rig) -> None:
        rig.state.mkdir()
        (rig.state / "7").mkdir()
        (rig.state / "7" / "guard").mkdir()
        assert rig.run(1) == "error"
        assert "was not started, because the agent could not note it: [Errno 21] Is a directory" in rig.reports()[-1].reason

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
        with pytest.raises(Refused, match="holds no dispatch number: write the highest of the node"):
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

    @pytest.mark.parametrize("work", [{"parameters": {"cmd": "sleep 300"}}, {"mode": "rehearsal", "rehearsal_seconds": 300.0}])
    def test_a_later_permit_ends_it(self, rig: Rig, work: dict[str, Any]) -> None:
        key, payload = rig.permit(1, lease_seconds=0.6, **work)
        threading.Timer(0.3, rig.permit, args=(2,)).start()
        begun = time.monotonic()
        outcome, _ = rig.agent.attempt(key, payload)
        assert time.monotonic() - begun < 60
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

    @pytest.mark.parametrize("slept", [0.0, 3600.0])
    def test_the_time_of_a_suspended_machine_counts(self, rig: Rig, monkeypatch: pytest.MonkeyPatch, slept: float) -> None:
        """The monotonic clock stands still meanwhile; the lease in Redis doesn't."""

        def then_sleeps(*args: Any) -> Claim:
            answer = MemoryBroker.claim(rig.broker, *args)
            monkeypatch.setattr(time, "clock_gettime", lambda clock: clocks(clock) + (slept if clock == time.CLOCK_BOOTTIME else 0.0))
            return answer

        clocks = time.clock_gettime
        monkeypatch.setattr(rig.broker, "claim", then_sleeps)
        key, payload = rig.permit(1, parameters={"cmd": "touch $FUELWEB_ROOT/ran", "retries": 0})
        outcome, _ = rig.agent.attempt(key, payload)
        assert outcome.state == ("error" if slept else "ready")
        assert (rig.root / "7" / "ran").exists() == (not slept)

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
        leases.hold(key, 0.3, halted.set, steady())
        time.sleep(0.6)
        assert broker.leased([key]) == [True]
        leases.drop(key)
        time.sleep(0.5)
        assert broker.leased([key]) == [False]
        assert not halted.is_set()
