"""The pages of Django's admin."""

from deployments.admin.account import ClusterRoleAdmin, TokenAdmin
from deployments.admin.cluster import ClusterAdmin
from deployments.admin.graph import GraphAdmin, SequenceAdmin
from deployments.admin.history import EventAdmin, TaskRunAdmin, TransactionAdmin
from deployments.admin.node import NodeAdmin
from deployments.admin.release import ReleaseAdmin

__all__ = [
    "ClusterAdmin", "ClusterRoleAdmin", "EventAdmin", "GraphAdmin", "NodeAdmin", "ReleaseAdmin", "SequenceAdmin", "TaskRunAdmin",
    "TokenAdmin", "TransactionAdmin",
]  # fmt: skip
