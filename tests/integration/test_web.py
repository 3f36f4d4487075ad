"""The web side of the shell: health, first account, admin pages."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from redis import Redis
from redis.exceptions import ResponseError

from deployments.models import Cluster, Graph, Node, Release
from fuelweb.account import ensure_admin
from tests.disks import small_disk
from tests.servers import RedisServer

pytestmark = pytest.mark.django_db


def test_health_is_good_while_database_and_redis_answer(client: Client, redis_url: str) -> None:
    answer = client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "redis": "ok", "transactions": "ok", "fleets": {}})


def test_health_is_told_under_any_name_and_without_https(client: Client, redis_url: str, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["fuelweb.example.org"]
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/health", headers={"host": "127.0.0.1:8000"}).status_code == 200
    assert client.get("/admin/", headers={"host": "127.0.0.1:8000"}).status_code == 400


def test_health_says_what_does_not_answer(client: Client, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = client.get("/health")
    assert (answer.status_code, answer.json()) == (503, {"database": "ok", "redis": "does not answer", "transactions": "ok", "fleets": {}})


def test_health_says_why_redis_refuses_and_when_its_disk_has_room_again(client: Client, settings: Any) -> None:
    server = RedisServer()
    server.data.rmdir()
    with small_disk(server.data, 512) as disk:
        with server:
            settings.REDIS_URL = server.url
            disk.fill()
            with Redis.from_url(server.url) as redis:
                until = time.monotonic() + 60
                while client.get("/health").json()["redis"] == "ok":
                    assert time.monotonic() < until
                    with suppress(ResponseError):
                        redis.set("x", "x" * 1000)
            answer = client.get("/health")
            assert answer.status_code == 503
            assert answer.json()["redis"].startswith("refuses: MISCONF Errors writing to the AOF file: No space left on device")
            disk.free()
            while client.get("/health").json()["redis"] != "ok":
                assert time.monotonic() < until


def test_the_first_account_gets_a_generated_password_once(client: Client) -> None:
    password = ensure_admin()
    assert password is not None
    assert client.login(username="admin", password=password)
    assert ensure_admin() is None
    assert User.objects.count() == 1


def test_the_first_account_gets_the_given_password(client: Client) -> None:
    assert ensure_admin("a chosen one") is None
    assert client.login(username="admin", password="a chosen one")


@pytest.fixture
def described(db: None) -> None:
    release = Release.objects.create(name="r", version="r-1")
    cluster = Cluster.objects.create(name="c", release=release)
    Node.objects.create(uid="1", name="first", cluster=cluster, roles=["web"], pending_roles=["db"])
    Graph.objects.create(cluster=cluster, tasks=[{"id": "a", "type": "stage"}])
    Graph.objects.create(release=release, tasks=[])


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("deployments/release/", "r-1"),
        ("deployments/cluster/", '">1</a></td>'),
        ("deployments/node/", "web, (db)"),
        ("deployments/node/?q=first", "1 node"),
        ("deployments/graph/", "release r (r-1)"),
        ("deployments/cluster/add/", "task_based_deployment"),
    ],
)
def test_the_admin_pages_show_what_is_there(admin_client: Client, described: None, path: str, shown: str) -> None:
    answer = admin_client.get(f"/admin/{path}")
    assert answer.status_code == 200
    assert shown in answer.content.decode()


def test_every_object_has_a_page(admin_client: Client, described: None) -> None:
    for model in (Release, Cluster, Node, Graph):
        for item in model.objects.all():
            assert admin_client.get(f"/admin/deployments/{model._meta.model_name}/{item.pk}/change/").status_code == 200


def test_the_admins_own_files_are_served(client: Client) -> None:
    assert client.get("/static/admin/css/base.css").status_code == 200


def test_the_root_leads_to_the_pages(client: Client) -> None:
    assert client.get("/").headers["Location"] == "/admin/"
