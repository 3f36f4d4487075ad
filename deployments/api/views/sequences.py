"""Sequences of graphs."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api import describe, parameters
from deployments.api.base import ApiView, find_cluster, task_answer
from deployments.api.paging import listed
from deployments.api.shapes.graphs import SequenceSerializer
from deployments.api.shapes.requests import HowSerializer
from deployments.api.views.graphs import named_cluster
from deployments.models import Cluster, Sequence
from deployments.services import actions, sequences
from deployments.services.actions import Asker
from deployments.services.clock import SystemClock
from deployments.services.lifecycle import DeployOptions
from deployments.services.setup import make_dispatcher

_GRAPHS = {"name": {"type": "string"}, "graphs": {"type": "array", "minItems": 1, "items": describe.ANY_MAPPING}}
_NEW = {
    "type": "object",
    "required": ["name", "graphs", "release"],
    "additionalProperties": False,
    "properties": {**_GRAPHS, "release": {"type": "integer"}},
}
_CHANGE = {"type": "object", "additionalProperties": False, "properties": _GRAPHS}


class SequencesView(ApiView):
    """Sequences. They belong to releases, so to nobody's cluster."""

    needs = {"GET": "view", "POST": "admin"}

    @describe.lists(
        SequenceSerializer, describe.query("release", "Only of this release."), describe.query("cluster", "Only of this cluster's release.")
    )
    def get(self, request: Request) -> Response:
        """All sequences."""
        rows = Sequence.objects.order_by("id")
        if (release := parameters.number(request, "release")) is not None:
            rows = rows.filter(release_id=release)
        if (cluster := parameters.number(request, "cluster")) is not None:
            rows = rows.filter(release__clusters=cluster)
        return listed(request, rows, SequenceSerializer, ("id", "name", "release_id"))

    @describe.shows(SequenceSerializer, status=201, request=_NEW)
    def post(self, request: Request) -> Response:
        """Make a sequence."""
        return Response(SequenceSerializer(sequences.create(self.body())).data, status=201)


class OneSequenceView(ApiView):
    """A sequence."""

    needs = {"GET": "view", "PUT": "admin", "PATCH": "admin", "DELETE": "admin"}

    @describe.shows(SequenceSerializer)
    def get(self, request: Request, sequence_id: str) -> Response:
        """The sequence."""
        return Response(SequenceSerializer(self._sequence()).data)

    @describe.shows(SequenceSerializer, request=_CHANGE)
    def put(self, request: Request, sequence_id: str) -> Response:
        """Change its name or its graphs."""
        return Response(SequenceSerializer(sequences.change(self._sequence(), self.body())).data)

    @describe.shows(SequenceSerializer, request=_CHANGE)
    def patch(self, request: Request, sequence_id: str) -> Response:
        """Change its name or its graphs."""
        return self.put(request, sequence_id)

    @describe.deletes()
    def delete(self, request: Request, sequence_id: str) -> Response:
        """Delete the sequence."""
        self._sequence().delete()
        return Response(status=204)

    def _sequence(self) -> Sequence:
        return sequences.find_sequence(int(self.kwargs["sequence_id"]))


class ExecuteSequenceView(ApiView):
    """Runs a sequence."""

    needs = {"POST": "operate"}

    def cluster_of(self) -> Cluster | None:
        """The cluster that the body names."""
        return named_cluster(self.request.data)

    @describe.starts(request=HowSerializer)
    def post(self, request: Request, sequence_id: str) -> Response:
        """Run the sequence's graphs on a cluster."""
        wanted = HowSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        said = wanted.validated_data
        cluster = find_cluster(said["cluster"])
        sequence = sequences.of_cluster(sequences.find_sequence(int(sequence_id)), cluster)
        options = DeployOptions(dry_run=said["dry_run"], noop=said["noop_run"], force=said["force"])
        asker = Asker(self.actor, self.reason, SystemClock(), make_dispatcher())
        return task_answer(actions.execute(cluster, sequence.graphs, options, asker))
