"""`manage.py plan` as people and scripts run it: what it prints, how it ends, what it costs. It needs no database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.benchmarks.clusters import newton_cluster

ROOT = Path(__file__).resolve().parents[2]

GRAPH = """
- {id: db, type: shell, version: 2.1.0, role: [db], parameters: {cmd: "true"}}
- {id: web, type: shell, version: 2.1.0, role: [web], parameters: {cmd: "true"}, cross-depends: [{name: db, role: db}]}
- {id: done, type: stage, cross-depends: [{name: web}]}
- {id: webs, type: group, role: [web], fault_tolerance: 1}
"""
CLUSTER = "{nodes: [{uid: 1, roles: [web]}, {uid: 2, roles: [web]}, {uid: 3, roles: [db]}]}"


MEASURED = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(usage.ru_utime, usage.ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)
"""
"""Runs a command and tells what it has used. From a small process, since the size of its parent counts as a child's own until it starts."""


def run_plan(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command without any database or broker within reach."""
    environment = {**os.environ, "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
    return subprocess.run(
        [sys.executable, "manage.py", "plan", *arguments], capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120
    )


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "tasks.yaml").write_text(GRAPH)
    (tmp_path / "cluster.yaml").write_text(CLUSTER)
    return ["--tasks", str(tmp_path / "tasks.yaml"), "--cluster", str(tmp_path / "cluster.yaml")]


def test_json(files):
    done = run_plan(*files, "--format", "json")
    printed = json.loads(done.stdout)
    assert (done.returncode, sorted(printed["nodes"])) == (0, ["1", "2", "3", "null"])
    assert printed["nodes"]["1"] == [
        {
            "id": "web",
            "type": "shell",
            "fail_on_error": True,
            "requires": [["db", "3"]],
            "required_for": [],
            "parameters": {"cwd": "/", "cmd": "true"},
        }
    ]
    assert printed["nodes"]["null"][0]["requires"] == [["web", "1"], ["web", "2"]]
    assert printed["counts"] == {"tasks": 4, "tasks_skipped": 1, "edges": 4, "nodes": 4}
    assert printed["fault_tolerance_groups"] == [{"name": "webs", "node_ids": ["1", "2"], "fault_tolerance": 1}]


def test_summary_with_and_without_hashes(files):
    short = json.loads(run_plan(*files, "--format", "summary").stdout)
    long = json.loads(run_plan(*files, "--format", "summary", "--hashes").stdout)
    assert set(short) == {"counts"}
    assert set(long) == {"counts", "sha256_edges", "sha256_tasks"}
    assert long.items() <= json.loads(run_plan(*files, "--format", "json").stdout).items()


def test_table_and_drawing(files):
    table = run_plan(*files).stdout
    assert "web   shell  2" in table
    assert "4 task runs on 4 nodes, 4 dependencies" in table
    drawing = run_plan(*files, "--format", "dot").stdout
    assert drawing.startswith("digraph")
    assert '"db" -> "web";' in drawing
    assert '"done" [shape=rect, style=filled, color=red];' in drawing
    assert '"webs" [shape=box' in drawing


def test_only_some_tasks(files):
    printed = json.loads(run_plan(*files, "--format", "json", "--only", "web").stdout)
    assert printed["nodes"]["3"][0]["type"] == "skipped"
    assert printed["nodes"]["1"][0]["type"] == "shell"


def test_the_old_order(files):
    done = run_plan(*files, "--format", "summary", "--role-based")
    assert json.loads(done.stdout)["counts"]["tasks"] >= 4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--only", "wbe"], "did you mean 'web'?"),
        (["--cluster", "/nowhere.yaml"], "The cluster file /nowhere.yaml can't be read: No such file or directory."),
        (["--case", "x.json"], "Give either --case FILE, or --tasks FILE and --cluster FILE."),
    ],
)
def test_wrong_input_is_answered_by_one_sentence(files, arguments, sentence):
    done = run_plan(*files, *arguments)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_errors_of_cases_are_json_on_stdout(tmp_path):
    case = tmp_path / "case.json"
    loop = [{"id": name, "type": "puppet", "version": "2.1.0", "role": "*", "requires": [other]} for name, other in ("ab", "ba")]
    case.write_text(json.dumps({"tasks": loop, "cluster": {"nodes": [{"uid": "1", "tags": ["x"]}]}}))
    done = run_plan("--case", str(case), "--format", "summary")
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert (error["kind"], error["task"], error["node"]) == ("LoopDetected", "a", "1")
    assert "a/1 → b/1 → a/1" in error["message"]
    case.write_text(json.dumps({"tasks_file": "none.yaml", "cluster": {}}))
    assert "FUELWEB_GRAPHS" in json.loads(run_plan("--case", str(case)).stdout)["error"]["message"]


def test_a_thousand_computes_are_planned_in_seconds(shared, tmp_path):
    """3 + 1000 nodes: 53,380 task runs; the original had not ended after 25 minutes."""
    cluster = tmp_path / "cluster.json"
    cluster.write_text(json.dumps(newton_cluster(1000)))
    graph = f"{shared}/graphs/fuel-library-newton-tasks.yaml"
    command = [sys.executable, "manage.py", "plan", "--tasks", graph, "--cluster", str(cluster), "--format", "summary"]
    done = subprocess.run([sys.executable, "-c", MEASURED, *command], capture_output=True, text=True, cwd=ROOT, timeout=120, check=True)
    seconds, kilobytes = done.stderr.split()[-2:]
    assert json.loads(done.stdout)["counts"]["tasks"] == 53380
    assert float(seconds) < 20
    assert int(kilobytes) < 600 * 1024


@pytest.mark.parametrize("command", ["plan", "simulate"])
@pytest.mark.parametrize("damage", [{"max_nodes_per_call": "x"}, {"only_task_ids": 5}, {"settings": [1]}, {"tasks": 5}])
def test_damaged_cases_are_errors_on_stdout(command, damage, tmp_path, capsys):
    case = tmp_path / "case.json"
    tasks = [{"id": "a", "type": "puppet", "version": "2.1.0", "role": "*"}]
    case.write_text(json.dumps({"tasks": tasks, "cluster": {"nodes": [{"uid": "1", "tags": ["x"]}]}, **damage}))
    with pytest.raises(SystemExit) as stop:
        call_command(command, f"--case={case}", "--format=json")
    assert stop.value.code == 1
    assert next(iter(damage)) in json.loads(capsys.readouterr().out)["error"]["message"]
