"""Cluster files, roles and tags."""

from __future__ import annotations

import pytest

from deployments.core.cases import cluster_file
from deployments.core.errors import InvalidData
from deployments.core.planning.roles import assign_tags

FILE = """
name: demo
roles_metadata: {controller: {tags: [controller, database]}, compute: {}}
tags_metadata: {controller: {has_primary: true}}
nodes:
  - {uid: 10, roles: [controller]}
  - {uid: 9, name: nine, roles: [controller, compute], data: {port: 1}}
  - {uid: 3, tags: [own]}
common: {a: 1}
"""


def test_a_good_file():
    described = cluster_file.load(FILE)
    assert described.name == "demo"
    facts = described.facts()
    assert {node.uid: node.tags for node in facts.nodes} == {
        "10": ("controller", "database"),
        "9": ("compute", "database", "primary-controller"),
        "3": ("own",),
    }
    assert facts.nodes[1].deployment_info() == {
        "uid": "9",
        "roles": ["compute", "database", "primary-controller"],
        "name": "nine",
        "port": 1,
    }
    assert facts.common == {"a": 1}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[]", "must be a mapping"),
        ("{node: []}", "did you mean 'nodes'?"),
        ("{nodes: {}}", None),
        ("{nodes: {a: 1}}", "must be a list"),
        ("{nodes: [{uid: 1, role: [a]}]}", "did you mean 'roles'?"),
        ("{nodes: [{}]}", "has the uid None"),
        ("{nodes: [{uid: true}]}", "has the uid True"),
        ("{nodes: [{uid: ../x}]}", "a short name"),
        ("{nodes: [{uid: master}]}", "the system itself uses it"),
        ("{nodes: [{uid: 1}, {uid: '1'}]}", "Two nodes"),
        ("{nodes: [{uid: 1, roles: {a: b}}]}", "list of names"),
        ("{nodes: [{uid: 1, data: 5}]}", "`data` of Node 1 must be a mapping"),
        ("{1: 2}", "put it in quotes"),
    ],
)
def test_bad_files_say_what_to_do(text, sentence):
    if sentence is None:
        assert cluster_file.load(text).nodes == ()
    else:
        with pytest.raises(InvalidData, match=sentence):
            cluster_file.load(text)


def test_unknown_roles_are_refused_where_roles_are_known():
    with pytest.raises(InvalidData, match="did you mean 'controller'"):
        assign_tags({"1": ["controler"]}, {"controller": {}})
    assert assign_tags({"1": ["anything"]}) == {"1": ("anything",)}


@pytest.mark.parametrize(
    ("ready", "primaries", "primary"),
    [((), True, "2"), (("10",), True, "10"), ((), False, None)],
)
def test_the_primary_is_the_lowest_node_ready_ones_first(ready, primaries, primary):
    tags = assign_tags({"10": ["a"], "2": ["a"], "x": ["a"]}, {"a": {"has_primary": True}}, ready=ready, primaries=primaries)
    assert {uid: own for uid, own in tags.items() if own == ("primary-a",)} == ({primary: ("primary-a",)} if primary else {})
    assert all(own in (("a",), ("primary-a",)) for own in tags.values())
