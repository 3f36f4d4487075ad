"""The demonstration does what it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_demonstration_shows_all_and_leaves_nothing(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": ""}
    demo = subprocess.run(
        [sys.executable, "-m", "fuelweb.demo"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert re.search(r"^ready: transaction 1 \(shop\)", demo.stdout, re.MULTILINE)
    assert set(re.findall(r"Welcome to (shop-\d)", demo.stdout)) == {"shop-1", "shop-2", "shop-3"}
    assert "Everything worked" in demo.stdout
    assert list(tmp_path.iterdir()) == []
    running = [path for path in Path("/proc").glob("[0-9]*/cmdline") if _mentions(path, str(tmp_path))]
    assert running == []


def test_it_takes_no_arguments_and_tells_what_it_does() -> None:
    told = _demo("--help")
    assert told.returncode == 0
    assert "Deploys a small web shop" in told.stdout
    refused = _demo("--fast")
    assert refused.returncode == 2
    assert "unrecognized arguments: --fast" in refused.stderr


def test_whoever_stops_reading_gets_no_traceback(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "fuelweb.demo"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stdout is not None and demo.stderr is not None
        assert demo.stdout.readline() == "$ script/server --port 0\n"
        demo.stdout.close()
        said = demo.stderr.read()
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def _demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fuelweb.demo", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def _mentions(path: Path, text: str) -> bool:
    try:
        return text.encode() in path.read_bytes()
    except OSError:
        return False
