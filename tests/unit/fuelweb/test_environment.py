"""What stands in the environment is understood, or refused by a sentence that names the variable."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from fuelweb import environment

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("given", "on"), [("true", True), ("On", True), ("1", True), ("yes", True), ("FALSE", False), ("off", False), ("0", False), ("", False)]
)
def test_a_switch_is_on_or_off(monkeypatch: pytest.MonkeyPatch, given: str, on: bool) -> None:
    monkeypatch.setenv("GUARD", given)
    assert environment.switch("GUARD", default=not on) is on


def test_what_is_not_set_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GUARD", raising=False)
    assert environment.switch("GUARD", default=True) is True
    assert environment.number("GUARD", 7) == 7
    assert environment.log_level("GUARD", "INFO") == "INFO"
    assert environment.redis_url("GUARD") == ""
    assert environment.database("GUARD", "sqlite:////here/db")["NAME"] == "/here/db"


@pytest.mark.parametrize(
    ("variable", "given", "said"),
    [
        ("FUELWEB_AUTH_REQUIRED", "ture", "FUELWEB_AUTH_REQUIRED is 'ture', but must be true or false"),
        ("FUELWEB_LEASE", "30s", "FUELWEB_LEASE is '30s', but must be a number"),
        ("FUELWEB_LEASE", "-1", "FUELWEB_LEASE is '-1', but must be a number, 0 or more"),
        ("FUELWEB_LEASE", "nan", "FUELWEB_LEASE is 'nan', but must be a number, 0 or more"),
        ("LOG_LEVEL", "verbose", "LOG_LEVEL is 'VERBOSE', but must be DEBUG, INFO"),
        ("REDIS_URL", "localhost:6379", "REDIS_URL must be an address that begins with redis://"),
        ("DATABASE_URL", "fuelweb.db", "DATABASE_URL must be an address like postgres://"),
        ("DATABASE_URL", "mysql://a:b@c/d", "DATABASE_URL must be an address like postgres://"),
        ("DATABASE_URL", "postgres://a:secret@c:port/d", "DATABASE_URL must be an address like postgres://"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(tmp_path: Path, variable: str, given: str, said: str) -> None:
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "fuelweb.settings", "FUELWEB_HOME": str(tmp_path), variable: given}
    command = [sys.executable, "manage.py", "prepare"]
    ended = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"CommandError: {said}")
    assert ended.stderr.count("\n") == 1
    assert "secret" not in ended.stderr


def test_a_level_is_understood_in_small_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert environment.log_level("LOG_LEVEL", "INFO") == "DEBUG"


def test_refusals_are_what_django_expects_of_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARD", "maybe")
    with pytest.raises(ImproperlyConfigured):
        environment.switch("GUARD", default=True)


def test_a_python_without_the_packages_is_told_where_they_are() -> None:
    ended = subprocess.run([sys.executable, "-S", "manage.py", "help"], cwd=ROOT, env={}, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("This Python lacks the packages (No module named 'django'")
