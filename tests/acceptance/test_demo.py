"""The demonstration does what it promises, in the time it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_demonstration_shows_all_and_leaves_nothing(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": ""}
    begun = time.monotonic()
    demo = subprocess.run(
        [sys.executable, "-m", "fuelweb.demo"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=170, check=False
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert time.monotonic() - begun < 60
    assert re.search(r"^ready: transaction 1 \(shop\)", demo.stdout, re.MULTILINE)
    assert set(re.findall(r"Welcome to (shop-\d)", demo.stdout)) == {"shop-1", "shop-2", "shop-3"}
    assert "Everything worked" in demo.stdout
    assert list(tmp_path.iterdir()) == []
    running = [path for path in Path("/proc").glob("[0-9]*/cmdline") if _mentions(path, str(tmp_path))]
    assert running == []


def _mentions(path: Path, text: str) -> bool:
    try:
        return text.encode() in path.read_bytes()
    except OSError:
        return False
