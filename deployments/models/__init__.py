"""What is described, one noun a file."""

from deployments.models.cluster import Cluster
from deployments.models.cluster_role import ClusterRole
from deployments.models.failed_log_in import FailedLogIn
from deployments.models.graph import Graph
from deployments.models.node import Node
from deployments.models.notification import Notification
from deployments.models.release import Release
from deployments.models.sequence import Sequence
from deployments.models.token import Token

__all__ = ["Cluster", "ClusterRole", "FailedLogIn", "Graph", "Node", "Notification", "Release", "Sequence", "Token"]
