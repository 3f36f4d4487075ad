"""Names in braces in the texts of a task: `/var/lib/fuel/{CLUSTER_ID}/cluster.yaml`.

Only plain names are filled in, never their attributes or items: a graph must not reach into the program. A text that can't be
formatted stays as it is (Nailgun).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from string import Formatter

NAMES = ("CLUSTER_ID", "OPENSTACK_VERSION", "MASTER_IP", "CN_HOSTNAME", "SETTINGS")

_SPEC = re.compile(r"[^{}\d]{0,3}\d{0,3}[^{}\d]{0,2}")
"""Format specifications of a sane size: a width of a billion would fill the memory."""

_CONVERSIONS: dict[str | None, Callable[[object], object]] = {None: lambda value: value, "s": str, "r": repr, "a": ascii}


def fill_in(text: str, names: Mapping[str, object]) -> str:
    """The text with every `{NAME}` replaced and `{{` turned into `{`; the text itself where anything in it doesn't fit."""
    if "{" not in text and "}" not in text:
        return text
    try:
        return "".join(_piece(*piece, names) for piece in Formatter().parse(text))
    except (ValueError, KeyError, TypeError):
        return text


def _piece(literal: str, name: str | None, spec: str | None, conversion: str | None, names: Mapping[str, object]) -> str:
    if name is None:
        return literal
    if not _SPEC.fullmatch(spec or ""):
        raise ValueError(spec)
    return literal + format(_CONVERSIONS[conversion](names[name]), spec or "")
