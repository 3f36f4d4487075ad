"""What all tests share: a private Redis, and the environment in which other processes see the test database."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.db import connection

from deployments.wire.names import KEY_PREFIX
from fuelweb import embedded, home

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


def pytest_unconfigure() -> None:
    """Remove the folder that `tests.settings` has made."""
    shutil.rmtree(os.environ["FUELWEB_TESTS_HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the conformance cases and real graphs, which is no part of the project."""
    if not SHARED.is_dir():
        pytest.skip(f"the conformance cases are not here ({SHARED})")
    return SHARED


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis of this test session's own: a private server, or the one that TEST_REDIS_URL names (its fuelweb keys are deleted)."""
    if given := os.environ.get("TEST_REDIS_URL"):
        _delete_keys(given)
        yield given
        _delete_keys(given)
        return
    folder = Path(settings.FUELWEB_HOME)
    with (folder / "redis.log").open("wb") as log:
        server = subprocess.Popen(
            embedded.redis_command(home.redis_socket(folder), folder / "redis"), stdout=log, stderr=log, process_group=0
        )
    try:
        _wait_for(settings.REDIS_URL)
        yield settings.REDIS_URL
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture
def clean_redis(redis_url: str) -> str:
    """The session's Redis without anything that other tests have left."""
    _delete_keys(redis_url)
    return redis_url


@pytest.fixture
def system_env(transactional_db: None, redis_url: str) -> dict[str, str]:
    """The environment for processes that work on the test database and the test Redis."""
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "fuelweb.settings", "DATABASE_URL": _database_url(), "REDIS_URL": redis_url}


def _database_url() -> str:
    now = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{now['NAME']}"
    return f"postgres://{now['USER']}:{now['PASSWORD']}@{now['HOST']}:{now['PORT']}/{now['NAME']}"


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while not embedded.answers(url):
        if time.monotonic() > deadline:
            pytest.fail(f"the private Redis does not answer at {url}")
        time.sleep(0.05)


def _delete_keys(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(f"{KEY_PREFIX}*", count=1000):
            client.delete(key)
