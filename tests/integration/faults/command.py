"""The very command that people use, as these tests call it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

once = pytest.mark.skipif(
    os.environ.get("DATABASE_URL", "").startswith("postgres"),
    reason="The simulation has a SQLite database of its own, whatever else is tested: once is enough.",
)


def faults(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`script/faults` with these arguments."""
    return subprocess.run(
        [sys.executable, "-m", "tests.faults", *arguments],
        cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, text=True, timeout=1800,
    )  # fmt: skip
