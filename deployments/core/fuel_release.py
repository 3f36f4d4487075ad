"""Which of Fuel's versions a release of the software is for, as its version says: what Fuel did by default differs between them."""

from __future__ import annotations

import re

_OPENSTACK = ("grizzly", "havana", "icehouse", "juno", "kilo", "liberty", "mitaka", "newton", "ocata", "pike", "queens")
"""The OpenStack versions in Fuel's time. From Grizzly to Kilo Fuel wrote the year: `2014.2.2-6.1`, `2015.1.0-7.0`."""
_FORM = re.compile(rf"(?:20\d\d\.\d+(?:\.\d+)?|{'|'.join(_OPENSTACK)})-(\d{{1,3}})\.(\d{{1,3}})(?:\.\d{{1,3}})*", re.IGNORECASE)
TASK_BASED_SINCE = (8, 0)


def fuel_version(version: str) -> tuple[int, int] | None:
    """`2015.1.0-7.0` is (7, 0), `newton-10.0` is (10, 0); None for versions that are not Fuel's, such as `shop-1.0`."""
    found = _FORM.fullmatch(version.strip())
    return (int(found[1]), int(found[2])) if found else None


def is_before_task_based(version: str) -> bool:
    """Whether the release is one for a Fuel that deployed role by role only (before 8.0)."""
    fuel = fuel_version(version)
    return fuel is not None and fuel < TASK_BASED_SINCE
