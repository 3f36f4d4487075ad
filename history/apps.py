"""The app that remembers: transactions, task runs, attempts, events, snapshots."""

from django.apps import AppConfig


class HistoryConfig(AppConfig):
    """History knows nothing of deployments: it holds ids and names, and outlives what it tells about."""

    name = "history"
    default_auto_field = "django.db.models.BigAutoField"
