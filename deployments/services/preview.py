"""Showing beforehand what a deployment would do. Opens no transaction and writes nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from deployments import queries
from deployments.core.errors import InvalidData
from deployments.core.plan import Plan, TaskRun
from deployments.core.planning.preview import Earlier, Preview, Situation, preview
from deployments.core.planning.reuse import Name
from deployments.core.states import PROVISION
from deployments.core.time_limit import Limit
from deployments.models import Cluster
from deployments.services import plans, stored
from deployments.services.errors import Conflict
from deployments.services.facts import has_system, status_of
from deployments.services.lifecycle import DeployOptions, check_options
from deployments.services.plan_token import PlanToken, digests, plan_digest
from deployments.services.plans import Made, PlanOptions
from history import queries as history


@dataclass(frozen=True, slots=True)
class Shown:
    """A preview, the plan behind it, and the token with which exactly this plan can be run (empty: it can't be known exactly)."""

    preview: Preview
    plan: Plan
    order: str
    """By which order it would run: `task by task`, or `role by role` and why."""
    token: str = ""


def preview_deploy(cluster: Cluster, options: DeployOptions, *, limit: Limit) -> Shown:
    """What `request_deploy` with these options would do now.

    Raises:
        InvalidData and the others of planning: it can't be deployed like that.
        Conflict: a deployment is under way, and how it ends decides what would run.
    """
    _check(cluster, options)
    if len(options.graph_types) != 1:
        raise InvalidData("What would run can be shown exactly for one graph at a time: the first of several decides what the others find.")
    graph_type = options.graph_types[0]
    # Before planning: what changes while the plan is made must not look as if it had been shown.
    sources = digests(cluster, graph_type)
    shown = _show(cluster, options, graph_type, _said(options)[0], limit)
    token = PlanToken(cluster.id, _to_data(options), sources, plan_digest(shown.plan))
    return replace(shown, token=token.text())


def preview_each(cluster: Cluster, options: DeployOptions, *, limit: Limit) -> list[Shown]:
    """What each graph of the request would do. A single one has a token; of several each is shown as if all before it had ended well.

    Raises:
        InvalidData, Conflict: as `preview_deploy`.
    """
    if len(options.graph_types) == 1:
        return [preview_deploy(cluster, options, limit=limit)]
    _check(cluster, options)
    shown, provisioned = [], set[str]()
    for kind, said in zip(options.graph_types, _said(options), strict=True):
        if kind == PROVISION:
            provisioned |= set(said["nodes"] or ())
        supposed = {**said, "nodes": _supposed(cluster, kind, said["nodes"], provisioned)}
        shown.append(_show(cluster, options, kind, supposed, limit))
    return shown


def _said(options: DeployOptions) -> list[dict[str, Any]]:
    """By graph: the nodes, the tasks and whether to reuse."""
    common = {"nodes": options.nodes, "tasks": options.tasks, "reuse": options.reuse}
    return [{**common, **own} for own in options.by_graph or [{} for _ in options.graph_types]]


def _supposed(cluster: Cluster, graph_type: str, nodes: Sequence[str] | None, provisioned: Collection[str]) -> Sequence[str] | None:
    """The graph's nodes once these have been provisioned; a `node_filter` is asked as things stand."""
    if nodes is not None or not provisioned or queries.merged_graph(cluster, graph_type).node_filter:
        return nodes
    staying = cluster.nodes.filter(pending_deletion=False).order_by("id")
    return [node.uid for node in staying if node.uid in provisioned or has_system(node)]


def _show(cluster: Cluster, options: DeployOptions, graph_type: str, said: Mapping[str, Any], limit: Limit) -> Shown:
    wanted = PlanOptions(said["nodes"], said["tasks"], force=options.force, noop=options.noop, reuse=said["reuse"])
    made = plans.make(cluster, graph_type, wanted, limit, compared=True)
    earlier, now = _earlier(cluster, graph_type, made), _now(cluster, made, options)
    shown = preview(made.planned.plan, made.inputs, made.planned.watch, made.verdicts, earlier, now)
    return Shown(shown, made.plan, made.order.text)


def _check(cluster: Cluster, options: DeployOptions) -> None:
    if options.rehearsal is not None or options.token is not None:
        raise InvalidData("What would run can be shown for a real deployment only: leave out --rehearse and --token.")
    check_options(cluster, options)
    if (running := history.unfinished_deploy(cluster.id)) is not None:
        raise Conflict(f"Transaction {running.id} is under way, and how it ends decides what would run next. Wait for it, or stop it.")


def _to_data(options: DeployOptions) -> dict[str, object]:
    data = {name: getattr(options, name) for name in ("nodes", "tasks", "dry_run", "noop", "force", "reuse", "by_graph", "leaving")}
    return {"graph_types": list(options.graph_types), **{name: value for name, value in data.items() if value}}


def _earlier(cluster: Cluster, graph_type: str, made: Made) -> Earlier:
    newest = history.newest_real_child(cluster.id, graph_type)

    @cache
    def planned(child_id: int) -> Mapping[Name, TaskRun]:
        try:
            plan = stored.plan(child_id)
        except stored.CantBeLoaded:
            # Nothing can be compared with it, and what is to come does not depend on it.
            return {}
        return {(run.task, run.node): run for run in plan.runs} if plan else {}

    @cache
    def request_of(child_id: int) -> int:
        return history.requests_of([child_id]).get(child_id, child_id)

    return Earlier(tries=made.tries, names=history.run_names(newest.id) if newest else (), planned=planned, request_of=request_of)


def _now(cluster: Cluster, made: Made, options: DeployOptions) -> Situation:
    statuses = {node.uid: status_of(node) for node in cluster.nodes.all()}
    return Situation(statuses, made.facts.fresh, options.force)
