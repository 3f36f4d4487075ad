"""Roles, tags and the nodes they mean.

A node has roles; a role gives it tags; tasks and relations select nodes by tags. Where a tag has a primary, one node carries
`primary-<tag>` instead of the plain tag (Nailgun, releases since 10).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from deployments.core.documents.typed import mapping, names
from deployments.core.errors import InvalidData
from deployments.core.names import did_you_mean, is_pattern, matching
from deployments.core.plan import MASTER_NODE, node_order
from deployments.core.time_limit import Limit, no_limit

ALL = "*"
SELF = "self"
PRIMARY = "primary-"


class Resolver:
    """Finds the nodes that a role specification means."""

    def __init__(self, tags: Mapping[str, Iterable[str]], limit: Limit = no_limit) -> None:
        self._limit = limit
        self._nodes_by_tag: dict[str, set[str]] = {}
        for uid, of_node in tags.items():
            for tag in of_node:
                self._nodes_by_tag.setdefault(tag, set()).add(uid)
        self._everybody = frozenset(uid for uids in self._nodes_by_tag.values() for uid in uids)
        self._resolved: dict[str | tuple[str, ...], frozenset[str]] = {}

    @staticmethod
    def is_valid(roles: Any) -> bool:
        """Whether it is a text or a list of texts; anything else means no node."""
        return isinstance(roles, str) or (isinstance(roles, list | tuple) and all(isinstance(role, str) for role in roles))

    def nodes(self, roles: str | Sequence[str]) -> frozenset[str]:
        """uids of the nodes with one of the tags.

        `*` means every node that has any tag, `/…/` a regular expression, `master` the orchestrator's own host, which neither `*` nor a
        regular expression reaches.

        Raises:
            InvalidData: a regular expression is not valid or takes too long.
        """
        key = roles if isinstance(roles, str) else tuple(roles)
        if key not in self._resolved:
            names = (key,) if isinstance(key, str) else key
            self._resolved[key] = frozenset(uid for name in names for uid in self._of(name))
        return self._resolved[key]

    def _of(self, name: str) -> Iterable[str]:
        if name == ALL:
            return self._everybody
        if name == MASTER_NODE:
            return (MASTER_NODE,)
        if not is_pattern(name):
            return self._nodes_by_tag.get(name, ())
        return (uid for tag in matching(name, self._nodes_by_tag, self._limit) for uid in self._nodes_by_tag[tag])


def assign_tags(
    roles: Mapping[str, Sequence[str]],
    roles_metadata: Mapping[str, Any] | None = None,
    tags_metadata: Mapping[str, Any] | None = None,
    *,
    ready: Collection[str] = (),
    primaries: bool = True,
) -> dict[str, tuple[str, ...]]:
    """Tags of each node, sorted, from its roles (both by uid).

    Args:
        roles_metadata: by role `{tags: [...], has_primary: bool}`; a role without `tags` gives the tag of its own name. None or empty:
            every role is known.
        tags_metadata: by tag `{has_primary: bool}`. A role's `has_primary` counts for the tag of its own name.
        ready: nodes that are deployed already; the primary is the lowest of them if there is one, else the lowest of all.
        primaries: False for clusters that are not highly available: no tag has a primary.

    Raises:
        InvalidData: a role is not in `roles_metadata`, or what stands there has no tags as a list.
    """
    metadata = roles_metadata or {}
    plain = {uid: {tag for role in own for tag in _tags_of(role, metadata, uid)} for uid, own in roles.items()}
    if primaries:
        for tag in sorted(_with_primary(metadata, tags_metadata or {})):
            _appoint(tag, plain, ready)
    return {uid: tuple(sorted(tags)) for uid, tags in plain.items()}


def _tags_of(role: str, metadata: Mapping[str, Any], uid: str) -> Sequence[str]:
    if metadata and role not in metadata:
        raise InvalidData(f"Node {uid} has the role '{role}', which is not known{did_you_mean(role, metadata)}", node=uid)
    about = mapping(metadata, role, "roles_metadata")
    return [role] if about.get("tags") is None else names(about, "tags", f"the role '{role}'")


def _with_primary(roles_metadata: Mapping[str, Any], tags_metadata: Mapping[str, Any]) -> set[str]:
    metadata = (*roles_metadata.items(), *tags_metadata.items())
    return {name for name, about in metadata if isinstance(about, Mapping) and about.get("has_primary")}


def _appoint(tag: str, tags: Mapping[str, set[str]], ready: Collection[str]) -> None:
    candidates = [uid for uid, own in tags.items() if tag in own]
    if candidates:
        primary = min(candidates, key=lambda uid: (uid not in ready, node_order(uid)))
        tags[primary].remove(tag)
        tags[primary].add(PRIMARY + tag)
