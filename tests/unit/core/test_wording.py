"""Words that several sentences need."""

from __future__ import annotations

import pytest

from deployments.core.wording import counted, listed, span


@pytest.mark.parametrize("count, told", [(0, "0 nodes"), (1, "1 node"), (2, "2 nodes"), (1500, "1,500 nodes")])
def test_counted(count, told):
    assert counted(count, "node") == told


@pytest.mark.parametrize(
    "names, told", [("", ""), ("a", "a"), ("a b", "a and b"), ("a b c", "a, b and c"), ("a b c d", "a, b, c and 1 more")]
)
def test_listed(names, told):
    assert listed(names.split(), 3) == told


@pytest.mark.parametrize(
    "seconds, told",
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (303, "5 min 3 s"),
        (3600, "1 h"),
        (7500.2, "2 h 5 min"),
        (3_700_000, "1,027 h 46 min"),
    ],
)
def test_span(seconds, told):
    assert span(seconds) == told
