"""Whatever is sent to a live server, it answers as its description says, and never fails."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from deployments.models import Cluster, Graph, Node, Release, Sequence
from fuelweb.supervisor import Child, Supervisor
from history import recorder
from history.models import TaskRun, Transaction

pytestmark = pytest.mark.slow

EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "5")
"""How many requests for each operation; 50 for the full proof."""
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
_PATIENCE = 540


@pytest.fixture
def server(system_env: dict[str, str], clean_redis: str, tmp_path: Path) -> Iterator[str]:
    """The pages only: what is asked for is written down, and nobody carries it out."""
    release = Release.objects.create(name="Small", version="small-10.0", roles_metadata={"web": {"name": "Web"}})
    cluster = Cluster.objects.create(name="small", release=release)
    Node.objects.create(uid="1", cluster=cluster, roles=["web"], status="ready", mac="00:00:00:00:00:01")
    Graph.objects.create(
        cluster=cluster, type="default", tasks=[{"id": "a", "type": "shell", "roles": ["web"], "parameters": {"cmd": "true"}}]
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    argv = [sys.executable, "-m", "gunicorn", "fuelweb.wsgi", "--chdir", str(settings.BASE_DIR), "--no-control-socket"]
    env = {**system_env, "FUELWEB_HOME": os.environ["FUELWEB_HOME"], "FUELWEB_AUTH_REQUIRED": "false"}
    supervisor = Supervisor(tmp_path / "logs", print, tmp_path / "processes")
    try:
        supervisor.start(Child("web", [*argv, "--bind", f"127.0.0.1:{port}", "--threads", "4"], 0, env))
        _until_it_answers(port)
        (tmp_path / "schemathesis.toml").write_text(_existing(cluster, release), encoding="utf-8")
        yield f"http://127.0.0.1:{port}"
    finally:
        supervisor.kill()
        print((tmp_path / "logs" / "web.log").read_text(errors="replace")[-6000:])


def test_everything_is_answered_as_described(server: str, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{server}/api/v1/schema/", "--checks", CHECKS,
        "--max-examples", EXAMPLES, "--phases", "examples,coverage,fuzzing", "--seed", "1", "--workers", "1", "--no-color",
        "--request-timeout", "20", "--suppress-health-check", "all",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    assert done.returncode == 0, done.stdout[-12000:] + done.stderr[-2000:]


def _existing(cluster: Cluster, release: Release) -> str:
    """Ids of what is there, so that more is tried than how its absence is told. What is deleted is something else."""
    parent = recorder.open_request(recorder.Request("deploy", cluster.id, "small", "ann", graph_types=("default",)), timezone.now())
    Transaction.objects.filter(id=parent.id).update(status="ready")
    Transaction.objects.filter(parent=parent).update(status="ready", recorded_at=timezone.now())
    run = TaskRun.objects.create(transaction=parent.children.get(), position=0, node="1", task_name="a", type="shell", status="ready")
    sequence = Sequence.objects.create(release=release, name="both", graphs=[{"type": "default"}])
    graph = Graph.objects.get(cluster=cluster)
    ids = {
        "cluster_id": cluster.id, "release_id": release.id, "node_id": 1, "transaction_id": run.transaction_id, "graph_id": graph.id,
        "sequence_id": sequence.id, "graph_type": "default",
    }  # fmt: skip
    absent = {**{name: 999 for name in ids if name.endswith("_id")}, "node_id": "999"}
    return f'[parameters]\n{_lines(ids)}\n\n[[operations]]\ninclude-method = "DELETE"\n[operations.parameters]\n{_lines(absent)}\n'


def _lines(values: dict[str, Any]) -> str:
    return "\n".join(f'"path.{name}" = {json.dumps(value)}' for name, value in values.items())


def _until_it_answers(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail("the server did not come up")
