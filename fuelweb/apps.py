"""The composition root as an app, so that its commands are found."""

from django.apps import AppConfig


class FuelwebConfig(AppConfig):
    """Knows everybody; nobody knows it."""

    name = "fuelweb"
