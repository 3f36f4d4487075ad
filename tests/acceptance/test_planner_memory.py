"""What a graph may ask of a planner: a request that wants too much is refused with a sentence, and the planner lives on."""

from __future__ import annotations

import resource

import pytest
from django.conf import settings
from django.core.management import call_command

from deployments.models import Cluster, Graph, Node, Release
from fuelweb.supervisor import Supervisor
from tests.acceptance.test_newton import wait_until_over


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("let(a => 'x' * 900000) -> range(600).select($a + str($))", "of task 'big' on node n1: it gives more than 64 MB."),
        ("let(a => 'x' * 900000) -> range(3000).select($a + str($)).join(',')", "of task 'big' on node n1: "),
        ("'x' * 1100000", "Task 'big' on node n1 has more than 1 MB of parameters"),
    ],
)
def test_a_run_with_huge_parameters_is_refused_when_it_is_planned(running_system: Supervisor, expression: str, sentence: str) -> None:
    cluster = Cluster.objects.create(name="big", release=Release.objects.create(name="big", version="1.0"))
    Node.objects.create(uid="n1", cluster=cluster, roles=["web"], status="provisioned")
    one = {"id": "big", "type": "shell", "version": "2.1.0", "role": ["web"], "parameters": {"cmd": "true", "a": {"yaql_exp": expression}}}
    Graph.objects.create(cluster=cluster, type="default", tasks=[one])

    call_command("deploy", "big", rehearse=1000)
    refused = wait_until_over()
    assert refused.status == "error"
    assert sentence in refused.message
    planner = next(child for child in running_system.children if child.name == "planner").process
    assert planner is not None
    assert resource.prlimit(planner.pid, resource.RLIMIT_AS)[0] == settings.FUELWEB_PLANNER_MEMORY * 1024**2

    Graph.objects.update(tasks=[{**one, "parameters": {"cmd": "true"}}])
    call_command("deploy", "big", rehearse=1000)
    assert wait_until_over().status == "ready"
