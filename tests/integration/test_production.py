"""The settings that docs/production.md names make a system that Django's own checks find nothing wrong with."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.http import HttpRequest

from deployments.services import log_in

ROOT = Path(__file__).resolve().parent.parent.parent


def documented() -> dict[str, str]:
    """The settings as they stand there, secrets and database made up."""
    page = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
    found = dict(re.findall(r"^    ([A-Z_]+)=(\S+)", page, re.MULTILINE))
    assert {"SECRET_KEY", "ALLOWED_HOSTS", "FUELWEB_HTTPS"} < found.keys()
    return {name: value.replace("…", "0123456789abcdefghij" * 3) for name, value in found.items()}


def manage(tmp_path: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "fuelweb.settings", "FUELWEB_HOME": str(tmp_path), **env}
    return subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_the_documented_settings_are_found_good(tmp_path: Path) -> None:
    checked = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING", **documented())
    assert checked.returncode == 0, checked.stderr
    assert "no issues (0 silenced)" in checked.stdout


def test_the_defaults_are_not_taken_for_good(tmp_path: Path) -> None:
    assert "security.W008" in manage(tmp_path, "check", "--deploy").stderr


def test_without_log_in_it_refuses_to_serve_others(tmp_path: Path) -> None:
    checked = manage(tmp_path, "check", FUELWEB_AUTH_REQUIRED="false", ALLOWED_HOSTS="localhost,fuelweb.example.org")
    assert checked.returncode != 0
    assert "FUELWEB_AUTH_REQUIRED can be off only where ALLOWED_HOSTS names nothing but this machine" in checked.stderr
    assert manage(tmp_path, "check", FUELWEB_AUTH_REQUIRED="false", ALLOWED_HOSTS="localhost").returncode == 0


@pytest.mark.parametrize(("proxies", "counted"), [(0, "10.0.0.1"), (1, "9.9.9.9"), (2, "8.8.8.8"), (3, "made up"), (4, "10.0.0.1")])
def test_only_own_proxies_are_believed(settings: object, proxies: int, counted: str) -> None:
    settings.FUELWEB_PROXIES = proxies  # type: ignore[attr-defined]
    request = HttpRequest()
    request.META = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "made up, 8.8.8.8, 9.9.9.9"}
    assert log_in._subjects("ann", request)["from"] == f"from:{counted}"
