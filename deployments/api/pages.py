"""The page that every address answers a browser with, to read it and to try it out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from rest_framework.exceptions import APIException
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request, override_method

from deployments.core.errors import FuelwebError
from deployments.services.errors import Conflict, Forbidden, NotFound


class Page(BrowsableAPIRenderer):
    """Shows forms for what the user may do, also where nothing can be read: an address that only starts something is tried out there."""

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None) -> str:
        """The page."""
        if renderer_context:
            # Some requests are refused before it is asked who sent them; a bad token must not break the page that says so.
            with suppress(APIException):
                _ = renderer_context["request"].user
        return str(super().render(data, accepted_media_type, renderer_context))

    def get_rendered_html_form(self, data: Any, view: Any, method: str, request: Request) -> Any:
        """Whether there is to be a button. There are no forms field by field: bodies are JSON or YAML."""
        if method not in ("DELETE", "OPTIONS"):
            return None
        with override_method(view, request, method) as asked:
            return self.show_form_for_method(view, method, asked, None)

    def show_form_for_method(self, view: Any, method: str, request: Request, obj: Any) -> bool:
        """Whether the user may do this here; yes if that depends on a body that is not written yet."""
        if method not in view.allowed_methods:
            return False
        try:
            view.check_permissions(request)
        except (APIException, NotFound, Forbidden, Conflict):
            return False
        except FuelwebError:
            return bool(request.user and request.user.is_authenticated)
        return True
