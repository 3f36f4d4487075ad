"""Texts that no database could keep: found and named, or replaced."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.core.documents.texts import refuse_unstorable, storable
from deployments.core.errors import InvalidData

TEXTS = st.text(st.characters(categories=None) | st.sampled_from("\0\ud800\udfff"), max_size=5)
DATA = st.recursive(
    TEXTS | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)


@given(DATA)
def test_what_was_made_storable_is_not_refused(data: object) -> None:
    clean = storable(data)
    refuse_unstorable(clean, "It")
    json.dumps(clean, ensure_ascii=False).encode()
    assert "\\u0000" not in json.dumps(clean)


@pytest.mark.parametrize(
    ("data", "where"),
    [("\0", ""), ({"a": [1, {"b": "\ud800"}]}, " in a.2.b"), ({"a\0": 1}, " in a\ufffd"), (["x", ["\udfff"]], " in 2.1")],
)
def test_the_place_is_named(data: object, where: str) -> None:
    with pytest.raises(
        InvalidData, match=rf"^It has a character that can't be stored \(NUL, or half a surrogate pair\){where}: take it out\.$"
    ):
        refuse_unstorable(data, "It")
