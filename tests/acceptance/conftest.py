"""A whole system of real processes on the test database and the test Redis."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from fuelweb import system
from fuelweb.supervisor import Supervisor
from tests.acceptance.proof import verify_all


@pytest.fixture
def running_system(system_env: dict[str, str], clean_redis: str, tmp_path: Path) -> Iterator[Supervisor]:
    """Planner, orchestrator and fleet. Whatever they have run is verified when the test is over."""
    supervisor = Supervisor(tmp_path / "logs", print, tmp_path / "processes")
    try:
        for child in system.children(settings.BASE_DIR, tmp_path, 0, {**system_env, "FUELWEB_HOME": os.environ["FUELWEB_HOME"]}):
            if child.name in system.WORKERS:
                supervisor.start(child)
        yield supervisor
        verify_all()
    finally:
        supervisor.kill()
        for log in sorted((tmp_path / "logs").glob("*.log")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-4000:]}")
