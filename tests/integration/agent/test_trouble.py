"""Workers whose connections go dead, and a node whose memory is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.agent.conftest import TX, Owner, Site, wait_for
from tests.servers import RedisServer, Wire

PATIENCE = 120.0


@pytest.mark.parametrize("kind", ["fleet", "agent"])
def test_goes_on_after_its_connections_went_dead(tmp_path: Path, kind: str) -> None:
    """Half-open: nobody closed them, and nothing comes through. What runs is reported, and what waits is taken, by new ones."""
    with RedisServer() as server, Wire(server.url) as wire:
        site = Site(wire, tmp_path)
        site.owner.close()
        site.owner = owner = Owner(server.url)
        try:
            site.fleet("7") if kind == "fleet" else site.agent("7")
            running = owner.shell(1, "sleep 3", lease_seconds=PATIENCE)
            owner.started(running)
            wire.go_dead()
            assert owner.outcome(running, PATIENCE).state == "ready"
            assert owner.outcome(owner.shell(2, "true"), PATIENCE).state == "ready"
            owner.redis.delete("fuelweb:agent:7")
            wait_for(lambda: owner.alive("7"), PATIENCE)
        finally:
            site.close()


def test_a_node_whose_memory_is_damaged_harms_no_other(site: Site, owner: Owner) -> None:
    (site.folder / "state" / "8" / "number").mkdir(parents=True)
    owner.broker.publish_fleet("north", {"7": "", "8": ""})
    site.manage("fleet", "--name", "north")
    wait_for(lambda: owner.alive("7"), PATIENCE)
    assert owner.broker.heartbeats(["8"]) == {}
    lost = owner.shell(1, "true", "8")
    assert owner.outcome(owner.shell(1, "true", "7"), PATIENCE).state == "ready"
    wait_for(lambda: "refused: [Errno 21] Is a directory" in site.log(), PATIENCE)
    assert owner.broker.claimed([lost]) == [False]


def test_a_node_whose_number_is_none_is_told_once_and_served_when_it_is_mended(site: Site, owner: Owner) -> None:
    folder = site.folder / "state" / "7"
    folder.mkdir(parents=True)
    (folder / "number").write_text("9" * 20)
    owner.broker.publish_fleet("north", {"7": "", "8": ""})
    site.manage("fleet", "--name", "north")
    wait_for(lambda: owner.alive("8"), PATIENCE)
    lost = owner.shell(1, "true", "7")
    wait_for(lambda: "refused: " in site.log(), PATIENCE)
    assert owner.broker.heartbeats(["7"]) == {}
    assert owner.broker.claimed([lost]) == [False]
    (folder / "number").write_text("41")
    wait_for(lambda: owner.alive("7"), PATIENCE)
    assert site.log().count("counts as offline until this is mended") == 1
    assert owner.outcome(owner.shell(42, "true", "7"), PATIENCE).state == "ready"


def test_a_stop_in_the_pause_between_two_tries_ends_the_attempt(site: Site, owner: Owner) -> None:
    site.agent("7")
    tries = {"cmd": "echo tried >> $FUELWEB_ROOT/tried; exit 3", "retries": 5, "interval": 3600}
    trying = owner.send(1, parameters=tries)
    told = wait_for(lambda: next((report for report in owner.reports() if report.kind == "trying"), None), PATIENCE)
    assert (told.key, told.state, told.summary) == (trying, "error", {"try": 1, "tries": 6, "pause": 3600.0})
    assert owner.broker.leased([trying]) == [True]
    owner.broker.set_stop(TX)
    ended = owner.outcome(trying, PATIENCE)
    assert (ended.state, ended.reason) == ("error", "The command ended with exit code 3. 1 of 6 tries, stopped.")
    assert ended.summary["exit_code"] == 3
    assert (site.nodes / "7" / "tried").read_text() == "tried\n"


def test_a_stop_lets_the_try_that_runs_end(site: Site, owner: Owner) -> None:
    site.agent("7")
    slow = {"cmd": "touch $FUELWEB_ROOT/runs; while [ ! -e $FUELWEB_ROOT/go ]; do sleep 0.1; done; exit 3", "retries": 5, "interval": 0}
    trying = owner.send(1, parameters=slow)
    wait_for((site.nodes / "7" / "runs").exists, PATIENCE)
    owner.broker.set_stop(TX)
    (site.nodes / "7" / "go").touch()
    assert owner.outcome(trying, PATIENCE).reason == "The command ended with exit code 3. 1 of 6 tries, stopped."
