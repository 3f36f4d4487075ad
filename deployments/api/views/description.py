"""The description of the API (OpenAPI), for programs and for people."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView


class SchemaView(SpectacularAPIView):
    """The description itself."""

    needs: ClassVar[dict[str, str]] = {"GET": "public"}


class DocsView(SpectacularSwaggerView):
    """A page to read it and to try it out."""

    needs: ClassVar[dict[str, str]] = {"GET": "public"}
    url_name = "schema"
