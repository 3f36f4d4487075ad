"""Logging in: Keystone's way, tokens, sessions, the brake on guessing, and the server that asks nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from deployments.api.authentication import BearerAuthentication, KeystoneAuthentication, OpenOnLoopback
from deployments.models import Cluster, ClusterRole, FailedLogIn, Release, Token
from deployments.services import rights, tokens
from deployments.services.log_in import LIMITS, WINDOW

pytestmark = pytest.mark.django_db

TOKENS = "/keystone/v2.0/tokens"
REFUSED = {"error": {"message": "The request you have made requires authentication.", "code": 401, "title": "Unauthorized"}}


@pytest.fixture
def ann() -> User:
    return User.objects.create_user("ann", password="a word of hers")


def by_password(client: Client, username: str, password: str, path: str = TOKENS) -> Any:
    body = {"auth": {"passwordCredentials": {"username": username, "password": password}, "tenantName": "admin"}}
    return client.post(path, body, content_type="application/json")


def again(client: Client, text: str) -> Any:
    return client.post(TOKENS, {"auth": {"token": {"id": text}}}, content_type="application/json", headers={"X-Auth-Token": text})


@pytest.mark.parametrize("path", [TOKENS, TOKENS + "/"])
def test_a_password_gets_a_token_and_a_token_gets_itself(client: Client, ann: User, path: str) -> None:
    answer = by_password(client, "ann", "a word of hers", path)
    assert answer.status_code == 200
    access = answer.json()["access"]
    assert access["user"]["name"] == "ann"
    assert access["token"]["tenant"] == {"id": "admin", "name": "admin", "enabled": True}
    repeated = again(client, access["token"]["id"])
    assert repeated.status_code == 200
    assert repeated.json()["access"]["token"] == access["token"]


def test_only_the_digest_is_kept(client: Client, ann: User) -> None:
    text = by_password(client, "ann", "a word of hers").json()["access"]["token"]["id"]
    row = Token.objects.values().get()
    assert text not in map(str, row.values())
    assert row["expiry"] > timezone.now()


def test_a_wrong_password_is_refused_in_keystones_words(client: Client, ann: User) -> None:
    for username, password in (("ann", "wrong"), ("nobody", "a word of hers")):
        answer = by_password(client, username, password)
        assert (answer.status_code, answer.json()) == (401, REFUSED)


def test_a_token_that_is_unknown_expired_closed_or_an_agents_is_refused(client: Client, ann: User) -> None:
    expired = tokens.issue(ann, lifetime=timedelta(seconds=-1))[1]
    agents = tokens.issue_for_agent("", timedelta(days=1))
    closed = tokens.issue(User.objects.create_user("bob", is_active=False))[1]
    for text in ("0" * 64, "ü", "", expired, agents, closed):
        answer = again(client, text)
        assert (answer.status_code, answer.json()) == (401, REFUSED)


@pytest.mark.parametrize("body", [[], {}, {"auth": []}, {"auth": {}}, {"auth": {"passwordCredentials": {"username": 1, "password": "x"}}}])
def test_a_strange_body_is_told_apart(client: Client, body: Any) -> None:
    answer = client.post(TOKENS, body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["error"]["title"] == "Bad Request"


def test_too_many_failures_of_a_name_are_braked_everywhere(client: Client, ann: User) -> None:
    for _ in range(LIMITS["user"]):
        assert by_password(client, "ann", "wrong").status_code == 401
    assert by_password(client, "ann", "a word of hers").status_code == 429
    assert not client.login(username="ann", password="a word of hers")
    User.objects.filter(username="ann").update(is_staff=True)
    page = client.post("/admin/login/", {"username": "ann", "password": "a word of hers"})
    assert page.status_code == 200
    assert "_auth_user_id" not in client.session

    FailedLogIn.objects.update(since=timezone.now() - WINDOW)
    assert by_password(client, "ann", "a word of hers").status_code == 200


def test_too_many_failures_from_an_address_are_braked_for_all_names(client: Client, ann: User) -> None:
    for number in range(LIMITS["from"]):
        by_password(client, f"guess {number}", "wrong")
    assert by_password(client, "ann", "a word of hers").status_code == 429
    elsewhere = Client(REMOTE_ADDR="10.0.0.9")
    assert by_password(elsewhere, "ann", "a word of hers").status_code == 200


def test_a_log_in_that_succeeds_forgets_the_failures_of_its_name(client: Client, ann: User) -> None:
    by_password(client, "ann", "wrong")
    by_password(client, "ann", "a word of hers")
    assert list(FailedLogIn.objects.values_list("subject", "failures")) == [("from:127.0.0.1", 1)]


def request(**headers: str) -> Request:
    return APIView().initialize_request(APIRequestFactory().get("/", headers=headers))


def test_tokens_are_taken_from_either_header(ann: User) -> None:
    text = tokens.issue(ann)[1]
    for kind, headers in ((BearerAuthentication, {"Authorization": f"Token {text}"}), (KeystoneAuthentication, {"X-Auth-Token": text})):
        found = kind().authenticate(request(**headers))
        assert found is not None
        assert found[0] == ann
    assert KeystoneAuthentication().authenticate(request(**{"X-Auth-Token": ""})) is None
    with pytest.raises(AuthenticationFailed, match="not known or has expired"):
        KeystoneAuthentication().authenticate(request(**{"X-Auth-Token": "ü"}))


def test_without_log_in_only_this_machine_is_answered(settings: Any) -> None:
    assert OpenOnLoopback().authenticate(request()) is None
    settings.FUELWEB_AUTH_REQUIRED = False
    found = OpenOnLoopback().authenticate(request())
    assert found is not None
    assert (found[0].get_username(), rights.may(found[0], "admin", None)) == ("anyone", True)
    foreign = request()
    foreign.META["REMOTE_ADDR"] = "10.0.0.9"
    for strange in (foreign, request(**{"X-Forwarded-For": "10.0.0.9"}), request(Origin="https://elsewhere.example")):
        with pytest.raises(AuthenticationFailed, match="Without log-in"):
            OpenOnLoopback().authenticate(strange)


def test_commands_make_tokens(ann: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("api_token", "ann", "--days", "2")
    found = tokens.find(capsys.readouterr().out.strip())
    assert found is not None
    assert (found.user, found.scope) == (ann, "account")
    assert found.expiry is not None
    assert timedelta(days=1) < found.expiry - timezone.now() <= timedelta(days=2)
    call_command("agent_token", "7")
    found = tokens.find(capsys.readouterr().out.strip())
    assert found is not None
    assert (found.user.username, found.scope, found.node) == ("agent", "agent", "7")
    assert not found.user.has_usable_password()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["api_token", "nobody"], "There is no active account 'nobody'"),
        (["api_token", "ann", "--days", "0"], "more than 0"),
        (["agent_token", "--days", "nan"], "more than 0"),
        (["agent_token", "master"], "No node can have the uid 'master'"),
    ],
)
def test_commands_say_what_is_wrong(ann: User, arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command(*arguments)
    assert not Token.objects.exists()


def test_roles_say_who_may_what() -> None:
    release = Release.objects.create(name="r", version="1")
    own, other = (Cluster.objects.create(name=name, release=release) for name in ("own", "other"))
    user, group = User.objects.create_user("ann"), Group.objects.create(name="night shift")
    assert not rights.may(user, "view", own)
    assert not rights.visible_clusters(user).exists()

    ClusterRole.objects.create(group=group, cluster=own, role="operator")
    user.groups.add(group)
    assert [rights.may(user, right, own) for right in rights.RIGHTS] == [True, True, False]
    assert not any(rights.may(user, right, cluster) for right in rights.RIGHTS for cluster in (other, None, Cluster(id=own.id + 99)))
    assert list(rights.visible_clusters(user)) == [own]
    assert not rights.sees_everything(user)

    ClusterRole.objects.create(user=user, role="viewer")
    assert [rights.may(user, right, other) for right in rights.RIGHTS] == [True, False, False]
    assert rights.sees_everything(user)
    assert not rights.may(user, "agent", own)
    user.is_active = False
    assert not rights.may(user, "view", own)
    assert not rights.visible_clusters(user).exists()
