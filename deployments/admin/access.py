"""The rights of the API, on the pages of the admin: who sees, changes and starts what is decided by roles in clusters."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import JSONField, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst

from deployments.models import Cluster
from deployments.services import rights


class Structured(forms.JSONField):
    """JSON, written over several lines where it would not fit into one. `nothing` makes what an emptied box means."""

    nothing: Callable[[], Any] = staticmethod(lambda: None)

    def clean(self, value: Any) -> Any:
        """The data."""
        found = super().clean(value)
        return self.nothing() if found is None else found

    def prepare_value(self, value: Any) -> Any:
        """What the box shows."""
        if value is None:
            return ""
        if isinstance(value, forms.fields.InvalidJSONInput) or isinstance(value, str):
            return super().prepare_value(value)
        flat = json.dumps(value, ensure_ascii=False)
        return flat if len(flat) < 90 else json.dumps(value, ensure_ascii=False, indent=2)


class ByRole(admin.ModelAdmin):
    """Shows what belongs to clusters that the user sees, and lets change what the user has the right to.

    `to_change`, `to_add`, `to_delete`: the right that each takes in the object's cluster; None = nobody may. `cluster_path`: from the
    model to the id of its cluster; empty = it belongs to no cluster, and everybody with any role sees it.
    """

    cluster_path: ClassVar[str] = ""
    to_change: ClassVar[str | None] = None
    to_add: ClassVar[str | None] = None
    to_delete: ClassVar[str | None] = None

    class Media:
        """States in their colours, data in a type that can be read."""

        css: ClassVar = {"all": ["deployments/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Only what the user sees."""
        rows = super().get_queryset(request)
        if not self.cluster_path or rights.sees_everything(request.user):
            return rows
        return rows.filter(**{f"{self.cluster_path}__in": rights.visible_clusters(request.user).values("id")})

    def cluster_id_of(self, item: Any) -> int | None:
        """Of which cluster the object is a part."""
        for name in self.cluster_path.split("__") if self.cluster_path else ():
            item = getattr(item, name, None)
        return item if self.cluster_path else None

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whether the app is shown at all."""
        return rights.may_somewhere(request.user, rights.VIEW)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A role anywhere to see the list (of what is visible), the right in its cluster to see one."""
        return self._may(request, rights.VIEW, obj) if self.cluster_path else self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """As `to_change` says."""
        return self._may(request, self.to_change, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """As `to_delete` says."""
        return self._may(request, self.to_delete, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """As `to_add` says; everywhere, as it is in no cluster yet."""
        return self.to_add is not None and rights.may(request.user, self.to_add, None)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """A list is called what it shows, not "select … to change"."""
        return super().changelist_view(request, {"title": self.list_title(request), **(extra_context or {})})

    def list_title(self, request: HttpRequest) -> str:
        """What the list shows."""
        return str(capfirst(self.opts.verbose_name_plural))

    def formfield_for_dbfield(self, field: Any, request: HttpRequest, **options: Any) -> Any:
        """Structured data are shown so that they can be read, in boxes that fit them."""
        if isinstance(field, JSONField):
            options["form_class"], options["widget"] = Structured, forms.Textarea(attrs={"rows": 3, "cols": 90, "class": "structured"})
        found = super().formfield_for_dbfield(field, request, **options)
        if isinstance(found, Structured):
            found.nothing = field.get_default
        return found

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Deleting many at once would look at no single one's rights."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}

    def _may(self, request: HttpRequest, right: str | None, item: Any) -> bool:
        if right is None:
            return False
        if item is None:
            return rights.may_somewhere(request.user, right)
        return rights.may(request.user, right, Cluster(id=self.cluster_id_of(item)))


class OfCluster(admin.TabularInline):
    """Rows on a cluster's (or release's) page, changed by who may change that."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who sees the page sees its rows."""
        return rights.may_somewhere(request.user, rights.VIEW)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As changing."""
        return self.has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The right `admin` in the cluster; of anything else, everywhere."""
        return rights.may(request.user, rights.ADMIN, obj if isinstance(obj, Cluster) else None)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As changing."""
        return self.has_change_permission(request, obj)
