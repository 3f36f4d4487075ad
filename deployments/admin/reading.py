"""What all pages of history have in common: they are to be read only. They are shown here, not by the app that keeps history: that one
knows neither pages nor who may see what."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property

from deployments.admin.access import ByRole

_MOST_COUNTED = 5_000


class CappedPaginator(Paginator):
    """Counts no further than anybody would turn pages: counting millions of rows takes longer than showing a hundred."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, up to the cap."""
        return self.object_list[:_MOST_COUNTED].count()


class ReadOnly(ByRole):
    """Nobody changes what has been."""

    show_full_result_count = False
    paginator = CappedPaginator
    list_per_page = 50


class Rows(admin.TabularInline):
    """Rows on another row's page, to be read only."""

    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who sees the page sees its rows."""
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False
