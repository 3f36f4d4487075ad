"""The user's task list: reading `tasks.yaml`, checking it, and merging the lists of a release and a cluster."""

from deployments.core.graph.loading import Graph, load_tasks
from deployments.core.graph.merging import merge
from deployments.core.graph.templates import TASK_TYPES
from deployments.core.graph.validation import validate

__all__ = ["TASK_TYPES", "Graph", "load_tasks", "merge", "validate"]
