"""Which address of the API answers what. A slash at the end is never needed and never wrong."""

from __future__ import annotations

from django.urls import URLPattern, include, re_path
from rest_framework.views import APIView

from deployments.api.views import (
    cluster_actions,
    clusters,
    description,
    explanations,
    graph_tasks,
    graphs,
    history,
    nodes,
    notifications,
    releases,
    sequences,
    transactions,
    version,
)
from deployments.api.views.missing import MissingView
from deployments.api.views.root import RootView
from deployments.services.graph_changes import LEVELS

CLUSTER, TRANSACTION = r"clusters/(?P<cluster_id>[0-9]{1,18})", r"transactions/(?P<transaction_id>[0-9]{1,18})"
NODE, RELEASE = r"nodes/(?P<node_id>[^/]{1,100})", r"releases/(?P<release_id>[0-9]{1,18})"
SEQUENCE, TYPE = r"sequences/(?P<sequence_id>[0-9]{1,18})", r"deployment_graphs/(?P<graph_type>[a-zA-Z0-9_-]{1,255})"


def at(address: str, view: type[APIView]) -> URLPattern:
    """The view answers at this address."""
    return re_path(rf"^{address}/?$", view.as_view())


CLUSTERS = [
    at("clusters", clusters.ClustersView),
    at(CLUSTER, clusters.OneClusterView),
    at(f"{CLUSTER}/attributes", clusters.AttributesView),
    at(f"{CLUSTER}/attributes/defaults", clusters.DefaultAttributesView),
    at(f"{CLUSTER}/attributes/deployed", clusters.DeployedAttributesView),
    at(f"{CLUSTER}/assignment", clusters.AssignmentView),
    at(f"{CLUSTER}/unassignment", clusters.UnassignmentView),
    at(f"{CLUSTER}/roles", clusters.ClusterRolesView),
    at(f"{CLUSTER}/changes", cluster_actions.ChangesView),
    at(f"{CLUSTER}/changes/redeploy", cluster_actions.RedeployView),
    at(f"{CLUSTER}/deploy", cluster_actions.DeployNodesView),
    at(f"{CLUSTER}/deploy_tasks", cluster_actions.DeployTasksView),
    at(f"{CLUSTER}/provision", cluster_actions.ProvisionView),
    at(f"{CLUSTER}/stop_deployment", cluster_actions.StopView),
    at(f"{CLUSTER}/reset", cluster_actions.ResetView),
    at(f"{CLUSTER}/deployment_graphs", graphs.ClusterGraphsView),
    at(f"{CLUSTER}/{TYPE}", graphs.ClusterGraphView),
    at(f"{CLUSTER}/deployment_tasks", graph_tasks.MergedTasksView),
    *(
        re_path(rf"^{CLUSTER}/deployment_tasks/{level}/?$", graph_tasks.DeploymentTasksView.as_view(level=level))
        for level in LEVELS
        if level
    ),
    at(rf"{CLUSTER}/deploy_tasks/graph\.gv", graph_tasks.DrawingView),
    at(f"{CLUSTER}/serialized_tasks", graph_tasks.SerializedTasksView),
    at(f"{CLUSTER}/orchestrator/deployment", graph_tasks.DeploymentFactsView),
    at(f"{CLUSTER}/orchestrator/deployment/defaults", graph_tasks.DeploymentFactsView),
]

RELEASES = [
    at("releases", releases.ReleasesView),
    at(RELEASE, releases.OneReleaseView),
    at(f"{RELEASE}/roles", releases.ReleaseRolesView),
    at(f"{RELEASE}/deployment_graphs", graphs.ReleaseGraphsView),
    at(f"{RELEASE}/{TYPE}", graphs.ReleaseGraphView),
    at(f"{RELEASE}/deployment_tasks", graph_tasks.ReleaseTasksView),
]

GRAPHS = [
    at("graphs", graphs.GraphsView),
    at("graphs/execute", graphs.ExecuteView),
    at(r"graphs/(?P<graph_id>[0-9]{1,18})", graphs.OneGraphView),
    at("sequences", sequences.SequencesView),
    at(SEQUENCE, sequences.OneSequenceView),
    at(f"{SEQUENCE}/execute", sequences.ExecuteSequenceView),
]

NODES = [
    at("nodes", nodes.NodesView),
    at("nodes/agent", nodes.AgentView),
    at(NODE, nodes.OneNodeView),
    at(f"{NODE}/history", explanations.NodeHistoryView),
]

TRANSACTIONS = [
    at("transactions", transactions.TransactionsView),
    at(TRANSACTION, transactions.OneTransactionView),
    at(f"{TRANSACTION}/deployment_history", history.DeploymentHistoryView),
    at(f"{TRANSACTION}/deployment_info", transactions.DeploymentInfoView),
    at(f"{TRANSACTION}/settings", transactions.SettingsView),
    at(f"{TRANSACTION}/network_configuration", transactions.NetworkConfigurationView),
    at(f"{TRANSACTION}/why", explanations.WhyView),
    at(f"{TRANSACTION}/drain", explanations.DrainView),
    at(f"{TRANSACTION}/failures", explanations.FailuresView),
    at(f"{TRANSACTION}/events", explanations.EventsView),
    at(f"{TRANSACTION}/verify", explanations.VerifyView),
]

TASKS = [
    at("tasks", transactions.TasksView),
    at(r"tasks/(?P<transaction_id>[0-9]{1,18})", transactions.OneTaskView),
]

OTHERS = [
    at("version", version.VersionView),
    at("notifications", notifications.NotificationsView),
    at(r"notifications/(?P<notification_id>[0-9]{1,18})", notifications.OneNotificationView),
    re_path(r"^schema/?$", description.SchemaView.as_view(), name="schema"),
    re_path(r"^docs/?$", description.DocsView.as_view(), name="docs"),
]

VERSION_1 = [*OTHERS, *RELEASES, *CLUSTERS, *GRAPHS, *NODES, *TRANSACTIONS, *TASKS]

urlpatterns = [
    re_path(r"^(?:v1/?)?$", RootView.as_view()),
    re_path(r"^v1/", include(VERSION_1)),
    # The addresses that the specification of the history names; its items have keys of their own.
    at(f"{TRANSACTION}/deployment_history", history.SpecifiedHistoryView),
    *TRANSACTIONS,
    *TASKS,
    re_path(r"", MissingView.as_view()),
]
