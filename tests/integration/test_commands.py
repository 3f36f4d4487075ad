"""What every command does with what it can't do: one sentence on stderr, exit code 1, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class

from deployments.management.base import NOT_PREPARED, FuelwebCommand
from deployments.models import Cluster
from history.models import Transaction
from tests.integration.restart.system import a_cluster, a_task

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = sorted((name, app) for name, app in get_commands().items() if app in ("deployments", "fuelweb"))


@pytest.mark.parametrize(("name", "app"), COMMANDS)
def test_wrong_arguments_are_one_sentence(name: str, app: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = load_command_class(app, name)
    assert isinstance(command, FuelwebCommand)
    with pytest.raises(SystemExit) as stop:
        command.run_from_argv(["manage.py", name, "--no-such-option", *"xxxxx"])
    said, usage, example = capsys.readouterr().err.strip().splitlines()
    assert stop.value.code == 1
    assert said.endswith(f"(see `manage.py {name} --help`).")
    assert usage.startswith(f"usage: manage.py {name}")
    assert example.startswith(f"example: manage.py {name}")


@pytest.mark.parametrize(("name", "app"), COMMANDS)
def test_examples_are_such(name: str, app: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = load_command_class(app, name)
    assert isinstance(command, FuelwebCommand)
    assert command.examples
    for example in command.examples:
        first, *rest = example.partition(" > ")[0].split()
        assert first == name
        command.create_parser("manage.py", name).parse_args(rest)
    with pytest.raises(SystemExit):
        command.run_from_argv(["manage.py", name, "--help"])
    assert capsys.readouterr().out.rstrip().endswith(f"manage.py {command.examples[-1]}")


@pytest.mark.parametrize(
    ("arguments", "usage", "example"),
    [
        ("transactions", "usage: manage.py transactions [-h]", "transactions list --cluster shop"),
        ("transactions show", "usage: manage.py transactions show [-h]", "transactions show 7"),
        ("transactions bogus", "usage: manage.py transactions [-h]", "transactions list --cluster shop"),
        ("graph download", "usage: manage.py graph download [-h] (--cluster", "graph download --cluster shop --type default"),
        ("graph upload --cluster a --own x", "usage: manage.py graph upload [-h]", "graph upload --cluster shop tasks.yaml"),
        ("deploy", "usage: manage.py deploy [-h]", "deploy shop --watch"),
    ],
)
def test_after_wrong_arguments_the_sub_command_is_shown(
    arguments: str, usage: str, example: str, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["manage.py", *arguments.split()]
    with pytest.raises(SystemExit):
        load_command_class("deployments", argv[1]).run_from_argv(argv)
    _, shown, last = capsys.readouterr().err.strip().splitlines()
    assert shown.startswith(usage)
    assert last == f"example: manage.py {example}"


# -- nothing is ignored -------------------------------------------------------------------------------------------------------
@pytest.fixture
def shop(db: None, clean_redis: str) -> Cluster:
    cluster = a_cluster([a_task("a")], {"1": ["web"]})
    Cluster.objects.filter(id=cluster.id).update(name="shop")
    return cluster


FILES = ["--tasks", "examples/first/tasks.yaml", "--cluster", "examples/first/cluster.yaml"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("deploy shop --by node", "--by belongs to --plan: add it."),
        ("deploy shop --format json --by task", "--by and --format belong to --plan: add it."),
        ("deploy shop --plan --by node --format json", "--by belongs to --format table: JSON has every task run."),
        ("deploy shop --plan --watch", "--watch belongs to a deployment: --plan starts none."),
        ("deploy shop --plan --reason tea", "--reason belongs to a deployment: --plan starts none."),
        ("deploy shop --fail a/1", "--fail belongs to a rehearsal: add --rehearse SPEED."),
        ("deploy shop --durations x.yaml --fail a/1", "--durations and --fail belong to a rehearsal: add --rehearse SPEED."),
        (
            "deploy shop --rehearse 9 --reuse",
            "--reuse keeps what was done for real, and a rehearsal needs a cluster where",
        ),
        ("deploy shop --rehearse 9 --dry-run", "--dry-run runs nothing and --rehearse plays it: choose one."),
        ("graph download --release R --own", "--own belongs to --cluster: what a release has is its own."),
        ("graph upload --cluster= tasks.yaml", "--cluster is empty"),
        ("transactions list --cluster=", "--cluster is empty"),
        ("load_cluster examples/first/cluster.yaml --name=", "--name is empty"),
        ("deployment_tasks --task-id 1 --include-summary", "--include-summary belongs to --format json or csv: add one of them."),
        ("seed_history --days -3", "--days must be between 0 and 100,000."),
        ("seed_history --days nan", "--days must be between 0 and 100,000."),
        ("planner --processes 0", "--processes must be 1 or more."),
        (["agent_token", ""], "The uid is empty: name the node, or leave it out for a token that is good for any."),
        (["node_key", ""], "The uid is empty: name the node."),
        ("fleet --name=", "--name is empty"),
        ("workers --timeout nan", "--timeout must be more than 0 and at most 3600 seconds."),
        ("workers --timeout -1", "--timeout must be more than 0 and at most 3600 seconds."),
        (["plan", *FILES, "--hashes"], "--hashes belongs to --format summary: add it."),
        (["simulate", *FILES, "--durations="], "--durations is empty"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(shop: Cluster, arguments: str | list[str], says: str) -> None:
    with pytest.raises(CommandError) as refused:
        call_command(*(arguments.split() if isinstance(arguments, str) else arguments))
    assert str(refused.value).startswith(says)
    assert not Transaction.objects.exists() and list(Cluster.objects.values_list("name", flat=True)) == ["shop"]


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
