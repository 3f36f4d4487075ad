"""What a browser is answered: a page at every address, with the forms of what can be done there."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from deployments.models import Cluster
from tests.integration.api.conftest import body
from tests.integration.api.test_bad_requests import BODIES, addresses

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ACTIONS = (
    "clusters/{id}/changes", "clusters/{id}/changes/redeploy/", "clusters/{id}/stop_deployment/", "clusters/{id}/deploy_tasks/",
    "clusters/{id}/deploy", "clusters/{id}/provision/", "clusters/{id}/reset/", "clusters/{id}/assignment/", "graphs/execute/",
    "sequences/99/execute/", "nodes/agent/",
)  # fmt: skip


@pytest.fixture
def browser(api: APIClient) -> APIClient:
    """A browser in which somebody who may everything is logged in."""
    client = APIClient(headers={"accept": BROWSER})
    client.force_login(User.objects.get(username="ann"))
    return client


@pytest.mark.parametrize("address", ACTIONS)
def test_what_only_starts_something_has_a_page_with_its_form(browser: APIClient, cluster: Cluster, address: str) -> None:
    answer = browser.get(f"/api/v1/{address.format(id=cluster.id)}")
    page = body(answer).decode()
    assert (answer.status_code, answer["Content-Type"]) == (405, "text/html; charset=utf-8")
    assert "not allowed." in page
    assert re.search(r'<form[^>]*data-method="PUT"|<form[^>]*method="POST"[^>]*>\s*<fieldset>', page), page[-3000:]
    assert "<textarea" in page


@pytest.mark.usefixtures("clean_redis")
def test_the_form_of_such_a_page_can_be_sent(api: APIClient, cluster: Cluster) -> None:
    browser = APIClient(headers={"accept": BROWSER}, enforce_csrf_checks=True)
    browser.force_login(User.objects.get(username="ann"))
    address = f"/api/v1/clusters/{cluster.id}/changes"
    token = re.search(r'csrfToken[" :]+"(\w+)"', body(browser.get(address)).decode())
    assert token is not None
    sent = {"content_type": "application/json", "headers": {"accept": BROWSER, "x-csrftoken": token[1]}}
    assert browser.generic("PUT", address, b"", content_type="application/json").status_code == 403
    answer = browser.generic("PUT", address, b"", **sent)
    assert (answer.status_code, "<html" in body(answer).decode()) == (202, True)


def test_programs_are_answered_as_before(api: APIClient, cluster: Cluster) -> None:
    answer = api.get(f"/api/v1/clusters/{cluster.id}/changes")
    assert (answer.status_code, answer.json()) == (405, {"message": 'Method "GET" not allowed.', "errors": []})


def test_every_address_has_a_page(browser: APIClient, cluster: Cluster) -> None:
    for _, address in addresses(cluster, ("get", "post", "put")):
        if not any(word in address for word in ("serialized_tasks", "schema", "docs", "graph.gv", "keystone")):
            answer = browser.get(address)
            assert answer.status_code in (200, 400, 404, 405), address
            assert "<html" in body(answer).decode(), address


@pytest.mark.parametrize("name", ["broken JSON", "a list", "a form", "text"])
def test_what_is_refused_is_a_page_too(browser: APIClient, cluster: Cluster, name: str) -> None:
    kind, sent = BODIES[name]
    for method, address in addresses(cluster, ("post", "put", "delete")):
        if "keystone" not in address and not address.endswith(("changes", "redeploy", "deploy", "stop_deployment", "reset", "provision")):
            answer = browser.generic(method.upper(), address, sent, content_type=kind)
            assert answer.status_code in (200, 202, 204, 400, 403, 404, 405, 409, 415), (method, address)


def test_a_bad_token_does_not_break_the_page(cluster: Cluster) -> None:
    client = APIClient(headers={"accept": BROWSER, "authorization": "Token unknown"})
    for address, status in ((f"clusters/{cluster.id}/changes", 405), ("clusters/?x=%00", 400), ("clusters/", 401)):
        answer = client.get(f"/api/v1/{address}")
        assert (answer.status_code, "<html" in body(answer).decode()) == (status, True)
        assert "<textarea" not in body(answer).decode()


@pytest.mark.parametrize("root", ["/api/", "/api/v1/", "/api/v1"])
def test_the_root_lists_all_addresses(api: APIClient, browser: APIClient, root: str) -> None:
    found = {entry["address"].removeprefix("http://testserver"): entry for entry in api.get(root).json()}
    assert found["/api/v1/clusters/"]["methods"] == ["GET", "POST"]
    assert found["/api/v1/clusters/{cluster_id}/changes/"] == {
        "address": "/api/v1/clusters/{cluster_id}/changes/", "methods": ["PUT"],
        "about": "Deploy what is due: nodes leave, are provisioned, are deployed.",
    }  # fmt: skip
    unversioned = "/api/transactions/{transaction_id}/deployment_history/"
    assert (unversioned in found, "/api/tasks/" in found) == ((root == "/api/"),) * 2
    assert len(found) > 50
    page = body(browser.get(root)).decode()
    assert 'href="http://testserver/api/v1/clusters/"' in page
    assert APIClient().get(root).status_code == 200
