"""Plans as JSON in a form that can be compared: everything sorted, joins expanded, relations on the side that declared them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from deployments.core.links import Links, link
from deployments.core.plan import SYNC_NODE, Bundle, Declared, Plan, TaskRun

Relation = tuple[str, str | None]


def chunks(plan: Plan) -> Iterator[str]:
    """The whole plan as one JSON object, piece by piece: it may be far larger than the plan."""
    relations = _Relations(plan)
    yield '{"nodes": {'
    separator = ""
    for node, indexes in _by_node(plan).items():
        tasks = [_task(plan.runs[index], index, relations) for index in indexes]
        yield f"{separator}{json.dumps(node)}: {json.dumps(tasks)}"
        separator = ", "
    links = link(_without_any(plan))
    rest = {
        "fault_tolerance_groups": _groups(plan),
        "policy_any": _policy_any(plan),
        "warnings": [warning.message for warning in plan.warnings],
        **counts(plan, links.count()),
        **hashes(plan, links),
    }
    yield "}, " + json.dumps(rest)[1:]


def summary(plan: Plan, links: Links, *, with_hashes: bool = False) -> dict[str, Any]:
    """Counts only: of the links as they are stored, joins included, or with the hashes of the expanded pairs."""
    if not with_hashes:
        return counts(plan, links.stored)
    expanded = link(_without_any(plan))
    return {**counts(plan, expanded.count()), **hashes(plan, expanded)}


def counts(plan: Plan, edges: int) -> dict[str, Any]:
    """`{"counts": …}`; `nodes` are those with task runs, and the sync node."""
    nodes = {run.node for run in plan.runs} | {SYNC_NODE}
    skipped = sum(run.type == "skipped" for run in plan.runs)
    return {"counts": {"tasks": len(plan.runs), "tasks_skipped": skipped, "edges": edges, "nodes": len(nodes)}}


def hashes(plan: Plan, links: Links) -> dict[str, str]:
    """SHA-256 of all pairs and of all task runs, one sorted line for each."""
    tasks = hashlib.sha256()
    for line in sorted(f"{run.name} {run.type} {str(run.fail_on_error).lower()}\n" for run in plan.runs):
        tasks.update(line.encode())
    return {"sha256_edges": _hash_of_pairs(plan, links), "sha256_tasks": tasks.hexdigest()}


def _hash_of_pairs(plan: Plan, links: Links) -> str:
    """Source by source, so that all pairs need never be there at once. A line's order is its source's, then its target's."""
    digest = hashlib.sha256()
    names = [run.name for run in plan.runs]
    for before in sorted(range(len(names)), key=lambda index: names[index] + " -> "):
        start = names[before] + " -> "
        lines = sorted(f"{start}{names[after]}\n" for after in _targets(links, before))
        digest.update("".join(lines).encode())
    return digest.hexdigest()


def _targets(links: Links, before: int) -> Iterator[int]:
    for vertex in links.successors[before]:
        if links.is_join(vertex):
            yield from links.successors[vertex]
        else:
            yield vertex


class _Relations:
    """Finds the relations of a run without expanding those of all runs."""

    def __init__(self, plan: Plan) -> None:
        self._runs = plan.runs
        self._others: dict[tuple[Declared, int], list[tuple[int, ...]]] = {}
        for bundle in plan.bundles:
            declaring, others = (bundle.targets, bundle.sources) if bundle.declared == "requires" else (bundle.sources, bundle.targets)
            for run in declaring:
                self._others.setdefault((bundle.declared, run), []).append(others)

    def of(self, run: int, declared: Declared) -> list[Relation]:
        others = {other for part in self._others.get((declared, run), ()) for other in part if other != run}
        pairs = [(self._runs[other].task, _json_node(self._runs[other].node)) for other in others]
        return sorted(pairs, key=lambda pair: (pair[0], pair[1] is not None, str(pair[1])))


def _by_node(plan: Plan) -> dict[str, list[int]]:
    nodes: dict[str, list[int]] = {}
    for index, run in enumerate(plan.runs):
        nodes.setdefault(run.node, []).append(index)
    nodes.setdefault(SYNC_NODE, [])
    return nodes


def _task(run: TaskRun, index: int, relations: _Relations) -> dict[str, Any]:
    task = {
        "id": run.task,
        "type": run.type,
        "fail_on_error": run.fail_on_error,
        "requires": relations.of(index, "requires"),
        "required_for": relations.of(index, "required_for"),
    }
    return task if run.type == "skipped" else {**task, "parameters": run.parameters}


def _groups(plan: Plan) -> list[dict[str, Any]]:
    return [{"name": group.name, "node_ids": sorted(group.nodes), "fault_tolerance": group.tolerance} for group in plan.groups]


def _policy_any(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "task": each.task,
            "node": _json_node(each.node),
            "relation": each.relation,
            "name": each.name,
            "candidates": [(task, _json_node(node)) for task, node in each.candidates],
            "picked": each.picked and (each.picked[0], _json_node(each.picked[1])),
        }
        for each in plan.policy_any
    ]


def _without_any(plan: Plan) -> Plan:
    """Without the relations of `policy: any`; one that is declared otherwise too stays."""
    if not plan.policy_any:
        return plan
    places = {(run.task, run.node): index for index, run in enumerate(plan.runs)}
    picked: Counter[Bundle] = Counter()
    for each in plan.policy_any:
        if each.picked:
            other, own = (places[each.picked],), (places[each.task, each.node],)
            pair = (other, own) if each.relation == "requires" else (own, other)
            picked[Bundle(*pair, declared=each.relation)] += 1
    kept = []
    for bundle in plan.bundles:
        if picked[bundle] > 0:
            picked[bundle] -= 1
        else:
            kept.append(bundle)
    return replace(plan, bundles=tuple(kept))


def _json_node(node: str) -> str | None:
    return None if node == SYNC_NODE else node
