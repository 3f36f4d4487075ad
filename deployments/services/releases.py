"""Finding releases."""

from __future__ import annotations

from deployments.models import Release
from deployments.services.errors import NotFound


def find_release(name: str) -> Release:
    """The release of this version, of this name, or of this id.

    Raises:
        NotFound: there is none, or the name alone means several.
    """
    for lookup in ({"version": name}, {"name": name}, {"id": int(name)} if name.isdecimal() else {}):
        found = list(Release.objects.filter(**lookup)[:2]) if lookup else []
        if len(found) > 1:
            raise NotFound(f"Several releases are called {name!r}: give the version or the id.")
        if found:
            return found[0]
    known = ", ".join(str(release) for release in Release.objects.all()[:10]) or "none yet"
    raise NotFound(f"There is no release {name!r}. Known releases: {known}.")
