"""What a page tells at a glance, before anybody looks into lists: counts by state, the latest deployments, what failed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Count, QuerySet
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from deployments.admin.looks import ago, badge, took
from deployments.models import Cluster, Node
from deployments.services import explanation
from deployments.services.stored import CantBeLoaded
from history import queries as history
from history.models import TaskRun, Transaction

_LATEST = 8
_MOST_FAILURES = 20
_ORDER = ("error", "running", "pending", "ready", "skipped")


def link(page: str, text: Any, *arguments: Any, **query: Any) -> SafeString:
    """A link to a page of the admin; `query` narrows a list down."""
    address = reverse(f"admin:{page}", args=arguments)
    if query:
        address += "?" + "&".join(f"{name}={value}" for name, value in query.items())
    return format_html('<a href="{}">{}</a>', address, text)


def transaction_link(row: Transaction) -> SafeString:
    """The way to a transaction."""
    return link("history_transaction_change", row.pk, row.pk)


def cluster_link(cluster_id: int | None, name: str) -> SafeString | str:
    """The way to a cluster; only its name if it is gone."""
    if cluster_id is None or not Cluster.objects.filter(id=cluster_id).exists():
        return name or "–"
    return link("deployments_cluster_change", name, cluster_id)


def biography_link(node: str, text: Any = None) -> SafeString | str:
    """The way to all that was done on a node; the sync node has no machine."""
    if node == "null":
        return "sync point"
    return link("history_taskrun_changelist", text or node, node__exact=node)


def nodes_by_state(cluster: Cluster) -> SafeString | str:
    """How many of the cluster's nodes are in which state."""
    counts = Node.objects.filter(cluster=cluster).order_by().values_list("status").annotate(Count("id"))
    shown = [
        link("deployments_node_changelist", badge(status, count), cluster__id__exact=cluster.pk, status__exact=status)
        for status, count in sorted(counts)
    ]
    return _joined(shown) or "none yet: assign some, or load a cluster file"


def runs_by_state(row: Transaction) -> SafeString | str:
    """How many task runs of a request, or of one graph's run, are in which state."""
    found = dict(history.task_runs(row).order_by().values_list("status").annotate(Count("id")))
    if not found:
        return "not planned yet" if row.status in ("pending", "running") else "none"
    of = "transaction__id__exact" if row.parent_id else "transaction__parent__id__exact"
    shown = [
        link("history_taskrun_changelist", badge(status, found[status]), **{of: row.pk, "status__exact": status})
        for status in _ORDER
        if status in found
    ]
    return format_html("{} {}", _joined(shown), link("history_taskrun_changelist", "all", **{of: row.pk}))


def latest_transactions(cluster: Cluster) -> SafeString | str:
    """The cluster's newest requests."""
    rows = list(history.transactions(clusters=[cluster.pk]).filter(parent=None)[:_LATEST])
    if not rows:
        return "Nothing was asked for yet."
    return _table(
        ("", "what", "state", "asked", "took", "who", "why"),
        ((transaction_link(row), row.name, badge(row.status), ago(row.created_at), took(row.time_start, row.time_end), row.actor,
          _short(row.reason)) for row in rows),
    )  # fmt: skip


def latest_runs(node: Node, visible: QuerySet[Cluster] | None) -> SafeString | str:
    """What was started last on a node, as far as it happened in these clusters (None = all)."""
    found = history.biography(node.uid)
    rows = list((found if visible is None else found.filter(transaction__cluster_id__in=visible.values("id")))[:_LATEST])
    if not rows:
        return "Nothing was ever started here."
    return _table(
        ("task", "state", "begun", "took", "transaction", "who", "why", "said"),
        ((link("history_taskrun_change", row.task_name, row.pk), badge(row.status), ago(row.time_start), took(row.time_start, row.time_end),
          transaction_link(row.transaction), row.transaction.actor, _short(row.transaction.reason), _short(row.reason)) for row in rows),
    )  # fmt: skip


def failures(row: Transaction) -> SafeString | str:
    """What failed by itself in a request or in one graph's run, and what that kept from running."""
    ids = [child.id for child in history.children(row)]
    failed = {(run.transaction_id, run.task_name, run.node): run.pk for run in TaskRun.objects.filter(transaction__in=ids, status="error")}
    offline = any(child.result.get("offline") for child in history.children(row))
    if not failed and not offline:
        return "nothing"
    try:
        reports = explanation.failures_of(row.pk)
    except CantBeLoaded as error:
        return str(error)
    shown: list[SafeString] = []
    for found in reports:
        for root in found.report.failures[:_MOST_FAILURES]:
            key = failed.get((found.transaction.pk, root.task, root.node))
            name = f"{root.task} on node {root.node}"
            shown.append(_failure(link("history_taskrun_change", name, key) if key else name, root.reason, root.output, root.consequence))
        for away in found.report.offline[:_MOST_FAILURES]:
            shown.append(_failure(biography_link(away.node, f"node {away.node}"), "its agent did not answer", (), away.consequence))
    return format_html_join("", "{}", ((each,) for each in shown))


def _failure(what: SafeString | str, reason: str, output: Sequence[str], consequence: str) -> SafeString:
    said = format_html('<pre class="said">{}</pre>', "\n".join(output)) if output else ""
    return format_html('<div class="failure"><b>{}</b>: {}{}<div>{}</div></div>', what, reason or "it failed", said, consequence)


def _joined(parts: Sequence[SafeString]) -> SafeString:
    return format_html_join(" ", "{}", ((part,) for part in parts))


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> SafeString:
    cells = [(format_html_join("", "<td>{}</td>", ((cell,) for cell in row)),) for row in rows]
    titles = format_html_join("", "<th>{}</th>", ((title,) for title in head))
    return format_html('<table class="glance"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>', titles,
                       format_html_join("", "<tr>{}</tr>", cells))  # fmt: skip


def _short(text: str) -> str:
    return text if len(text) < 80 else f"{text[:79]}…"
