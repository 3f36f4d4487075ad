"""What can be started from a cluster's page. Each is shown beforehand, and takes the same right as by the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from deployments.core.errors import FuelwebError
from deployments.models import Cluster
from deployments.services import actions, intent, rights
from deployments.services.clock import SystemClock
from deployments.services.intent import Intent
from deployments.services.lifecycle import DeployOptions, request_stop
from deployments.services.setup import make_broker, make_dispatcher
from history.models import Transaction


@dataclass(frozen=True, slots=True)
class Action:
    """Something to start, how it is explained and how it is asked for."""

    name: str
    title: str
    about: str
    """What it means, for who has never used it."""
    explain: Callable[[Cluster], Intent]
    ask: Callable[[Cluster, str, str], Transaction]
    """Of cluster, actor and reason."""


def _deploy(cluster: Cluster, actor: str, reason: str) -> Transaction:
    return actions.deploy_changes(cluster, DeployOptions(), actions.Asker(actor, reason, SystemClock(), make_dispatcher()))


def _plan(cluster: Cluster, actor: str, reason: str) -> Transaction:
    return actions.deploy_changes(cluster, DeployOptions(dry_run=True), actions.Asker(actor, reason, SystemClock(), make_dispatcher()))


def _stop(cluster: Cluster, actor: str, reason: str) -> Transaction:
    return request_stop(cluster, actor=actor, reason=reason, clock=SystemClock(), broker=make_broker(), dispatcher=make_dispatcher())


ACTIONS = {
    action.name: action
    for action in (
        Action(
            "deploy", "Deploy changes", "Runs the graph's tasks on the nodes. It can be stopped at any time and continued later.",
            intent.deploy_intent, _deploy,
        ),
        Action(
            "plan", "Plan", "Shows every task that a deployment would run, as a transaction of its own. No node is touched.",
            lambda cluster: intent.deploy_intent(cluster, dry_run=True), _plan,
        ),
        Action(
            "stop", "Stop deployment", "Starts nothing more, and waits for what is running. Nothing is broken off, nothing undone.",
            lambda cluster: intent.stop_intent(cluster, SystemClock().now()), _stop,
        ),
    )
}  # fmt: skip


def act(site: admin.AdminSite, request: HttpRequest, action: Action) -> HttpResponse:
    """Show what the action would do with the clusters `ids`; after a POST, do it.

    Raises:
        PermissionDenied: the user may not operate one of them.
    """
    clusters = list(Cluster.objects.filter(id__in=[part for part in request.GET.get("ids", "").split(",") if part.isdecimal()]))
    if not clusters or not all(rights.may(request.user, rights.OPERATE, cluster) for cluster in clusters):
        raise PermissionDenied
    if request.method != "POST":
        intents = [action.explain(cluster) for cluster in clusters]
        possible = any(not each.problem for each in intents)
        context = {"action": action, "intents": intents, "possible": possible, "title": f"{action.title}?", "opts": Cluster._meta}
        return TemplateResponse(request, "admin/deployments/act.html", {**site.each_context(request), **context})
    rows = [_ask(request, action, cluster) for cluster in clusters]
    if len(rows) == 1:
        return HttpResponseRedirect(_to_watch(clusters[0], rows[0]))
    return HttpResponseRedirect(reverse("admin:deployments_cluster_changelist"))


def _to_watch(cluster: Cluster, row: Transaction | None) -> str:
    """Where to see what comes of it: the deployment's page, also after a stop of it."""
    if row is None:
        return reverse("admin:deployments_cluster_change", args=[cluster.pk])
    return reverse("admin:history_transaction_change", args=[row.target_id or row.pk])


def _ask(request: HttpRequest, action: Action, cluster: Cluster) -> Transaction | None:
    try:
        row = action.ask(cluster, request.user.get_username(), request.POST.get("reason", "")[:500].strip())
    except FuelwebError as error:
        messages.error(request, f"{cluster.name}: {error}")
        return None
    link = reverse("admin:history_transaction_change", args=[row.id])
    messages.success(request, format_html('{}: asked for as <a href="{}">transaction {}</a>.', cluster.name, link, row.id))
    return row
