"""Stop or fail, change something, deploy again: what runs then."""

from __future__ import annotations

import pytest

from deployments.models import Node
from tests.integration.restart.system import System, a_cluster, a_task, add_node, edit_graph, ended, ran, rows, statuses

pytestmark = pytest.mark.django_db

CHAIN = [a_task("first"), a_task("second", requires=["first"]), a_task("third", requires=["second"])]
CAREFUL = [
    a_task("base", condition={"yaql_exp": "changed($.base)"}),
    a_task("site", requires=["base"], condition={"yaql_exp": "changedAny($.site, $.get('port'))"}),
]


@pytest.fixture
def system() -> System:
    return System()


def test_a_deployment_runs_everything_once(system: System) -> None:
    cluster = a_cluster(CHAIN, {"1": ["web"], "2": ["web"]})
    parent = system.deploy(cluster)
    assert parent.status == "ready"
    assert set(ended(parent).values()) == {"ready"}
    assert statuses(cluster) == ("operational", {"1": "ready", "2": "ready"})


def test_a_stopped_node_runs_all_its_tasks_again(system: System) -> None:
    cluster = a_cluster(CHAIN, {"1": ["web"]})
    parent = system.deploy(cluster, stop_after="second/1")
    assert parent.status == "stopped"
    assert ended(parent) == {"first/1": "ready", "second/1": "ready", "third/1": "pending"}
    assert statuses(cluster) == ("partially_deployed", {"1": "stopped"})

    again = system.deploy(cluster)
    assert ran(again) == {"first/1", "second/1", "third/1"}
    assert statuses(cluster) == ("operational", {"1": "ready"})


def test_nothing_of_a_stop_is_left(system: System) -> None:
    tasks = [*CAREFUL, a_task("last", requires=["site"])]
    cluster = a_cluster(tasks, {"1": ["web"], "2": ["web"]}, common={"base": 1, "site": 1})
    system.deploy(cluster, stop_after="base/1")
    again = system.deploy(cluster)
    assert again.status == "ready"
    assert set(ended(again).values()) == {"ready"}
    node = Node.objects.get(uid="1")
    assert (node.error_type, node.error_msg, node.progress) == ("", "", 100)
    quiet = system.deploy(cluster)
    assert ran(quiet) == {"last/1", "last/2"}


def test_a_ready_node_runs_what_its_conditions_say_changed(system: System) -> None:
    cluster = a_cluster(CAREFUL, {"1": ["web"], "2": ["web"]}, common={"base": 1, "site": 1})
    system.deploy(cluster)
    assert ran(system.deploy(cluster)) == set()
    cluster.common = {"base": 1, "site": 2}
    cluster.save()
    assert ran(system.deploy(cluster)) == {"site/1", "site/2"}
    assert ran(system.deploy(cluster)) == set()


def test_each_node_compares_with_the_transaction_that_last_ran_there(system: System) -> None:
    cluster = a_cluster(CAREFUL, {"1": ["web"], "2": ["web"]}, common={"base": 1, "site": 1})
    system.deploy(cluster)
    cluster.common = {"base": 1, "site": 2}
    cluster.save()
    assert ran(system.deploy(cluster, nodes=["2"])) == {"site/2"}
    assert ran(system.deploy(cluster)) == {"site/1"}, "node 2 has run it with these data, node 1 has not"
    cluster.common = {"base": 1, "site": 1}
    cluster.save()
    assert ran(system.deploy(cluster)) == {"site/1", "site/2"}


def test_only_the_stopped_node_runs_everything_again(system: System) -> None:
    tasks = [a_task("base", condition={"yaql_exp": "changed($.base)"}), a_task("slow", "db", condition={"yaql_exp": "changed($.base)"})]
    cluster = a_cluster(tasks, {"1": ["web"], "2": ["web", "db"]}, common={"base": 1})
    system.deploy(cluster, stop_after="base/2")
    assert statuses(cluster) == ("partially_deployed", {"1": "ready", "2": "stopped"})
    assert ran(system.deploy(cluster)) == {"base/2", "slow/2"}


def test_settings_that_people_edit_reach_the_expressions(system: System) -> None:
    settings = {"site": {"metadata": {"label": "Site"}, "theme": {"value": "dark", "type": "text"}}, "common": {"port": {"value": 80}}}
    cluster = a_cluster(CAREFUL, {"1": ["web"]}, common={"base": 1, "site": {"name": "shop"}}, settings=settings)
    system.deploy(cluster)
    assert ran(system.deploy(cluster)) == set()
    cluster.settings["site"]["metadata"]["label"] = "The site"
    cluster.save()
    assert ran(system.deploy(cluster)) == set(), "a label is no setting"
    cluster.settings["site"]["theme"]["value"] = "light"
    cluster.save()
    assert ran(system.deploy(cluster)) == {"site/1"}
    cluster.settings["common"]["port"]["value"] = 81
    cluster.save()
    assert ran(system.deploy(cluster)) == {"site/1"}


def test_roles_graph_and_nodes_may_change_between_stop_and_restart(system: System) -> None:
    cluster = a_cluster(CHAIN, {"1": ["web"], "2": ["web"], "3": ["web"]})
    system.deploy(cluster, stop_after="second/1")
    add_node(cluster, "4", ["web"])
    Node.objects.filter(uid="3").update(cluster=None)
    Node.objects.filter(uid="2").update(roles=["db"])
    edit_graph(cluster, [CHAIN[0], a_task("third", requires=["first"]), a_task("store", "db", **{"cross-depends": [{"name": "third"}]})])
    again = system.deploy(cluster)
    assert set(ended(again)) == {"first/1", "third/1", "first/4", "third/4", "store/2"}
    assert set(ended(again).values()) == {"ready"}
    assert statuses(cluster) == ("operational", {"1": "ready", "2": "ready", "4": "ready"})


def test_the_orchestrators_own_host_compares_too(system: System) -> None:
    tasks = [a_task("images", "master", condition={"yaql_exp": "changed($.base)"}), a_task("site", requires=[])]
    cluster = a_cluster(tasks, {"1": ["web"]}, common={"base": 1})
    assert "images/master" in ran(system.deploy(cluster))
    assert "images/master" not in ran(system.deploy(cluster))
    assert "images/master" in ran(system.deploy(cluster, force=True))


def test_a_task_whose_id_is_filled_in_has_a_past_too(system: System) -> None:
    tasks = [a_task("upload_{CLUSTER_ID}", condition={"yaql_exp": "changed($.base)"})]
    cluster = a_cluster(tasks, {"1": ["web"]}, common={"base": 1, "cluster": {"id": 7}})
    assert ran(system.deploy(cluster)) == {"upload_7/1"}
    assert ran(system.deploy(cluster)) == set()
    cluster.common = {"base": 2, "cluster": {"id": 7}}
    cluster.save()
    assert ran(system.deploy(cluster, reuse=True)) == {"upload_7/1"}


def test_a_dry_run_is_not_the_past(system: System) -> None:
    cluster = a_cluster(CAREFUL, {"1": ["web"]}, common={"base": 1, "site": 1})
    system.deploy(cluster)
    cluster.common = {"base": 2, "site": 1}
    cluster.save()
    system.deploy(cluster, dry_run=True)
    assert ran(system.deploy(cluster)) == {"base/1"}


def test_a_graph_chooses_its_nodes(system: System) -> None:
    cluster = a_cluster(CHAIN[:1], {"1": ["web"], "2": ["web"], "10": ["web"]})
    edit_graph(cluster, CHAIN[:1], node_filter="$.id > 1 and $.status = provisioned and not $.pending_deletion")
    Node.objects.filter(uid="2").update(pending_deletion=True)
    assert ran(system.deploy(cluster)) == {"first/10"}
    assert ran(system.deploy(cluster)) == set(), "node 10 is ready now, and a filter may let nobody through"
    assert ran(system.deploy(cluster, nodes=["1"])) == {"first/1"}, "who names nodes means them"


def test_a_filter_that_cannot_be_evaluated_ends_the_transaction_with_a_sentence(system: System) -> None:
    cluster = a_cluster(CHAIN[:1], {"1": ["web"]})
    edit_graph(cluster, CHAIN[:1], node_filter="$.nothing.there")
    parent = system.deploy(cluster)
    assert parent.status == "error"
    assert "node_filter" in parent.message
    assert not rows(parent)
