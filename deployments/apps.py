"""The app that describes, plans, runs, stops and launches."""

from django.apps import AppConfig


class DeploymentsConfig(AppConfig):
    """Writes its memory through the app `history`."""

    name = "deployments"
    default_auto_field = "django.db.models.BigAutoField"
