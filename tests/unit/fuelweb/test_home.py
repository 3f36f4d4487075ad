"""The folder of embedded state."""

from __future__ import annotations

import stat
from pathlib import Path

from fuelweb import home


def test_a_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    first = home.secret(folder, "wire-secret")
    assert len(first) >= 48
    assert home.secret(folder, "wire-secret") == first
    assert home.secret(folder, "secret-key") != first
    assert stat.S_IMODE((folder / "wire-secret").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(path.name for path in folder.iterdir()) == ["secret-key", "wire-secret"]


def test_the_socket_lies_in_the_folder_where_the_path_is_short(tmp_path: Path) -> None:
    short = Path("/no-such-folder")
    assert home.redis_socket(short) == short / "redis.sock"
    assert not short.exists()


def test_a_long_path_gets_a_short_folder_that_is_remembered(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    socket = home.redis_socket(folder)
    assert len(str(socket)) < 100
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    assert home.redis_socket(folder) == socket

    socket.parent.rmdir()
    again = home.redis_socket(folder)
    assert again.parent.is_dir()
    assert home.redis_socket(folder) == again
    again.parent.rmdir()
