"""Finding releases."""

from __future__ import annotations

import re

from django.db.models import Case, QuerySet, Value, When

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


def newest_first() -> QuerySet[Release]:
    """All releases by the number in their version (`newton-10.0` before `mitaka-9.0`), the highest first; there are few."""
    ordered = sorted(Release.objects.values_list("version", "name", "pk"), key=lambda row: (_number(row[0]), row[0], row[1]), reverse=True)
    places = [When(pk=pk, then=Value(place)) for place, (_, _, pk) in enumerate(ordered)]
    return Release.objects.order_by(Case(*places, default=Value(len(places))), "pk")


def _number(version: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d{1,9}", version.rpartition("-")[2])]
