"""Whether a new cluster deploys task by task: on, but off for releases of a Fuel before 8.0, whoever makes it and however."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from rest_framework.test import APIClient

from deployments.models import Cluster, Release
from deployments.services.task_deploy import shown_settings

pytestmark = pytest.mark.django_db

VERSIONS = [("2015.1.0-7.0", False), ("2014.2.2-6.1", False), ("liberty-8.0", True), ("newton-10.0", True), ("shop-1.0", True)]
OLD = "2015.1.0-7.0"


def settings(flag: Any) -> dict[str, Any]:
    return {"common": {"task_deploy": {"value": flag}}}


def release(version: str, **fields: Any) -> Release:
    return Release.objects.create(name=f"R {version}", version=version, operating_system="", **fields)


def load(folder: Path, **more: Any) -> str:
    file, out = folder / "cluster.yaml", StringIO()
    file.write_text(yaml.safe_dump({"name": "c", "nodes": [{"uid": "1"}], **more}))
    call_command("load_cluster", str(file), stdout=out)
    return out.getvalue()


@pytest.fixture
def api(admin_user: Any) -> APIClient:
    client = APIClient()
    client.force_authenticate(admin_user)
    return client


def agree(cluster: Cluster) -> bool:
    """The flag, which is also where Fuel has it."""
    assert shown_settings(cluster)["common"]["task_deploy"]["value"] is cluster.task_based_deployment
    return cluster.task_based_deployment


@pytest.mark.parametrize(("version", "on"), VERSIONS)
def test_by_the_api(api: APIClient, version: str, on: bool) -> None:
    made = api.post("/api/v1/clusters/", {"name": "c", "release_id": release(version).id}, format="json").json()
    assert made["task_based_deployment"] is agree(Cluster.objects.get()) is on
    assert made["order"] == ("task by task" if on else f"role by role: release {version.rpartition('-')[2]}")


@pytest.mark.parametrize(("version", "on"), VERSIONS)
def test_by_a_cluster_file(tmp_path: Path, version: str, on: bool) -> None:
    said = load(tmp_path, release={"name": "R", "version": version})
    assert agree(Cluster.objects.get()) is on
    assert ("It deploys role by role: release" in said) is not on


@pytest.mark.parametrize(("version", "on"), VERSIONS)
def test_by_the_admin(admin_client: Client, version: str, on: bool) -> None:
    made = add(admin_client, release(version), task_based_deployment="on")
    assert agree(made) is on
    page = admin_client.get(f"/admin/deployments/cluster/{made.id}/change/").content.decode()
    assert ("task by task" if on else "role by role: release") in page


def add(admin_client: Client, of: Release, **fields: Any) -> Cluster:
    form = {
        "name": "c", "release": of.id, "max_nodes_per_call": 50, "fleet": "default", "common": "{}", "settings": "{}", "mode": "ha_compact",
        "net_provider": "neutron", "ui_settings": "{}", "components": "[]", "changes": "[]", "fuel_version": "",
        "graphs-TOTAL_FORMS": 0, "graphs-INITIAL_FORMS": 0, "members-TOTAL_FORMS": 0, "members-INITIAL_FORMS": 0, **fields,
    }  # fmt: skip
    answer = admin_client.post("/admin/deployments/cluster/add/", form)
    assert answer.status_code == 302, re.findall(r"errorlist.*?</ul>", answer.content.decode(), re.S)
    return Cluster.objects.get()


def test_what_is_said_counts(api: APIClient, tmp_path: Path, admin_client: Client) -> None:
    old = release(OLD)
    said = {"name": "api", "release_id": old.id, "task_based_deployment": True}
    assert api.post("/api/v1/clusters/", said, format="json").json()["task_based_deployment"] is True
    load(tmp_path, name="file", release={"name": old.name, "version": OLD}, task_based_deployment=True)
    assert agree(Cluster.objects.get(name="file"))
    Cluster.objects.all().delete()
    assert not agree(add(admin_client, release("newton-10.0"))), "the switch was turned off by hand"


def test_what_the_settings_say_comes_before_the_release(api: APIClient, tmp_path: Path) -> None:
    load(tmp_path, settings=settings(False))
    assert not agree(Cluster.objects.get())
    load(tmp_path, name="both", nodes=[{"uid": "2"}], settings=settings(False), task_based_deployment=True)
    assert agree(Cluster.objects.get(name="both"))
    old = release(OLD, attributes_metadata={"editable": settings(True)})
    assert api.post("/api/v1/clusters/", {"name": "d", "release_id": old.id}, format="json").json()["task_based_deployment"] is True
    with pytest.raises(CommandError, match="must be true or false"):
        load(tmp_path, name="wrong", nodes=[{"uid": "3"}], settings=settings("no"))


def test_the_command_shows_the_order(tmp_path: Path) -> None:
    load(tmp_path, release={"name": "R", "version": OLD})
    out = StringIO()
    call_command("clusters", "--format", "json", stdout=out)
    assert json.loads(out.getvalue())[0]["order"] == "role by role: release 7.0"
