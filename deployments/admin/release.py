"""Releases."""

from django.contrib import admin

from deployments.admin.access import ByRole, OfCluster
from deployments.models import Graph, Release
from deployments.services import rights


class ReleaseGraphs(OfCluster):
    """The release's graphs, by type."""

    model = Graph
    fields = ["type", "name"]
    extra = 0
    show_change_link = True


@admin.register(Release)
class ReleaseAdmin(ByRole):
    """Releases with their graphs."""

    to_change = to_add = to_delete = rights.ADMIN
    list_display = ["name", "version", "operating_system", "state"]
    list_filter = ["state", "operating_system"]
    search_fields = ["name", "version"]
    inlines = [ReleaseGraphs]
