"""docker-compose.yml: complete, private, and made of commands that exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from flower.options import options as flower_options

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
STAYING = ["web", "planner", "orchestrator", "fleet", "flower", "redis", "postgres"]
OURS = [name for name, service in SERVICES.items() if "build" in service]


def test_every_service_is_there_and_has_a_health_check() -> None:
    assert sorted(SERVICES) == sorted([*STAYING, "migrate"])
    for name in STAYING:
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD", name


def test_only_this_machine_reaches_the_published_ports() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:8000:8000"], "flower": ["127.0.0.1:5555:5555"]}


def test_secrets_have_no_default_and_are_all_made_beforehand() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    needed = set(re.findall(r"\$\{(\w+):\?", text))
    assert needed == {"POSTGRES_PASSWORD", "SECRET_KEY", "FUELWEB_WIRE_SECRET", "FUELWEB_ADMIN_PASSWORD", "FLOWER_PASSWORD"}
    (made,) = re.findall(r"for name in (.*); do", text)
    assert set(made.split()) == needed
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_every_variable_that_is_handed_on_is_a_setting() -> None:
    handed_on = set(SERVICES["web"]["environment"])
    settings = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert {name for name in handed_on if f"`{name}`" not in settings} == set()


def test_ours_can_gain_no_rights_and_leave_no_dead_processes() -> None:
    for name in OURS:
        assert SERVICES[name]["cap_drop"] == ["ALL"] and SERVICES[name]["init"] is True, name
        assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"], name


def test_images_name_a_version() -> None:
    images = [service["image"] for name, service in SERVICES.items() if name not in OURS]
    images += re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(images) == 3
    assert [image for image in images if not re.search(r":\d", image)] == []


def test_flower_asks_for_a_password() -> None:
    assert SERVICES["flower"]["environment"]["FLOWER_BASIC_AUTH"].startswith("admin:${FLOWER_PASSWORD:?")


def test_redis_appends_to_a_file_and_never_drops_keys() -> None:
    command = SERVICES["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"


def test_what_executes_knows_no_database() -> None:
    assert "DATABASE_URL" not in SERVICES["fleet"]["environment"]


def test_volumes_are_declared() -> None:
    used = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


def _command_lines() -> list[Any]:
    lines = []
    for name in OURS:
        lines.append(pytest.param(SERVICES[name]["command"], id=f"{name}-command"))
        test = SERVICES[name].get("healthcheck", {}).get("test", ["CMD"])[1:]
        if "manage.py" in test:
            lines.append(pytest.param(test, id=f"{name}-health"))
    return lines


@pytest.mark.parametrize("command", _command_lines())
def test_every_command_line_is_understood(command: list[str]) -> None:
    """With --help added, a program that exists tells its options; those that are used are among them."""
    program = {"python": [sys.executable]}.get(command[0], [sys.executable, "-m", command[0]])
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "fuelweb.settings"}
    result = subprocess.run([*program, *command[1:], "--help"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    used = {word.partition("=")[0] for word in command if word.startswith("--")}
    assert {option for option in used if option not in result.stdout + _tornado_options(command)} == set()


def _tornado_options(command: list[str]) -> str:
    """Flower shows its options only in its own help, by names with underscores or dashes."""
    return " ".join(f"--{name.replace('_', '-')}" for name in flower_options._options) if "flower" in command else ""


def test_the_image_runs_as_an_ordinary_user() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert "USER fuelweb" in lines
    assert lines.index("USER fuelweb") < next(number for number, line in enumerate(lines) if line.startswith("CMD"))


def test_everything_the_image_copies_exists_and_is_let_through() -> None:
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")}
    for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if line.startswith("COPY"):
            source = line.split()[1]
            assert (ROOT / source).exists(), source
            assert source in let_through
