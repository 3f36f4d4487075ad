"""Parameters that no executor could use are refused by name: when a graph is uploaded, and when an expression has given them."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.core.errors import InvalidData
from deployments.core.facts import ClusterFacts, NodeFacts
from deployments.core.graph import validate
from deployments.core.planning.planner import plan

SHELL, FILE = {"cmd": "true"}, {"path": "/x", "data": "x"}


def one(kind: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"id": "t", "type": kind, "version": "2.1.0", "role": ["web"], "parameters": parameters}


def planned(kind: str, parameters: dict[str, Any], facts: dict[str, Any]) -> None:
    plan([one(kind, parameters)], ClusterFacts({}, (NodeFacts("1", ("web",), facts),)))


BAD = [
    ("shell", {**SHELL, "retries": 10**12}, "retries", "a number, at least 0"),
    ("upload_file", {**FILE, "retries": 10**13}, "retries", "a number, at least 0"),
    ("shell", {**SHELL, "timeout": float("nan")}, "timeout", "a number of seconds"),
    ("shell", {**SHELL, "timeout": float("inf")}, "timeout", "a number of seconds"),
    ("shell", {**SHELL, "timeout": -1}, "timeout", "a number of seconds"),
    ("shell", {**SHELL, "timeout": True}, "timeout", "a number of seconds"),
    ("shell", {**SHELL, "timeout": "soon"}, "timeout", "a number of seconds"),
    ("shell", {**SHELL, "timeout": 10**400}, "timeout", "a number of seconds"),
    ("puppet", {"timeout": [5]}, "timeout", "a number of seconds"),
    ("shell", {**SHELL, "interval": -0.5}, "interval", "a number of seconds"),
    ("shell", {"cmd": ["ls", "-l"]}, "cmd", "a text"),
    ("shell", {"cmd": True}, "cmd", "a text"),
    ("shell", {**SHELL, "cwd": {"a": 1}}, "cwd", "a text"),
    ("upload_file", {"path": "/x", "data": {"a": 1}}, "data", "a text"),
    ("upload_file", {"path": ["/x"], "data": ""}, "path", "a text"),
    ("upload_file", {**FILE, "permissions": "rwx"}, "permissions", "a file mode"),
    ("upload_file", {**FILE, "dir_permissions": 0o10000}, "dir_permissions", "a file mode"),
    ("upload_file", {**FILE, "overwrite": "no"}, "overwrite", "true or false"),
    ("upload_file", {**FILE, "parents": 0}, "parents", "true or false"),
    ("master_shell", {"cmd": ["ls", "-l"]}, "cmd", "a text"),
    ("copy_files", {"files": "/a"}, "files", "a list like"),
    ("copy_files", {"files": [], "permissions": "rw"}, "permissions", "a file mode"),
    ("sync", {"src": ["/a"], "dst": "/b"}, "src", "a text"),
]


@pytest.mark.parametrize(("kind", "parameters", "name", "must"), BAD)
def test_are_refused(kind: str, parameters: dict[str, Any], name: str, must: str) -> None:
    with pytest.raises(InvalidData, match=f"Task 't': the parameter {name} must be {must}") as uploaded:
        validate([one(kind, parameters)])
    assert (uploaded.value.task, uploaded.value.where) == ("t", f"parameters.{name}")
    given = {**parameters, name: {"yaql_exp": "$.given"}}
    validate([one(kind, given)])
    if parameters[name] == parameters[name] and parameters[name] not in (float("inf"), 10**400):
        with pytest.raises(InvalidData, match=f"Task 't' on node 1: the parameter {name} must be {must}"):
            planned(kind, given, {"given": parameters[name]})


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("shell", {**SHELL, "timeout": "180", "retries": "3", "interval": "0.5"}),
        ("shell", {**SHELL, "timeout": None, "retries": 0}),
        ("shell", {"cmd": 5, "cwd": "/"}),
        ("upload_file", {**FILE, "permissions": "0644", "dir_permissions": 0o755, "user_owner": "root", "group_owner": None}),
        ("upload_file", {"path": "/x", "data": ""}),
        ("upload_file", {**FILE, "overwrite": False, "parents": True}),
        ("copy_files", {"files": [{"src": "/a", "dst": "/b"}], "permissions": "0600"}),
        ("puppet", {"puppet_manifest": {"any": "thing"}, "timeout": 3600}),
        ("shell", {"cmd": "echo {CLUSTER_ID}"}),
    ],
)
def test_are_taken(kind: str, parameters: dict[str, Any]) -> None:
    validate([one(kind, parameters)])
    planned(kind, parameters, {})


def test_all_tries_together_have_a_limit() -> None:
    with pytest.raises(InvalidData, match="timeout, retries and interval together are a year or more"):
        validate([one("shell", {**SHELL, "timeout": 3600, "retries": 10_000})])
    with pytest.raises(InvalidData, match="Task 't' on node 1: timeout, retries and interval together"):
        planned("shell", {**SHELL, "timeout": {"yaql_exp": "3600"}, "retries": 10_000}, {})


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("shell", {**SHELL, "retries": 200_000}),
        ("upload_file", {**FILE, "retries": 600_000}),
        ("shell", {**SHELL, "timeout": 11_000_000}),
        ("shell", {**SHELL, "interval": 11_000_000}),
        ("puppet", {"retries": 6_000}),
    ],
)
def test_what_is_not_said_counts_with_its_default(kind: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(InvalidData, match="together are a year or more") as uploaded:
        validate([one(kind, parameters)])
    assert uploaded.value.where == "parameters"
