"""How much a plan may hold: refused with the task and the node, before anybody has to carry it."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.core.errors import InvalidData
from deployments.core.facts import ClusterFacts, NodeFacts
from deployments.core.planning.volume import measured
from tests.unit.core.test_planner import planned, task


@pytest.mark.parametrize("size", [900_000, 1_100_000, 5_000_000])
@pytest.mark.parametrize("written", ["text", "expression", "many"])
def test_the_parameters_of_a_run_have_a_megabyte_at_most(size, written):
    content = {
        "text": "x" * size,
        "expression": {"yaql_exp": f"'x' * {size}"},
        "many": [{"yaql_exp": f"'x' * {size // 1000}"}] * 1000,
    }[written]
    one = task("big", "web", parameters={"data": content, "path": "/x"})
    if size < 1_000_000:
        planned(one)
        return
    with pytest.raises(InvalidData, match=r"Task 'big' on node \S+ has more than 1 MB of parameters: put large content") as caught:
        planned(one)
    assert caught.value.task == "big"


def test_the_parameters_of_a_plan_have_a_limit_together():
    cluster = ClusterFacts({}, tuple(NodeFacts(str(number), ("web",), {}) for number in range(300)))
    one = task("big", "web", parameters={"data": "x" * 900_000})
    with pytest.raises(InvalidData, match=r"have more than 256 MB in all \(reached by task 'big' on node 2\d\d\)"):
        planned(one, cluster=cluster)


def test_shared_values_can_not_make_the_measuring_endless():
    nested: Any = "x"
    for _ in range(60):
        nested = [nested, nested]
    assert 1000 < measured(nested, 1000) < 1200
