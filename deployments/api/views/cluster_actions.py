"""What can be started on a cluster."""

from __future__ import annotations

from functools import cache

from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api import describe, parameters
from deployments.api.base import ClusterView, task_answer
from deployments.api.errors import BadRequest
from deployments.services import actions, clusters
from deployments.services.actions import Asker
from deployments.services.clock import SystemClock
from deployments.services.lifecycle import DeployOptions, request_stop
from deployments.services.setup import make_broker, make_dispatcher
from deployments.wire.broker import Broker

_DEPLOY = (describe.DRY_RUN, describe.NOOP_RUN, describe.GRAPH_TYPE)


class ActionView(ClusterView):
    """Starts work on a cluster."""

    needs = {"PUT": "operate"}

    def asker(self) -> Asker:
        """Who asks, and the tools to pass it on."""
        return Asker(self.actor, self.reason, SystemClock(), make_dispatcher())

    def deploy_options(self, *, force: bool = False) -> DeployOptions:
        """What the parameters say."""
        return DeployOptions(
            dry_run=parameters.flag(self.request, "dry_run"),
            noop=parameters.flag(self.request, "noop_run"),
            force=force or parameters.flag(self.request, "force"),
        )

    def graph_type(self) -> str:
        """The type of graph that is asked for; empty = the usual one."""
        return str(self.request.query_params.get("graph_type", ""))


class ChangesView(ActionView):
    """Deploy what is due: nodes leave, are provisioned, are deployed."""

    @describe.starts(describe.FORCE, *_DEPLOY)
    def put(self, request: Request, cluster_id: str) -> Response:
        """Deploy changes."""
        return task_answer(actions.deploy_changes(self.cluster_of(), self.deploy_options(), self.asker(), self.graph_type()))


class RedeployView(ActionView):
    """Deploy as if nothing had been done before."""

    @describe.starts(*_DEPLOY)
    def put(self, request: Request, cluster_id: str) -> Response:
        """Deploy everything again."""
        return task_answer(actions.deploy_changes(self.cluster_of(), self.deploy_options(force=True), self.asker(), self.graph_type()))


class DeployNodesView(ActionView):
    """Deploy some nodes."""

    @describe.starts(describe.NODES, describe.FORCE, *_DEPLOY)
    def put(self, request: Request, cluster_id: str) -> Response:
        """Deploy these nodes."""
        nodes = parameters.words(request, "nodes")
        return task_answer(actions.deploy_nodes(self.cluster_of(), nodes, self.deploy_options(), self.asker(), self.graph_type()))


class DeployTasksView(ActionView):
    """Run some tasks."""

    @describe.starts(describe.NODES, describe.FORCE, *_DEPLOY, request={"type": "array", "items": {"type": "string"}})
    def put(self, request: Request, cluster_id: str) -> Response:
        """Run these tasks of the graph; all others are skipped."""
        tasks = self.body(list)
        if not tasks or not all(isinstance(task, str) for task in tasks):
            raise BadRequest("Tasks list must be specified.")
        return task_answer(
            actions.deploy_tasks(
                self.cluster_of(), parameters.words(request, "nodes"), tasks, self.deploy_options(), self.asker(), self.graph_type()
            )
        )


class ProvisionView(ActionView):
    """Provision nodes."""

    @describe.starts(describe.NODES)
    def put(self, request: Request, cluster_id: str) -> Response:
        """Run the graph of type `provision` on these nodes, or on those that wait for it."""
        return task_answer(actions.provision(self.cluster_of(), parameters.words(request, "nodes"), self.deploy_options(), self.asker()))


class StopView(ActionView):
    """Stop the deployment."""

    @describe.starts()
    def put(self, request: Request, cluster_id: str) -> Response:
        """Start nothing more; what runs ends by itself."""
        asker = self.asker()
        row = request_stop(
            self.cluster_of(), actor=asker.actor, reason=asker.reason, clock=asker.clock, broker=_broker(), dispatcher=asker.dispatcher
        )
        return task_answer(row)


class ResetView(ActionView):
    """Reset the environment."""

    @describe.starts(describe.flag("force", "Accepted for old clients; a running deployment must be stopped first."))
    def put(self, request: Request, cluster_id: str) -> Response:
        """Forget that anything was deployed: nodes have to be provisioned again."""
        return task_answer(clusters.reset(self.cluster_of(), actor=self.actor, reason=self.reason, clock=SystemClock()))


@cache
def _broker() -> Broker:
    """One pool of connections for this process."""
    return make_broker()
