"""Requests: what people and scripts may ask for. Each is one commit and is answered at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction as database
from redis.exceptions import RedisError

from deployments import queries
from deployments.core.errors import InvalidData
from deployments.core.plan import MASTER_NODE
from deployments.dispatch import Dispatcher
from deployments.models import Cluster
from deployments.services import plan_token, statuses
from deployments.services.clock import Clock
from deployments.services.errors import Conflict, NotFound
from deployments.services.rehearsal import Rehearsal
from deployments.services.run_order import RunOrder, run_order
from deployments.wire.broker import Broker
from history import queries as history
from history import recorder
from history.models import Transaction


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """How to deploy.

    `nodes` and `tasks` narrow it down (None = all); `reuse` keeps what ended well with unchanged inputs; `skip` leaves out runs
    (`task/node`); `rehearsal` practises it without
    touching a node; `token` runs exactly the plan that was shown with it, whose options it brings along.
    """

    graph_types: Sequence[str] = ("default",)
    nodes: Sequence[str] | None = None
    tasks: Sequence[str] | None = None
    dry_run: bool = False
    noop: bool = False
    force: bool = False
    reuse: bool = False
    skip: Sequence[str] = ()
    rehearsal: Rehearsal | None = None
    token: str | None = None
    subgraphs: Sequence[Mapping[str, Any]] = ()
    """Slices of the graphs, `{start: […], end: […]}`: all else is skipped."""
    by_graph: Sequence[Mapping[str, Any]] = ()
    """What is said of single graphs, in the order of `graph_types`: `{nodes?, tasks?, skip?, reuse?}`, stronger than the above."""
    leaving: Sequence[str] = ()
    """Nodes that leave the cluster when the request is made, unless it only looks or practises."""
    goes_on_from: int | None = None
    """The request, ended, that a person's decision continues: what was done in it is kept, and what is left may still be forced."""


def find_cluster(name_or_id: str) -> Cluster:
    """The cluster of this name or, failing that, of this id.

    Raises:
        NotFound: there is none.
    """
    found = Cluster.objects.filter(name=name_or_id).first()
    if found is None and name_or_id.isdecimal():
        found = Cluster.objects.filter(id=int(name_or_id)).first()
    if found is None:
        known = ", ".join(Cluster.objects.values_list("name", flat=True)[:10]) or "none yet: load one with `load_cluster FILE`"
        raise NotFound(f"There is no cluster {name_or_id!r}. Known clusters: {known}.")
    return found


def request_deploy(
    cluster: Cluster, options: DeployOptions, *, actor: str, reason: str, clock: Clock, dispatcher: Dispatcher
) -> Transaction:
    """Ask for a deployment; the request's row. The work starts when a planner takes it.

    Raises:
        InvalidData: the cluster can't be deployed like that; the sentence says why.
        Conflict: a deployment of the cluster is under way, or something changed since the plan was shown.
    """
    parent = open_deploy(cluster, options, actor=actor, reason=reason, clock=clock)
    if options.graph_types:
        dispatcher.ask_for_plan(parent.id)
    return parent


def open_deploy(cluster: Cluster, options: DeployOptions, *, actor: str, reason: str, clock: Clock) -> Transaction:
    """Write the request down; the row for which a plan is to be asked after the commit.

    Raises:
        InvalidData, Conflict: as `request_deploy`.
    """
    shown: dict[str, Any] = {}
    if options.token is not None:
        options, shown = _shown(cluster, options)
    check_options(cluster, options)
    rehearsal = options.rehearsal
    if rehearsal is not None:
        rehearsal = Rehearsal(rehearsal.speed, rehearsal.durations, history.usual_durations(cluster.id), rehearsal.fail)
    arguments: dict[str, Any] = {"force": options.force, "reuse": options.reuse, "skip": list(options.skip), **shown}
    arguments |= {name: list(value) for name in ("nodes", "tasks") if (value := getattr(options, name)) is not None}
    arguments |= {"subgraphs": list(options.subgraphs)} if options.subgraphs else {}
    arguments |= {"goes_on_from": options.goes_on_from} if options.goes_on_from else {}
    orders = [run_order(cluster, kind, queries.merged_tasks(cluster, kind)) for kind in options.graph_types]
    order = next(iter(sorted(orders, key=lambda order: not order.by_roles)), RunOrder())
    arguments |= {"order": order.text, "warning": order.warning}
    request = recorder.Request(
        name="deploy", cluster_id=cluster.id, cluster_name=cluster.name, actor=actor, reason=reason, graph_types=options.graph_types,
        dry_run=options.dry_run, noop=options.noop, rehearsal=rehearsal.to_data() if rehearsal else None, arguments=arguments,
        graph_arguments=options.by_graph, message=order.warning,
    )  # fmt: skip
    now = clock.now()
    try:
        with database.atomic():
            real = rehearsal is None and not options.dry_run and not options.noop
            if real:
                statuses.forget_rehearsal(cluster)
                statuses.set_free(cluster.nodes.filter(uid__in=options.leaving))
            elif rehearsal is not None:
                statuses.begin_rehearsal(cluster, now)
            parent = recorder.open_request(request, now) if options.graph_types else _note_left(request, options, now, real=real)
    except recorder.AlreadyOpen as error:
        raise Conflict(f"Deployment already started: cluster {cluster.name} has an unfinished one. Wait for it, or stop it.") from error
    return parent


def request_stop(cluster: Cluster, *, actor: str, reason: str, clock: Clock, broker: Broker, dispatcher: Dispatcher) -> Transaction:
    """Ask for a graceful stop: nothing new starts, what runs ends by itself; the request's row.

    The request is committed first, then the flag is set: from then on no agent can claim anything of this transaction. If the broker does
    not answer, the owner sets the flag as soon as it sees the request.

    Raises:
        InvalidData: nothing is being deployed.
        Conflict: it is being stopped already.
    """
    running = history.unfinished_deploy(cluster.id)
    nothing = f"Nothing to stop - deployment is not running on cluster {cluster.name}."
    if running is None:
        raise InvalidData(nothing)
    request = recorder.Request(
        name="stop_deployment", cluster_id=cluster.id, cluster_name=cluster.name, actor=actor, reason=reason, target_id=running.id
    )
    try:
        stop = recorder.open_stop(request, clock.now())
    except recorder.NothingUnderWay as error:
        raise InvalidData(nothing) from error
    except recorder.AlreadyOpen as error:
        raise Conflict(f"Stopping deployment task is already launched: cluster {cluster.name} is already stopping.") from error
    with suppress(RedisError, OSError):
        broker.set_stop(running.id)
    dispatcher.wake_orchestrator(running.id)
    return stop


def _shown(cluster: Cluster, options: DeployOptions) -> tuple[DeployOptions, dict[str, Any]]:
    """The options of the plan that was shown, and what its planner has to compare."""
    if replace(options, graph_types=tuple(options.graph_types)) != DeployOptions(token=options.token):
        raise InvalidData("A token brings its own options: leave the others out, or show a new plan with them (--plan).")
    token = plan_token.redeem(options.token or "", cluster)
    return DeployOptions(**token.options), {"plan": token.plan}


def check_options(cluster: Cluster, options: DeployOptions) -> None:
    """Refuse what can't be deployed like that.

    Raises:
        InvalidData: the sentence says why.
    """
    release = cluster.release
    if release.state == "unavailable":
        raise InvalidData(f"Release '{release.name} {release.version}' is unavailable!")
    uids = set(cluster.nodes.values_list("uid", flat=True))
    if not uids:
        raise InvalidData(f"Cluster {cluster.name} has no nodes: assign some first.")
    named = set(options.nodes or ()).union(*(said.get("nodes") or () for said in options.by_graph))
    if strange := sorted(named - uids - {MASTER_NODE}):
        raise InvalidData(f"Nodes {', '.join(strange)} do not belong to cluster {cluster.name}.")
    for graph_type in options.graph_types:
        tasks = queries.merged_tasks(cluster, graph_type)
        if not tasks:
            raise InvalidData(f"There are no tasks for graph type '{graph_type}' in cluster {cluster.name}: upload a graph first.")
        known = {task["id"] for task in tasks}
        if unknown := sorted(set(options.tasks or ()) - known):
            raise no_such_tasks(unknown, [graph_type], cluster)
    if options.force and options.reuse and options.goes_on_from is None:
        raise InvalidData("--force (nothing that was done before counts) and --reuse (keep what was done) contradict each other.")
    if options.rehearsal is not None and history.was_deployed(cluster.id):
        raise InvalidData(
            f"Cluster {cluster.name} has been deployed for real, so it can't be rehearsed: "
            "load a copy (load_cluster FILE --renumber) and rehearse that."
        )
    if options.rehearsal is not None:
        _check_rehearsal(options)


def no_such_tasks(unknown: Sequence[str], graph_types: Sequence[str], cluster: Cluster) -> InvalidData:
    """The error that tasks were asked for which no graph has."""
    graphs = " and ".join(f"'{graph_type}'" for graph_type in graph_types)
    word = "graph" if len(graph_types) == 1 else "graphs"
    return InvalidData(f"Tasks {', '.join(unknown)} are not present in the deployment {word} {graphs} of cluster {cluster.name}.")


def _note_left(request: recorder.Request, options: DeployOptions, now: datetime, *, real: bool) -> Transaction:
    """Nodes leave and no graph is run: there is nothing to plan."""
    return recorder.note_done(request, now, f"Nodes {', '.join(options.leaving)} {'left' if real else 'would leave'} the cluster.")


def _check_rehearsal(options: DeployOptions) -> None:
    if options.dry_run:
        raise InvalidData("--dry-run runs nothing and --rehearse plays it: choose one.")
    if options.reuse:
        raise InvalidData("--reuse keeps what was done for real, and a rehearsal needs a cluster where nothing was: leave it out.")
    if options.rehearsal is not None:
        options.rehearsal.check()
