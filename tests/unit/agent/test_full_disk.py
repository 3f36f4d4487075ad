"""A full disk costs time and nothing else: nothing is damaged, nothing that was asked for fails, nothing that ran is lost."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments.agent import memory as memory_module
from deployments.agent import room as room_module
from deployments.agent.attempt import Refused
from deployments.agent.memory import OUTCOME_BYTES, NodeMemory
from deployments.agent.room import NoRoom, Room
from tests.disks import SmallDisk, small_disk
from tests.unit.agent.rig import Rig


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 512) as disk:
        yield disk


@pytest.fixture
def full(disk: SmallDisk, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """An agent whose notes are on the small disk; it looks for room each time."""
    monkeypatch.setattr(room_module, "LOOK_SECONDS", 0.0)
    return Rig(disk.folder.parent, state=disk.folder / "state")


class TestAFullDisk:
    def test_damages_nothing_of_a_node_that_was_never_served(self, disk: SmallDisk) -> None:
        memory = NodeMemory(disk.folder, "7")
        memory.folder.mkdir()
        disk.fill()
        for begin in (memory.make_room, lambda: memory.start(1)):
            with pytest.raises((NoRoom, OSError), match="No space left"):
                begin()
            assert memory.highest() == 0
        disk.free()
        memory.start(1)
        assert memory.highest() == 1

    def test_an_empty_note_left_by_an_earlier_version_means_never_started(self, rig: Rig) -> None:
        folder = rig.memory().folder
        folder.mkdir(parents=True)
        (folder / "number").write_bytes(b"")
        assert rig.memory().highest() == 0
        assert rig.run(1) == "ready"
        assert rig.memory().highest() == 1

    @pytest.mark.parametrize("known", [False, True])
    def test_lets_nothing_be_claimed_until_there_is_room(self, full: Rig, disk: SmallDisk, known: bool) -> None:
        if known:
            assert full.run(1) == "ready"
        disk.fill()
        key, payload = full.permit(2, parameters={"cmd": "touch $FUELWEB_ROOT/ran", "retries": 0})
        for _ in range(3):
            with pytest.raises(
                Refused, match=r"^The attempt has to wait: nothing can be written to .*/state.* \(No space left on device\)\.$"
            ):
                full.agent.attempt(key, payload)
        assert full.broker.claimed([key]) == [False]
        assert not (full.root / "7" / "ran").exists()
        disk.free()
        assert full.agent.attempt(key, payload)[0].state == "ready"
        assert (full.root / "7" / "ran").exists()
        assert full.memory().highest() == 2

    def test_that_fills_after_the_claim_keeps_neither_start_nor_outcome_from_being_noted(self, full: Rig, disk: SmallDisk) -> None:
        claim = full.broker.claim

        def fills(*args: Any) -> Any:
            disk.fill()
            return claim(*args)

        full.broker.claim = fills  # type: ignore[method-assign]
        assert full.run(1, "printf '%04000d' 1") == "ready"
        assert full.memory().highest() == 1
        kept = full.memory().outcome()
        assert kept
        assert full.reports()[-1].state == "ready"

    @pytest.mark.parametrize("reserved", [True, False])
    def test_an_outcome_with_no_room_is_reported_all_the_same(self, full: Rig, disk: SmallDisk, reserved: bool) -> None:
        memory = full.memory()
        full.run(1)
        disk.fill()
        if not reserved:
            os.truncate(memory.folder / "outcome", 0)
            disk.fill()
        memory.start(2)
        try:
            memory.keep_outcome(2, b"x" * (OUTCOME_BYTES - 4 if reserved else 5000))
        except OSError as full_disk:
            assert full_disk.errno == errno.ENOSPC
        assert bool(memory.outcome()) == reserved


class TestAWriteThatFails:
    def test_keeps_the_outcome_in_memory_until_it_can_be_told(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        """Redis is away and the disk full: what ran is written down as soon as one of them takes it."""
        tried = []
        keep = NodeMemory.keep_outcome

        def full_twice(self: NodeMemory, number: int, sealed: bytes) -> None:
            tried.append(number)
            if len(tried) < 3:
                raise OSError(errno.ENOSPC, "No space left on device")
            keep(self, number, sealed)

        monkeypatch.setattr(NodeMemory, "keep_outcome", full_twice)
        rig.broker.lost_reports = 4
        assert rig.run(1) == "ready"
        assert tried == [1, 1, 1]
        assert rig.memory().outcome()
        assert rig.reports()[-1].state == "ready"

    @pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.ENOSPC])
    def test_starts_nothing_and_leaves_the_last_good_number(self, rig: Rig, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        rig.run(1)

        def fails(*_: Any) -> int:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(memory_module.os, "pwrite", fails)
            assert rig.run(2, "touch $FUELWEB_ROOT/ran") == "error"
        assert f"was not started, because the agent could not note it: [Errno {number}]" in rig.reports()[-1].reason
        assert not (rig.root / "7" / "ran").exists()
        assert rig.memory().highest() == 1
        assert rig.run(3) == "ready"

    def test_that_was_cut_short_is_a_failure(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        rig.memory().start(1)
        monkeypatch.setattr(memory_module.os, "pwrite", lambda handle, content, at: len(content) - 1)
        with pytest.raises(OSError, match="No space left"):
            rig.memory().start(2)


class TestTheRoom:
    def test_is_looked_at_once_a_second(self, disk: SmallDisk) -> None:
        now = [0.0]
        room = Room(disk.folder / "not" / "made", clock=lambda: now[0])
        disk.fill()
        assert room.lack() == f"nothing can be written to {disk.folder}/not/made (No space left on device)"
        disk.free()
        now[0] += 0.5
        assert room.lack()
        now[0] += 0.5
        assert room.lack() == ""
        assert not (disk.folder / "not").exists()

    def test_the_temporary_folder_has_to_have_it_too(self, disk: SmallDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(disk.folder))
        disk.fill()
        assert str(disk.folder) in Room(tmp_path, clock=lambda: 0.0).lack()

    def test_what_is_wrong_otherwise_is_told_by_the_attempt(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert Room(tmp_path / "file" / "state", clock=lambda: 0.0).lack() == ""
