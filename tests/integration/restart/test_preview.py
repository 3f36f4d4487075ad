"""What would run, shown beforehand, and tokens that run exactly that."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from deployments.core.errors import FuelwebError, InvalidData
from deployments.core.planning.preview import Preview
from deployments.management.preview_view import node_ranges, show
from deployments.models import Cluster, Graph, Node
from deployments.services.errors import Conflict
from history.models import Transaction
from tests.integration.restart.system import System, a_cluster, a_task, add_node, edit_graph, ran, rows

pytestmark = pytest.mark.django_db

TASKS = [
    a_task("base", condition={"yaql_exp": "changed($.base)"}),
    a_task("site", requires=["base"], condition={"yaql_exp": "changedAny($.site, $.get('port'))"}),
    a_task("always", requires=["site"]),
]
DATA = {"base": 1, "site": {"name": "shop", "look": {"theme": "dark"}}}


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
def cluster() -> Cluster:
    return a_cluster(TASKS, {"1": ["web"], "2": ["web"]}, common=DATA)


def by_name(preview: Preview) -> dict[str, tuple[str, str]]:
    return {f"{line.task}/{line.node}": (line.action, line.why) for line in preview.lines}


def edit(cluster: Cluster, **common: object) -> None:
    Cluster.objects.filter(id=cluster.id).update(common={**DATA, **common})


def last_request() -> int:
    return Transaction.objects.filter(parent=None).order_by("-id").values_list("id", flat=True)[0]


def test_a_first_deployment(system: System, cluster: Cluster) -> None:
    shown = system.show(cluster).preview
    assert shown.counts() == {"run": 6, "reuse": 0, "skip": 0, "new": 6, "gone": 0}
    assert {line.why for line in shown.lines} == {"it has never run here"}
    assert not Transaction.objects.exists()


def test_the_data_that_changed_are_named(system: System, cluster: Cluster) -> None:
    system.deploy(cluster)
    edit(cluster, site={"name": "shop", "look": {"theme": "light"}}, port=8080)
    assert by_name(system.show(cluster).preview) == {
        name: why
        for node in "12"
        for name, why in {
            f"base/{node}": ("skip", "its condition is false: changed($.base)"),
            f"site/{node}": ("run", "changed: $.site.look.theme, $.get('port')"),
            f"always/{node}": ("run", "nothing changed, but no condition keeps it from running"),
        }.items()
    }


def test_the_parameters_that_changed_are_named(system: System, cluster: Cluster) -> None:
    system.deploy(cluster)
    edit_graph(cluster, [*TASKS[:2], a_task("always", requires=["site"], parameters={"cmd": "other", "timeout": 3})])
    assert by_name(system.show(cluster).preview)["always/1"] == ("run", "changed: parameters.cmd, parameters.timeout")


def test_nodes_say_why_everything_runs_on_them(system: System, cluster: Cluster) -> None:
    system.deploy(cluster, stop_after="site/1")
    stopped = {uid for uid, status in cluster.nodes.values_list("uid", "status") if status == "stopped"}
    assert "1" in stopped
    shown = by_name(system.show(cluster).preview)
    assert shown["base/1"] == ("run", "its node is stopped")
    edit(cluster, base=2)
    assert by_name(system.show(cluster).preview)["base/1"] == ("run", "its node is stopped; changed: $.base")


def test_what_is_reused_and_why_the_rest_is_not(system: System, cluster: Cluster) -> None:
    system.deploy(cluster, fail=["site/1"])
    child = last_request()
    edit(cluster, base=1)
    shown = system.show(cluster, reuse=True).preview
    lines = by_name(shown)
    assert lines["base/1"] == ("reuse", f"ended ready in transaction {child}")
    assert lines["site/1"] == ("run", f"it ended error in transaction {child}")
    assert lines["always/1"] == ("run", f"it was not reached in transaction {child}")
    system.deploy(cluster, reuse=True)
    edit(cluster, base=2)
    lines = by_name(system.show(cluster, reuse=True).preview)
    assert lines["base/1"] == ("run", "changed: $.base")
    assert lines["always/1"] == ("run", "base/1 runs before it")
    system.deploy(cluster, tasks=["base"])
    lines = by_name(system.show(cluster, reuse=True).preview)
    assert lines["base/1"][0] == "skip", "its condition sees nothing new"
    assert lines["always/1"] == ("run", f"base/1 has run since, in transaction {last_request()}")


def test_new_and_gone(system: System, cluster: Cluster) -> None:
    system.deploy(cluster)
    add_node(cluster, "3", ["web"])
    Node.objects.filter(uid="2").update(cluster=None)
    edit_graph(cluster, [*TASKS[:2], a_task("later", requires=["site"])])
    shown = system.show(cluster).preview
    assert {f"{line.task}/{line.node}" for line in shown.lines if line.is_new} == {"later/1", "base/3", "site/3", "later/3"}
    assert by_name(shown)["base/3"] == ("run", "its node is new")
    assert by_name(shown)["later/1"] == ("run", "it has never run here")
    assert shown.gone == (("always", "1"), ("always", "2"), ("base", "2"), ("site", "2"))


def test_nothing_is_gone_from_nodes_that_are_left_out(system: System, cluster: Cluster) -> None:
    system.deploy(cluster)
    assert system.show(cluster, nodes=["1"]).preview.gone == ()


def test_a_forced_deployment_says_so(system: System, cluster: Cluster) -> None:
    system.deploy(cluster)
    shown = by_name(system.show(cluster, force=True).preview)
    assert set(shown.values()) == {("run", "nothing that was done before counts")}


@pytest.mark.parametrize("options", [{}, {"reuse": True}, {"force": True}, {"nodes": ["1"], "tasks": ["site", "always"]}, {"noop": True}])
def test_a_token_runs_exactly_what_was_shown(system: System, cluster: Cluster, options: dict) -> None:
    system.deploy(cluster, fail=["site/1"])
    shown = system.show(cluster, **options)
    parent = system.deploy(cluster, token=shown.token)
    assert parent.status == "ready"
    wanted = [(run.task, run.node, run.task_type, run.why) for run in shown.plan.runs]
    told = [(row.task_name, row.node, row.type, row.reason if row.status == "skipped" else "") for row in rows(parent)]
    assert told == wanted
    assert ran(parent) == {f"{line.task}/{line.node}" for line in shown.preview.lines if line.action == "run"}
    assert parent.noop == options.get("noop", False)


CHANGES = {
    "the common data": lambda cluster: edit(cluster, base=7),
    "the settings": lambda cluster: Cluster.objects.filter(id=cluster.id).update(settings={"site": {"look": {"value": 1}}}),
    "the graph": lambda cluster: edit_graph(cluster, TASKS[:2]),
    "the nodes": lambda cluster: Node.objects.filter(uid="2").update(status="error"),
    "how the cluster is deployed": lambda cluster: Cluster.objects.filter(id=cluster.id).update(max_nodes_per_call=1),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_token_is_refused_when_something_changed(system: System, cluster: Cluster, what: str) -> None:
    system.deploy(cluster)
    token = system.show(cluster).token
    before = Transaction.objects.count()
    CHANGES[what](cluster)
    with pytest.raises(Conflict, match=f"since the plan was shown: {what}[.]"):
        system.deploy(cluster, token=token)
    assert Transaction.objects.count() == before


def test_a_token_is_good_for_one_state_of_the_history(system: System, cluster: Cluster) -> None:
    system.deploy(cluster)
    token = system.show(cluster).token
    system.deploy(cluster)
    with pytest.raises(Conflict, match="the history"):
        system.deploy(cluster, token=token)


@pytest.mark.parametrize("what", ["the common data", "the graph", "how the cluster is deployed"])
def test_what_changes_after_the_request_is_found_by_the_planner(system: System, cluster: Cluster, what: str) -> None:
    system.deploy(cluster)
    token = system.show(cluster).token
    parent = system.deploy(cluster, token=token, between=lambda: CHANGES[what](cluster))
    assert parent.status == "error"
    assert "changed since the plan was shown" in parent.message
    assert not rows(parent)


def test_tokens_can_not_be_made_up(system: System, cluster: Cluster) -> None:
    token = system.show(cluster).token
    other = Cluster.objects.create(name="other", release=cluster.release)
    Graph.objects.create(cluster=other, type="default", tasks=TASKS)
    add_node(other, "9", ["web"])
    for wrong in (token[:-1], "x" + token, "nonsense", ""):
        with pytest.raises(InvalidData, match="no token"):
            system.deploy(cluster, token=wrong)
    with pytest.raises(InvalidData, match="not for cluster other"):
        system.deploy(other, token=token)
    with pytest.raises(InvalidData, match="its own options"):
        system.deploy(cluster, token=token, force=True)


def test_what_can_not_be_shown_is_refused(system: System, cluster: Cluster) -> None:
    with pytest.raises(InvalidData, match="one graph"):
        system.show(cluster, graph_types=("default", "default"))
    edit_graph(cluster, [a_task("broken", condition={"yaql_exp": "$.nothing.there"})])
    with pytest.raises(FuelwebError, match="broken"):
        system.show(cluster)


def test_while_a_deployment_runs_nothing_is_shown(system: System, cluster: Cluster) -> None:
    def between() -> None:
        with pytest.raises(Conflict, match="under way"):
            system.show(cluster)

    assert system.deploy(cluster, between=between).status == "ready"


def test_a_rehearsal_does_not_count(system: System, cluster: Cluster) -> None:
    """A rehearsed cluster's nodes look ready; a real deployment gives them back what they were first."""
    Cluster.objects.filter(id=cluster.id).update(rehearsed_at=system.time.now(), status_before_rehearsal="new", status="operational")
    Node.objects.update(status_before_rehearsal="provisioned", status="ready")
    shown = system.show(cluster)
    assert shown.preview.counts()["run"] == 6
    assert len(ran(system.deploy(cluster, token=shown.token))) == 6


def test_the_command(system: System, cluster: Cluster) -> None:
    out = io.StringIO()
    call_command("deploy", cluster.name, "--plan", "--reuse", "--format", "json", stdout=out)
    data = json.loads(out.getvalue())
    assert data["counts"]["run"] == 6
    assert data["runs"][0] == {"task": "always", "node": "1", "type": "shell", "action": "run", "new": True, "why": "it has never run here"}
    assert system.deploy(cluster, token=data["token"]).status == "ready"
    assert not Transaction.objects.filter(parent=None).exclude(arguments__reuse=True).exists()
    with pytest.raises(CommandError, match="since the plan was shown"):
        call_command("deploy", cluster.name, "--token", data["token"])


def test_few_lines_for_many_nodes(system: System) -> None:
    big = a_cluster(TASKS, {str(uid): ["web"] for uid in range(1, 201)}, common=DATA)
    Node.objects.filter(uid="77").update(roles=["other"])
    preview = system.show(big).preview
    for by in ("task", "node"):
        out = io.StringIO()
        show(preview, by, out)
        text = out.getvalue()
        assert "1-76, 78-200 (199)" in text
        assert "597 would run" in text
        assert len(text.splitlines()) < 12


def test_node_ranges() -> None:
    assert node_ranges(["7"]) == "7"
    assert node_ranges(["3", "1", "2", "master", "10"]) == "1-3, 10, master (5)"
    assert node_ranges([str(uid) for uid in range(0, 40, 2)], most=3) == "0, 2, 4, … (20)"
