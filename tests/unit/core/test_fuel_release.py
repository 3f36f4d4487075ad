"""Which versions are Fuel's, and which of them deployed role by role only."""

from __future__ import annotations

import pytest

from deployments.core.fuel_release import fuel_version, is_before_task_based


@pytest.mark.parametrize(("version", "fuel", "before"), [
    ("2015.1.0-7.0", (7, 0), True), ("2014.2.2-6.1", (6, 1), True), ("2014.2-6.0", (6, 0), True), ("liberty-8.0", (8, 0), False),
    ("mitaka-9.0", (9, 0), False), ("Mitaka-9.0.1", (9, 0), False), ("newton-10.0", (10, 0), False), ("ocata-11.0", (11, 0), False),
    ("default-1.0", None, False), ("shop-1.0", None, False), ("kilo-", None, False), ("7.0", None, False), ("2015.1.0", None, False),
    ("shop-2015.1.0-7.0", None, False), ("my-kilo-7.0", None, False), ("kilo-7.0-rc", None, False), ("1999.1-1.0", None, False),
    ("", None, False), ("newton-shop-1.0", None, False),
])  # fmt: skip
def test_versions(version: str, fuel: tuple[int, int] | None, before: bool) -> None:
    assert (fuel_version(version), is_before_task_based(version)) == (fuel, before)
