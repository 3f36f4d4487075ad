"""Fault tolerance, legacy conditions and formatting: small languages of their own."""

from __future__ import annotations

import pytest

from deployments.core.expressions import legacy
from deployments.core.expressions.formatting import fill_in
from deployments.core.planning.strategy import tolerance_of


@pytest.mark.parametrize(
    ("written", "nodes", "tolerance"),
    [
        (0, 3, 0),
        (2, 3, 2),
        ("2", 3, 2),
        (-1, 3, 2),
        (-5, 3, 0),
        ("10%", 3, 0),
        ("34%", 3, 1),
        ("2%", 49, 0),
        ("2%", 50, 1),
        ("100%", 3, 3),
        (None, 3, 4),
        ("", 3, 4),
        ("some", 3, 4),
        ("2.5%", 3, 4),
        ([], 3, 4),
    ],
)
def test_fault_tolerance(written, nodes, tolerance):
    found, complaint = tolerance_of(written, nodes)
    assert found == tolerance
    assert bool(complaint) == (found > nodes and written is not None)


DATA = {
    "storage": {"ceph": True},
    "sahara": {"enabled": True},
    "debug": False,
    "list": ["a"],
    "cluster": {"mode": "ha"},
    "n": 3,
    "s": "abc",
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("settings:storage.ceph.value == true", True),
        ("settings:storage.ceph", True),
        ("settings:additional_components.sahara.value", True),
        ("settings:common.debug.value == false", True),
        ("cluster:mode == 'ha' and not settings:debug", True),
        ('cluster:mode != "ha" or settings:n == 3', True),
        ("settings:no.such.key == null", True),
        ("settings:no.such.key?", None),
        ("'a' in settings:list", True),
        ("'b' not in settings:list", True),
        ("'b' in settings:s", True),
        ("'b' in settings:missing", False),
        ("not (true and false) and -3 == -3", True),
        ("true or false and false", True),
        ("(true or false) and false", False),
        ("not true == false", True),
    ],
)
def test_legacy_conditions(text, value):
    assert legacy.parse(text)(DATA) == value


@pytest.mark.parametrize("text", ["", "a", "settings:", "1 ==", "(true", "true true", "true not false", "'a", "(" * 500, "$.x", "true)"])
def test_legacy_conditions_that_cannot_be_read(text):
    with pytest.raises(legacy.BadCondition):
        legacy.parse(text)


NAMES = {"CLUSTER_ID": 5, "MASTER_IP": "10.0.0.1", "CN_HOSTNAME": None}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("c{CLUSTER_ID}-{MASTER_IP}", "c5-10.0.0.1"),
        ("{CLUSTER_ID:03d} {MASTER_IP!r}", "005 '10.0.0.1'"),
        ("{{x}}", "{x}"),
        ("{ {CLUSTER_ID}", "{ {CLUSTER_ID}"),
        ("{nope} {CLUSTER_ID}", "{nope} {CLUSTER_ID}"),
        ("{CLUSTER_ID.__class__}", "{CLUSTER_ID.__class__}"),
        ("{MASTER_IP[0]}", "{MASTER_IP[0]}"),
        ("{}", "{}"),
        ("{0}", "{0}"),
        ("{CLUSTER_ID:999999999d}", "{CLUSTER_ID:999999999d}"),
        ("{CLUSTER_ID:{CLUSTER_ID}}", "{CLUSTER_ID:{CLUSTER_ID}}"),
        ("{CN_HOSTNAME}", "None"),
        ("}", "}"),
        ("plain", "plain"),
    ],
)
def test_formatting(text, filled):
    assert fill_in(text, NAMES) == filled
