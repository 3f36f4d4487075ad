"""What all views of the API have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deployments.api import parameters
from deployments.api.errors import BadRequest
from deployments.api.formats import USUAL_BYTES
from deployments.api.rights import actor_of
from deployments.api.shapes.transactions import TaskSerializer
from deployments.models import Cluster
from deployments.services.errors import NotFound
from history.models import Transaction


class ApiView(APIView):
    """A view that says what it needs and what it is about.

    `needs` maps each HTTP method to the right it takes: `view`, `operate`, `admin`, `agent` or `public`; a method that is not named is
    denied. `cluster_of` is the cluster that the request is about, None if it is about no single one. `most_bytes` is the largest body that
    is read.
    """

    needs: ClassVar[dict[str, str]] = {}
    most_bytes: ClassVar[int] = USUAL_BYTES

    def cluster_of(self) -> Cluster | None:
        """The cluster whose rights decide; None = about no single cluster.

        Raises:
            NotFound: the address names a cluster that is not there.
        """
        return None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # Without it the answer's format can't be chosen, and what is refused here would come as JSON to browsers too.
        self.format_kwarg = self.get_format_suffix(**kwargs)
        parameters.check_text(request)
        parameters.check_size(request, self.most_bytes)
        if not hasattr(self, (request.method or "").lower()):
            # What can't be done by anybody is no question of rights.
            self.http_method_not_allowed(request)
        super().initial(request, *args, **kwargs)

    @property
    def actor(self) -> str:
        """Who asks, as it is written into history."""
        return actor_of(self.request)

    @property
    def reason(self) -> str:
        """Why, in the words of who asks: the parameter `reason`."""
        return str(self.request.query_params.get("reason", ""))[:2000]

    def body(self, kind: type[dict[str, Any]] | type[list[Any]] = dict) -> Any:
        """The request's body, a mapping or a list.

        Raises:
            BadRequest: it is something else.
        """
        data = self.request.data
        if kind is dict and not data:
            return {}
        if not isinstance(data, kind):
            raise BadRequest(f"The body must be a {'mapping' if kind is dict else 'list'}.")
        return dict(data) if kind is dict else data


class ClusterView(ApiView):
    """About the cluster that the address names."""

    def cluster_of(self) -> Cluster:
        """The cluster of the address."""
        return find_cluster(int(self.kwargs["cluster_id"]))


def find_cluster(cluster_id: int) -> Cluster:
    """A cluster by its id.

    Raises:
        NotFound: there is none.
    """
    found = Cluster.objects.select_related("release").filter(id=cluster_id).first()
    if found is None:
        raise NotFound("Cluster not found")
    return found


def task_answer(row: Transaction) -> Response:
    """What everything that starts work answers: 200 if it is over already, else 202."""
    return Response(TaskSerializer(row).data, status=202 if row.status in ("pending", "running") else 200)
