"""How the API is described (OpenAPI): what views say about themselves in a few words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from deployments.api import paging
from deployments.api.shapes.transactions import TaskSerializer

F = TypeVar("F", bound=Callable[..., Any])
Parameters = Sequence[OpenApiParameter]

ANY_MAPPING = {"type": "object", "additionalProperties": True}
ANY_LIST: dict[str, Any] = {"type": "array", "items": {}}
ANYTHING: dict[str, Any] = {"nullable": True}
SPECIFIED_HISTORY = "/api/transactions/{transaction_id}/deployment_history/"
TASKS = {"type": "array", "items": ANY_MAPPING}
_METHODS = ("get", "put", "post", "patch", "delete")
ERROR = {
    "type": "object",
    "required": ["message", "errors"],
    "properties": {"message": {"type": "string"}, "errors": {"type": "array", "items": ANY_MAPPING}},
}


def query(name: str, what: str, kind: Any = str) -> OpenApiParameter:
    """A query parameter."""
    return OpenApiParameter(name, kind, description=what)


def flag(name: str, what: str) -> OpenApiParameter:
    """A query parameter that is 1 or 0."""
    return OpenApiParameter(name, str, description=what, enum=["0", "1", "true", "false"])


REASON = query("reason", "Why, in your words; it is kept in the history.")
FORCE = flag("force", "Ignore what was done before.")
DRY_RUN = flag("dry_run", "Plan and record, run nothing.")
NOOP_RUN = flag("noop_run", "Plan and record every task, and execute none: each ends skipped.")
GRAPH_TYPE = query("graph_type", "Type of the graph (default: default).")
NODES = query("nodes", "Ids of nodes, joined by commas.")


def shows(
    shape: Any, *parameters: OpenApiParameter, status: int = 200, request: Any = None, about: str = "", media: str = ""
) -> Callable[[F], F]:
    """The method answers with this, as JSON if `media` names no other type."""
    return extend_schema(
        request=_body(request),
        responses={(status, media) if media else status: _response(shape)},
        parameters=list(parameters),
        description=about or None,
    )


def lists(shape: Any, *parameters: OpenApiParameter, about: str = "") -> Callable[[F], F]:
    """The method answers with a page of a list of these."""
    return extend_schema(responses={200: shape(many=True)}, parameters=[*paging.PARAMETERS, *parameters], description=about or None)


def starts(*parameters: OpenApiParameter, request: Any = None, about: str = "") -> Callable[[F], F]:
    """The method starts work and answers with its task: 202, or 200 if it is over already."""
    shape = OpenApiResponse(TaskSerializer, "The task.")
    return extend_schema(
        request=_body(request), responses={200: shape, 202: shape}, parameters=[*parameters, REASON], description=about or None
    )


def deletes(*parameters: OpenApiParameter, about: str = "") -> Callable[[F], F]:
    """The method answers 204."""
    return extend_schema(responses={204: None}, parameters=list(parameters), description=about or None)


def each_once(endpoints: Sequence[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Leave other addresses of the same views out of the description: without version there is one that answers otherwise."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/api/v1/") or endpoint[0] == SPECIFIED_HISTORY]


def errors_everywhere(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Every method may answer with an error, and all errors have one shape."""
    result.setdefault("components", {}).setdefault("schemas", {})["Error"] = ERROR
    content = {"schema": {"$ref": "#/components/schemas/Error"}}
    answer = {"description": "What is wrong.", "content": {kind: content for kind in ("application/json", "application/x-yaml")}}
    for path in result["paths"].values():
        for method, operation in path.items():
            if method in _METHODS:
                operation["responses"].setdefault("default", answer)
    return result


def _body(request: Any) -> Any:
    return {"application/json": request} if isinstance(request, dict) else request


def _response(shape: Any) -> Any:
    return OpenApiTypes.NONE if shape is None else shape
