"""What pages and help show of a command that changes nothing (or only describes) is really run, on the first example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command, get_commands, load_command_class

from deployments.models import Cluster
from tests.documented import ROOT, Line, lines
from tests.integration.restart.system import System

pytestmark = pytest.mark.django_db

FIRST = ROOT / "examples" / "first"
LOOKS = (
    "clusters", "deployment_tasks", "diagrams", "failures", "graph", "history", "load_cluster", "node_history", "node_key", "plan",
    "reference", "retention", "serialized_tasks", "simulate", "transactions", "verify", "why",
)  # fmt: skip
FILES = ("plan", "simulate", "diagrams", "reference")
"""They know no clusters of a database."""


def _is_run(line: Line) -> bool:
    bare = line.words[0] == "graph" and len(line.words) < 3
    return not bare and (line.words[0] in LOOKS or (line.words[0] == "deploy" and "--plan" in line.words))


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A deployment of the first example, in whose folder its files lie."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for name in ("tasks.yaml", "cluster.yaml"):
        (tmp_path / name).write_bytes((FIRST / name).read_bytes())
    (tmp_path / "durations.json").write_text('{"database": 20, "*": 1}')
    call_command("load_cluster", str(FIRST / "cluster.yaml"), stdout=StringIO())
    call_command("load_cluster", str(ROOT / "examples" / "shop" / "cluster.yaml"), stdout=StringIO())
    call_command("graph", "upload", "--cluster", "first", str(FIRST / "tasks.yaml"), stdout=StringIO())
    return System().deploy(Cluster.objects.get(name="first")).id


def test_command_lines_that_only_look_are_run(deployment: int) -> None:
    shown = [line for line in lines() if _is_run(line)]
    assert {line.words[0] for line in shown} == {*LOOKS, "deploy"}
    for place, line in enumerate(shown):
        told = StringIO()
        try:
            _run(line.words[0], line.words[1:], _real(line, deployment, place), told)
        except (Exception, SystemExit) as error:
            raise AssertionError(f"{line}: {error}") from error


def _run(name: str, arguments: Sequence[str], real: Mapping[str, Any], told: StringIO) -> None:
    command = load_command_class(get_commands()[name], name)
    options = vars(command.create_parser("manage.py", name).parse_args(arguments))
    assert set(real) <= set(options), name
    command.execute(**{**options, **real, "stdout": told, "stderr": told, "skip_checks": True})


def _real(line: Line, deployment: int, place: int) -> dict[str, Any]:
    """What is there in place of what the line names."""
    name, words = line.words[0], line.words
    if name in FILES:
        return {}
    if name == "load_cluster":
        return {"name": f"another {place}", "renumber": True}
    real: dict[str, Any] = {}
    if name == "deployment_tasks":
        real["task_id"] = deployment
    elif words[:2] == ("transactions", "show"):
        real["id"] = deployment
    elif name in ("failures", "history", "verify", "why"):
        real["transaction"] = deployment
    if name in ("deploy", "serialized_tasks") or "--cluster" in words or (name == "clusters" and len(words) > 1):
        real["cluster"] = "shop" if any("shop/" in word for word in words) else "first"
    if name == "node_history":
        real["node"] = "web-1"
    if "--node-id" in words:
        real["node_id"] = "web-1"
    return real
