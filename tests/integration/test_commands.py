"""What every command does with what it can't do: one sentence on stderr, exit code 1, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from deployments.management.base import NOT_PREPARED, FuelwebCommand

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = sorted((name, app) for name, app in get_commands().items() if app in ("deployments", "fuelweb"))


@pytest.mark.parametrize(("name", "app"), COMMANDS)
def test_wrong_arguments_are_one_sentence(name: str, app: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = load_command_class(app, name)
    assert isinstance(command, FuelwebCommand)
    with pytest.raises(SystemExit) as stop:
        command.run_from_argv(["manage.py", name, "--no-such-option", *"xxxxx"])
    said = capsys.readouterr().err.strip()
    assert (stop.value.code, said.count("\n")) == (1, 0)
    assert said.endswith(f"(see `manage.py {name} --help`).")


def test_a_word_in_place_of_a_number_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load_command_class("deployments", "history").run_from_argv(["manage.py", "history", "abc"])
    assert "Argument transaction: invalid int value: 'abc'" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["history 1", "deploy shop", "load_cluster examples/shop/cluster.yaml", "agent_token"])
def test_without_a_prepared_database_the_first_step_is_named(command: str, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")}
    done = subprocess.run(
        [sys.executable, "manage.py", *command.split()], capture_output=True, text=True, cwd=ROOT, timeout=60,
        env={**environment, "FUELWEB_HOME": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, f"CommandError: {NOT_PREPARED}\n")


def test_a_database_that_is_not_there_is_one_sentence() -> None:
    environment = {**os.environ, "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}
    done = subprocess.run(
        [sys.executable, "manage.py", "history", "1"], capture_output=True, text=True, cwd=ROOT, env=environment, timeout=60
    )
    assert done.returncode == 1
    assert "The database can't be used" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
