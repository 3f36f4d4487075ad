"""How urgent each run is: the order in which a node takes its ready runs (Astute's weights, made exact)."""

from __future__ import annotations

from collections import Counter

from deployments.core.errors import LoopDetected
from deployments.core.links import Links, find_cycle
from deployments.core.plan import Plan

SAME_NODE = 1
OTHER_NODE = 10


def topological(plan: Plan, links: Links) -> list[int]:
    """Every vertex (runs and joins) after all that it waits for.

    Raises:
        LoopDetected: some runs wait for each other in a circle; the message names them in order.
    """
    waiting = list(links.predecessor_counts)
    order = [vertex for vertex, count in enumerate(waiting) if not count]
    for vertex in order:
        for after in links.successors[vertex]:
            waiting[after] -= 1
            if not waiting[after]:
                order.append(after)
    if len(order) < len(waiting):
        circle = find_cycle(links, plan)
        path = " → ".join(plan.runs[run].name for run in [*circle, circle[0]])
        first = plan.runs[circle[0]]
        raise LoopDetected(
            f"These tasks wait for each other in a circle, so none could ever start: {path}. Remove one of these dependencies.",
            task=first.task,
            node=first.node,
        )
    return order


def weights(plan: Plan, links: Links) -> list[int]:
    """The weight of each run: over its successors, 1 for one on the same node or 10 for one on another, plus theirs.

    A run that is reached on several paths counts once for each of them (Astute), so weights are large numbers; only their order
    matters. A join vertex adds what its targets would add one by one.
    """
    weight = [0] * len(links.successors)
    targets_by_node: dict[int, Counter[str]] = {}
    for vertex in reversed(topological(plan, links)):
        if links.is_join(vertex):
            targets = links.successors[vertex]
            targets_by_node[vertex] = Counter(plan.runs[target].node for target in targets)
            weight[vertex] = sum(weight[target] for target in targets) + OTHER_NODE * len(targets)
            continue
        node = plan.runs[vertex].node
        total = 0
        for after in links.successors[vertex]:
            total += weight[after]
            if links.is_join(after):
                total -= (OTHER_NODE - SAME_NODE) * targets_by_node[after][node]
            else:
                total += SAME_NODE if plan.runs[after].node == node else OTHER_NODE
        weight[vertex] = total
    return weight[: links.runs]


def turns(plan: Plan, links: Links) -> list[int]:
    """Each run's place in the order of all runs, the most urgent first: by weight, then by the plan's own order."""
    weight = weights(plan, links)
    turn = [0] * links.runs
    for place, run in enumerate(sorted(range(links.runs), key=lambda run: (-weight[run], run))):
        turn[run] = place
    return turn
