"""The pages of Django's admin."""

from deployments.admin.account import ClusterRoleAdmin, TokenAdmin
from deployments.admin.cluster import ClusterAdmin
from deployments.admin.event import EventAdmin
from deployments.admin.graph import GraphAdmin, SequenceAdmin
from deployments.admin.node import NodeAdmin
from deployments.admin.release import ReleaseAdmin
from deployments.admin.task_run import TaskRunAdmin
from deployments.admin.transaction import TransactionAdmin

__all__ = [
    "ClusterAdmin", "ClusterRoleAdmin", "EventAdmin", "GraphAdmin", "NodeAdmin", "ReleaseAdmin", "SequenceAdmin", "TaskRunAdmin",
    "TokenAdmin", "TransactionAdmin",
]  # fmt: skip
