"""How it reads that a group's fault tolerance is exceeded."""

from __future__ import annotations

import pytest

from deployments.core.plan import Plan, ToleranceGroup
from deployments.core.scheduling.failures import FaultTolerance, critical_offline

COMPUTE = tuple(f"node-{number}" for number in range(1, 11))


def excess(groups: list[ToleranceGroup], failed: list[str], blocked: tuple[str, ...] = ()) -> str:
    tolerance = FaultTolerance(Plan(runs=(), bundles=(), nodes=COMPUTE, groups=tuple(groups)))
    for node in failed:
        tolerance.count(node)
    return str(tolerance.excess(blocked))


@pytest.mark.parametrize(
    ("tolerance", "failed", "words"),
    [
        (0, ["node-7"], "compute: node-7 failed, 1 of 10, none may fail"),
        (2, ["node-9", "node-3", "node-7"], "compute: node-3, node-7 and node-9 failed, 3 of 10, 2 may fail"),
        (1, ["node-2", "node-1"], "compute: node-1 and node-2 failed, 2 of 10, 1 may fail"),
    ],
)
def test_the_group_its_failed_nodes_how_many_of_how_many_and_how_many_may(tolerance: int, failed: list[str], words: str) -> None:
    assert excess([ToleranceGroup("compute", COMPUTE, tolerance)], failed) == f"Fault tolerance exceeded: {words}."


def test_a_name_that_is_a_bare_number_is_called_a_node() -> None:
    groups = [ToleranceGroup("compute", ("3", "7", "9"), 0)]
    assert excess(groups, ["7"]) == "Fault tolerance exceeded: compute: node 7 failed, 1 of 3, none may fail."
    assert excess(groups, ["7", "3"]) == "Fault tolerance exceeded: compute: nodes 3 and 7 failed, 2 of 3, none may fail."


def test_long_lists_are_shortened_but_counted() -> None:
    nodes = tuple(f"node-{number}" for number in range(1, 501))
    said = excess([ToleranceGroup("compute", nodes, 10)], list(nodes[:200]))
    assert said.endswith("node-106, node-107 and 190 more failed, 200 of 500, 10 may fail.")
    assert critical_offline(nodes).endswith(
        ": node-1, node-2, node-3, node-4, node-5, node-6, node-7, node-8, node-9, node-10 and 490 more."
    )


def test_each_group_that_bears_no_more_is_told_and_so_are_nodes_in_none() -> None:
    groups = [ToleranceGroup("compute", COMPUTE[:5], 0), ToleranceGroup("ceph", COMPUTE[:3], 2), ToleranceGroup("web", COMPUTE[3:5], 0)]
    assert excess(groups, ["node-1", "master", "node-4"]) == (
        "Fault tolerance exceeded: compute: node-1 and node-4 failed, 2 of 5, none may fail; web: node-4 failed, 1 of 2, none may fail; "
        "in no group: master failed, none may fail."
    )


def test_nodes_that_others_left_blocked_count_and_are_told_apart() -> None:
    groups = [ToleranceGroup("compute", COMPUTE, 1), ToleranceGroup("web", ("web-1",), 0)]
    assert excess(groups, ["node-1"], ("node-2", "node-3", "web-1")) == (
        "Fault tolerance exceeded: compute: node-1 failed and node-2 and node-3 are blocked by that, 3 of 10, 1 may fail; "
        "web: web-1 is blocked, 1 of 1, none may fail."
    )


def test_nothing_is_said_while_all_is_borne() -> None:
    assert excess([ToleranceGroup("compute", COMPUTE, 1)], ["node-1"]) == ""
