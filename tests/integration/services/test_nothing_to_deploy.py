"""Graphs that are for roles which nobody has: told at upload, and no deployment that does nothing."""

from __future__ import annotations

import pytest

from deployments.core.time_limit import no_limit
from deployments.models import Graph
from deployments.services import planning
from deployments.services.graphs import upload_graph
from tests.integration.services.conftest import World

TASK = {"id": "first", "type": "shell", "version": "2.1.0", "roles": ["compute"], "parameters": {"cmd": "true"}}


def test_a_role_that_nobody_knows_is_told_at_upload(world: World):
    said = [warning.message for warning in upload_graph(world.cluster, "default", [TASK]).warnings]
    assert said == ["No node of the cluster has the role 'compute' and its release doesn't know it, so task 'first' does not run for it."]
    release = world.cluster.release
    release.roles_metadata = {"compute": {}}
    release.save()
    assert not upload_graph(world.cluster, "default", [TASK]).warnings
    assert not upload_graph(world.cluster, "default", [{**TASK, "roles": ["web", "*", "/comp.*/"]}]).warnings


def test_a_deployment_in_which_no_task_has_a_node_is_refused_with_the_reason(world: World):
    Graph.objects.filter(cluster=world.cluster, type="default").update(tasks=[TASK])
    parent = world.deploy()
    assert not planning.plan_next(parent.id, world.tools, no_limit)
    parent.refresh_from_db()
    assert parent.status == "error"
    assert "No task of the graph 'default' has a node to run on" in parent.message
    assert "its tasks are for compute, and the nodes have web" in parent.message


@pytest.mark.parametrize(("types", "status"), [(("default",), "pending"), (("after", "default"), "pending")])
def test_a_plan_whose_tasks_are_all_skipped_and_an_empty_graph_among_others_are_fine(world: World, types, status):
    skipped = {**TASK, "roles": ["*"], "condition": {"yaql_exp": "false"}}
    Graph.objects.filter(cluster=world.cluster, type="default").update(tasks=[skipped])
    Graph.objects.filter(cluster=world.cluster, type="after").update(tasks=[TASK])
    parent = world.deploy(*types)
    world.plan(parent)
    parent.refresh_from_db()
    assert parent.status == status
