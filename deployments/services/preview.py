"""Showing beforehand what a deployment would do. Opens no transaction and writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from deployments.core.errors import InvalidData
from deployments.core.plan import Plan, TaskRun
from deployments.core.planning.preview import Earlier, Preview, Situation, preview
from deployments.core.planning.reuse import Name
from deployments.core.time_limit import Limit
from deployments.models import Cluster
from deployments.services import plans
from deployments.services.errors import Conflict
from deployments.services.facts import status_of
from deployments.services.lifecycle import DeployOptions, check_options
from deployments.services.plan_token import PlanToken, digests, plan_digest
from deployments.services.plans import Made, PlanOptions
from history import queries as history


@dataclass(frozen=True, slots=True)
class Shown:
    """A preview, the plan behind it, and the token with which exactly this plan can be run."""

    preview: Preview
    plan: Plan
    token: str
    order: str
    """By which order it would run: `task by task`, or `role by role` and why."""


def preview_deploy(cluster: Cluster, options: DeployOptions, *, limit: Limit) -> Shown:
    """What `request_deploy` with these options would do now.

    Raises:
        InvalidData and the others of planning: it can't be deployed like that.
        Conflict: a deployment is under way, and how it ends decides what would run.
    """
    _check(cluster, options)
    graph_type = options.graph_types[0]
    # Before planning: what changes while the plan is made must not look as if it had been shown.
    sources = digests(cluster, graph_type)
    wanted = PlanOptions(options.nodes, options.tasks, force=options.force, noop=options.noop, reuse=options.reuse)
    made = plans.make(cluster, graph_type, wanted, limit, compared=True)
    shown = preview(
        made.planned.plan, made.inputs, made.planned.watch, made.verdicts, _earlier(cluster, graph_type, made), _now(cluster, made, options)
    )
    token = PlanToken(cluster.id, _to_data(options), sources, plan_digest(made.plan))
    return Shown(shown, made.plan, token.text(), made.order.text)


def _check(cluster: Cluster, options: DeployOptions) -> None:
    if options.rehearsal is not None or options.token is not None:
        raise InvalidData("What would run can be shown for a real deployment only: leave out --rehearse and --token.")
    if len(options.graph_types) != 1:
        raise InvalidData("What would run can be shown for one graph at a time: the first of several decides what the others find.")
    check_options(cluster, options)
    if (running := history.unfinished_deploy(cluster.id)) is not None:
        raise Conflict(f"Transaction {running.id} is under way, and how it ends decides what would run next. Wait for it, or stop it.")


def _to_data(options: DeployOptions) -> dict[str, object]:
    data = {name: getattr(options, name) for name in ("nodes", "tasks", "dry_run", "noop", "force", "reuse")}
    return {"graph_types": list(options.graph_types), **{name: value for name, value in data.items() if value}}


def _earlier(cluster: Cluster, graph_type: str, made: Made) -> Earlier:
    newest = history.newest_real_child(cluster.id, graph_type)

    @cache
    def planned(child_id: int) -> Mapping[Name, TaskRun]:
        data = history.snapshot(child_id, "plan")
        return {(run.task, run.node): run for run in Plan.from_data(data).runs} if data else {}

    @cache
    def request_of(child_id: int) -> int:
        return history.requests_of([child_id]).get(child_id, child_id)

    return Earlier(tries=made.tries, names=history.run_names(newest.id) if newest else (), planned=planned, request_of=request_of)


def _now(cluster: Cluster, made: Made, options: DeployOptions) -> Situation:
    statuses = {node.uid: status_of(node) for node in cluster.nodes.all()}
    return Situation(statuses, made.facts.fresh, options.force)
