from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deployments.connections import processes
from deployments.wire.messages import AttemptKey, Heartbeat, Work
from deployments.wire.names import node_queue
from tests.integration.agent.conftest import EPOCH, ROOT, TX, Owner, Site, wait_for


def _pid(file: Path) -> int:
    """The process id that a task has written down."""
    return int(wait_for(lambda: file.exists() and file.read_text().strip()))


def _alone(other: int) -> str:
    """A command that tells whether the other process has ended (it may still be there as a zombie)."""
    return f"grep -qs ') [RSDT] ' /proc/{other}/stat || echo alone"


class TestAFleet:
    def test_carries_out_attempts_on_many_nodes_and_wakes_the_owner(self, site: Site, owner: Owner) -> None:
        site.fleet("7", "8", "master-1")
        keys = [owner.shell(1, "echo $FUELWEB_NODE > $FUELWEB_ROOT/me", node) for node in ("7", "8", "master-1")]
        assert [owner.outcome(key).state for key in keys] == ["ready"] * 3
        assert [(site.nodes / key.node / "me").read_text() for key in keys] == ["7\n", "8\n", "master-1\n"]
        bodies = wait_for(owner.bodies)
        assert bodies == [{"transaction": TX}] * len(bodies)
        assert owner.broker.leased(keys) == [False] * 3
        left = [key.decode() for key in owner.redis.keys("fuelweb:*")]
        assert not [key for key in left if "unacked" in key or "celery-task-meta" in key or "chord" in key]

    def test_takes_up_and_drops_nodes_while_it_runs(self, site: Site, owner: Owner) -> None:
        site.fleet("7")
        running = owner.shell(1, "sleep 2", "7")
        owner.started(running)
        owner.broker.publish_fleet("north", {"8": "", "9": ""})
        assert owner.outcome(owner.shell(1, "true", "9"), 4).state == "ready"
        assert owner.outcome(running).state == "ready", "what ran on a dropped node ended by itself"
        late = owner.shell(2, "true", "7")
        time.sleep(1.5)
        assert owner.waiting("7") == 1
        owner.broker.publish_fleet("north", {"7": ""})
        assert owner.outcome(late, 4).state == "ready"

    def test_runs_no_more_than_its_places_and_leaves_the_rest_in_the_queues(self, site: Site, owner: Owner) -> None:
        nodes = [str(number) for number in range(1, 7)]
        site.fleet(*nodes, places=2)
        keys = [owner.send(1, node, mode="rehearsal", rehearsal_seconds=0.7) for node in nodes]
        wait_for(lambda: sum(owner.broker.claimed(keys)) == 2)
        time.sleep(0.2)
        assert sum(owner.broker.claimed(keys)) == 2
        assert sum(owner.waiting(node) for node in nodes) >= 3
        assert [owner.outcome(key).state for key in keys] == ["ready"] * 6
        spans: dict[str, list[float]] = {}
        for entry in owner.broker.drain(TX):
            spans.setdefault(entry.node, []).append(entry.time)
        assert all(sum(a <= at < b for a, b in spans.values()) <= 2 for at, _ in spans.values())

    def test_a_free_place_goes_to_the_cluster_that_has_the_fewest(self, site: Site, owner: Owner) -> None:
        many = [str(number) for number in range(1, 7)]
        site.fleet(*many, "9", places=2)
        owner.broker.publish_fleet("north", {**dict.fromkeys(many, "1"), "9": "2"})
        keys = [owner.send(1, node, mode="rehearsal", rehearsal_seconds=2.0) for node in many]
        wait_for(lambda: sum(owner.broker.claimed(keys)) == 2, 60)
        keys.append(owner.send(1, "9", mode="rehearsal", rehearsal_seconds=2.0))
        assert {owner.outcome(key, 60).state for key in keys} == {"ready"}
        started = [report.key.node for report in owner.reports() if report.kind == "started"]
        assert "9" in started[2:4], "the other cluster's turn came as soon as a place was free"

    def test_a_message_that_comes_twice_runs_once_and_ends_one_chord(self, site: Site, owner: Owner) -> None:
        site.fleet("7")
        parameters = {"cmd": "echo x >> $FUELWEB_ROOT/file; sleep 0.3"}
        key = owner.send(1, parameters=parameters)
        for _ in range(3):
            owner.send_message(key, owner.keys.seal_work(key, Work("t", "shell", parameters)))
        owner.outcome(key)
        wait_for(lambda: owner.waiting("7") == 0)
        assert owner.outcome(owner.shell(2, "true")).state == "ready"
        assert (site.nodes / "7" / "file").read_text() == "x\n"
        assert [report.kind for report in owner.reports() if report.key == key] == ["started", "outcome"]
        assert len(owner.bodies()) <= 2

    def test_a_message_that_nobody_sealed_does_nothing(self, site: Site, owner: Owner) -> None:
        site.fleet("7")
        key = AttemptKey(TX, 1, 1, "7", 1)
        owner.broker.permit(EPOCH, [key])
        owner.send_message(key, b"open sesame")
        owner.send_task("deployments.execute_task", node_queue("7"), transaction=TX, run=1, attempt=1, node="7", number=1, payload="?")
        owner.send_task("deployments.execute_task", node_queue("7"), surprise=True)
        wait_for(lambda: owner.waiting("7") == 0)
        assert owner.outcome(owner.shell(2, "true")).state == "ready"
        assert owner.broker.claimed([key]) == [False]
        assert "refused" in site.log()

    def test_goes_on_after_redis_was_killed_in_mid_run(self, site: Site, owner: Owner) -> None:
        site.fleet("7", "8")
        key = owner.shell(1, "sleep 2.5", lease_seconds=2.0)
        owner.started(key)
        site.server.restart(empty=True)
        wait_for(lambda: owner.broker.leased([key]) == [True])
        assert owner.outcome(key).state == "ready"
        wait_for(lambda: owner.alive("7", "8"))
        assert owner.broker.vouch(TX, EPOCH)
        assert owner.outcome(owner.shell(1, "true", "8")).state == "ready"
        beat = owner.keys.open_heartbeat("7", owner.broker.heartbeats(["7"])["7"])
        assert (beat.number, beat.places) == (1, 20)

    def test_after_a_kill_the_next_attempt_ends_what_was_left(self, site: Site, owner: Owner) -> None:
        worker = site.fleet("7")
        key = owner.shell(1, "echo $$ > $FUELWEB_ROOT/pid; exec sleep 60", lease_seconds=1.0)
        left = _pid(site.nodes / "7" / "pid")
        worker.kill()
        assert processes.start_time(left) is not None, "lost is not dead"
        wait_for(lambda: owner.broker.leased([key]) == [False])
        site.manage("fleet", "--name", "north")
        after = owner.shell(2, _alone(left))
        assert owner.outcome(after).summary["output"] == "alone\n"

    def test_term_waits_for_what_runs(self, site: Site, owner: Owner) -> None:
        worker = site.fleet("7", "8")
        key = owner.shell(1, "sleep 1.5; echo done")
        owner.started(key)
        worker.term()
        assert owner.outcome(key).summary["output"] == "done\n"
        assert worker.process.wait(10) == 0
        owner.shell(1, "true", "8")
        time.sleep(0.3)
        assert owner.waiting("8") == 1

    def test_says_how_many_places_the_other_nodes_leave(self, site: Site, owner: Owner) -> None:
        site.fleet("7", "8", places=2)

        def free() -> list[int]:
            beats = owner.broker.heartbeats(["7", "8"])
            return [owner.keys.open_heartbeat(node, beats[node]).free for node in ("7", "8")]

        wait_for(lambda: free() == [2, 2], 30)
        owner.shell(1, "sleep 60")
        wait_for(lambda: free() == [2, 1], 30)


class TestAnAgent:
    def test_serves_its_node_alone(self, site: Site, owner: Owner) -> None:
        site.agent("7")
        owner.shell(1, "true", "8")
        key = owner.send(1, type="upload_file", parameters={"path": "/etc/motd", "data": "hello", "permissions": "0600"})
        assert owner.outcome(key).summary == {"path": "/etc/motd", "bytes": 5, "written": True}
        assert (site.nodes / "7" / "etc" / "motd").read_text() == "hello"
        assert owner.waiting("8") == 1
        beat = owner.keys.open_heartbeat("7", owner.broker.heartbeats(["7"])["7"])
        assert (beat.node, beat.places) == ("7", 1)

    def test_says_what_it_does_and_what_it_did_last(self, site: Site, owner: Owner) -> None:
        site.agent()
        owner.outcome(owner.shell(4, "exit 3"))
        owner.shell(5, "sleep 60", lease_seconds=0.9)

        def beat() -> Heartbeat:
            return owner.keys.open_heartbeat("7", owner.broker.heartbeats(["7"])["7"])

        # Its only place is held, but not by another node's attempt: that keeps nobody else waiting.
        wait_for(lambda: (beat().number, beat().free) == (5, 1), 30)
        ended = owner.shell(6, "exit 4")  # A later permit ends the one before.
        outcome = owner.outcome(ended)
        wait_for(lambda: (beat().number, beat().outcome, beat().free) == (6, outcome, 1), 30)

    def test_renews_the_lease_while_it_runs(self, site: Site, owner: Owner) -> None:
        site.agent()
        key = owner.shell(1, "sleep 2.5", lease_seconds=0.9)
        owner.started(key)
        until = time.monotonic() + 2.0
        while time.monotonic() < until:
            assert owner.broker.leased([key]) == [True]
            time.sleep(0.1)
        assert owner.outcome(key).state == "ready"

    def test_ends_its_attempt_when_a_later_one_is_permitted(self, site: Site, owner: Owner) -> None:
        site.agent()
        first = owner.shell(1, "echo $$ > $FUELWEB_ROOT/pid; exec sleep 60", lease_seconds=0.9)
        pid = _pid(site.nodes / "7" / "pid")
        second = owner.shell(2, _alone(pid))
        assert owner.outcome(second).summary["output"] == "alone\n"
        assert "a later attempt was allowed" in owner.outcome(first).reason

    def test_its_pool_process_may_be_killed(self, site: Site, owner: Owner) -> None:
        worker = site.agent()
        key = owner.shell(1, "echo $$ > $FUELWEB_ROOT/pid; exec sleep 60", lease_seconds=1.0)
        left = _pid(site.nodes / "7" / "pid")
        children = subprocess.run(["pgrep", "-P", str(worker.process.pid)], capture_output=True, text=True, check=True).stdout.split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        wait_for(lambda: owner.broker.leased([key]) == [False])
        assert owner.outcome(owner.shell(2, "true")).state == "ready"
        assert processes.start_time(left) is None

    def test_knows_nothing_of_django_or_the_database(self, site: Site, owner: Owner) -> None:
        env = {**site.env, "FUELWEB_AGENT_NODE": "7", "FUELWEB_AGENT_ROOT": str(site.nodes)}
        worker = "worker -P prefork -c 1 --without-gossip --without-mingle --include tests.integration.agent.loaded_modules"
        site.start([sys.executable, "-m", "celery", "-A", "deployments.agent.app", *worker.split(), "-Q", node_queue("7")], env)
        assert owner.outcome(owner.shell(1, "true")).state == "ready"
        file = site.folder / "modules.json"
        owner.send_task("tests.loaded_modules", node_queue("7"), file=str(file))
        modules = json.loads(wait_for(lambda: file.exists() and file.read_text()))
        assert "deployments.agent.attempt" in modules
        foreign = ("django.", "rest_framework", "psycopg", "sqlite3", "networkx", "yaql", "history", "fuelweb", "deployments.models")
        # Celery's JSON looks for Django's lazy texts by itself.
        assert [name for name in modules if name.startswith(foreign) and not name.startswith("django.utils")] == []


class TestTheCommands:
    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["fleet", "--places", "0"], "A fleet with 0 places could run nothing: give --places a number of at least 1."),
            (["agent", "7,8"], "'7,8' is not a node's uid: give one"),
        ],
    )
    def test_refuse_wrong_input_in_one_sentence(self, arguments: list[str], says: str) -> None:
        ended = subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        assert ended.returncode == 1
        assert ended.stderr.startswith(f"CommandError: {says}")
        assert len(ended.stderr.splitlines()) == 1
