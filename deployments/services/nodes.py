"""Nodes as machines: finding, announcing, changing and removing them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import IntegrityError
from django.db import transaction as database
from django.db.models import QuerySet

from deployments.core.errors import InvalidData
from deployments.core.states import NODE, PROVISION, check, passage
from deployments.models import Cluster, Node
from deployments.models.node import ERROR_TYPES, STATUSES
from deployments.services import notifications
from deployments.services.clock import Clock
from deployments.services.errors import Conflict, Forbidden, NotFound
from history import queries as history
from history import recorder
from history.models import Transaction

FIRST_GIVEN_NUMBER = 1_000_000_000
"""Numbers from here on are given to nodes whose uid is no number of Fuel's kind."""
_BUSY = ("provisioning", "deploying", "removing")
_HOSTNAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*")
_TEXTS = {"name": 255, "hostname": 255, "mac": 32, "ip": 64, "os_platform": 150, "manufacturer": 150, "kernel_params": 10_000}
_FLAGS = ("online", "pending_addition", "pending_deletion")
_NAMES = ("roles", "pending_roles", "tags")
_MAPPINGS = ("meta", "labels")


def number_of(node: Node) -> int:
    """The node's id for clients that know numbers only: its uid where that is a number, else one that no such uid can be."""
    uid = node.uid
    if uid.isascii() and uid.isdecimal() and str(int(uid)) == uid and int(uid) < FIRST_GIVEN_NUMBER:
        return int(uid)
    return FIRST_GIVEN_NUMBER + node.pk


def uid_of(name: str | int, among: QuerySet[Node] | None = None) -> str:
    """The uid that a client means by a number or by the uid itself; the name as it is if no node has such a number."""
    text = str(name)
    if text.isascii() and text.isdecimal() and len(text) <= 18 and int(text) >= FIRST_GIVEN_NUMBER:
        nodes = Node.objects.all() if among is None else among
        found = nodes.filter(pk=int(text) - FIRST_GIVEN_NUMBER).values_list("uid", flat=True).first()
        return found if found is not None else text
    return text


def find_node(name: str | int) -> Node:
    """A node by its number or uid.

    Raises:
        NotFound: there is none.
    """
    found = Node.objects.select_related("cluster").filter(uid=uid_of(name)).first()
    if found is None:
        raise NotFound("Node not found")
    return found


def find_nodes(names: Collection[str | int]) -> list[Node]:
    """Nodes by their numbers or uids, in that order.

    Raises:
        NotFound: names those that are not there.
    """
    uids = list(dict.fromkeys(uid_of(name) for name in names))
    found = {node.uid: node for node in Node.objects.filter(uid__in=uids)}
    if missing := [uid for uid in uids if uid not in found]:
        raise NotFound(f"Nodes with ids {', '.join(missing)} were not found.")
    return [found[uid] for uid in uids]


def shown_status(node: Node) -> str:
    """The status that Nailgun shows: a node that has begun and not ended is on its way, whatever is stored."""
    if node.status in _BUSY or not 0 < node.progress < 100:
        return node.status
    return "removing" if node.pending_deletion else "provisioning" if node.pending_addition else "deploying"


def register(data: Mapping[str, Any], clock: Clock) -> Node:
    """Take in a machine that has announced itself.

    Raises:
        InvalidData: a field is not as it must be.
        Forbidden: it claims to be further than discovered.
        Conflict: its MAC address (or its uid) is known.
    """
    if data.get("status", "discover") != "discover":
        raise Forbidden("Only bootstrap nodes are allowed to be registered.")
    values = _values(data)
    if not values.get("mac"):
        raise InvalidData("No mac address specified")
    uid = data.get("uid") or data.get("id")
    if uid is not None and not (isinstance(uid, str | int) and not isinstance(uid, bool) and 0 < len(str(uid)) <= 100):
        raise InvalidData("The node's `uid` must be a number or a text of at most 100 characters.")
    with database.atomic():
        try:
            with database.atomic():
                node = Node.objects.create(uid=str(uid or _next_number()), **{**values, "status": "discover"})
        except IntegrityError as error:
            raise Conflict(f"Node with mac {values['mac']} already exists, or its uid is taken or reserved.") from error
        notifications.discovered(node, clock.now())
        return node


def heard_of(data: Mapping[str, Any]) -> Node:
    """An agent says what its machine is: keep it, and mark the machine online.

    Raises:
        NotFound: no machine has this MAC address; it has to be registered first.
        InvalidData: a field is not as it must be.
    """
    node = known_by(data)
    values = {name: value for name, value in _values(data).items() if name in ("ip", "meta", "os_platform", "manufacturer", "online")}
    Node.objects.filter(pk=node.pk).update(**{**values, "online": True})
    node.refresh_from_db()
    return node


def known_by(data: Mapping[str, Any]) -> Node:
    """The machine of this `id`, `uid` or `mac`.

    Raises:
        NotFound: there is none.
        InvalidData: none of them is given.
    """
    for key in ("uid", "id"):
        if isinstance(data.get(key), str | int) and not isinstance(data[key], bool):
            return find_node(data[key])
    mac = data.get("mac")
    if not isinstance(mac, str) or not mac:
        raise InvalidData("Neither id nor mac of the node is specified.")
    found = Node.objects.filter(mac=mac.lower()).first()
    if found is None:
        raise NotFound("Node not found")
    return found


def update(node: Node, data: Mapping[str, Any], *, actor: str, reason: str, clock: Clock) -> Node:
    """Change what people may change of a node. A change of its state is recorded as a request `node_state`.

    Raises:
        InvalidData: a field is not as it must be, or the table of moves does not have such a change of its state.
        Conflict: the hostname or the MAC address is taken, or its state is to be changed while it is being deployed.
    """
    wanted = data.get("cluster_id", data.get("cluster", node.cluster_id))
    if wanted != node.cluster_id:
        raise InvalidData("Changing cluster on the fly is not allowed: use assignment and unassignment.")
    values = _values(data)
    moves = values.get("status", node.status) != node.status
    if moves:
        _check_move(node, values["status"])
    elif values.get("error_type", node.error_type) != node.error_type:
        _check_trouble(node)
    try:
        with database.atomic():
            if not Node.objects.filter(pk=node.pk, status=node.status).update(**values):
                raise Conflict(f"The state of node {node.uid} has just changed: look at it again.")
            if moves:
                _record_move(node, values["status"], actor, reason, clock)
    except IntegrityError as error:
        raise Conflict(f"Another node has this hostname or this MAC address: {values.get('hostname') or values.get('mac')}.") from error
    node.refresh_from_db()
    return node


def _check_move(node: Node, status: str) -> None:
    """What a deployment is doing to the node is its own matter; else the table of moves decides."""
    _check_idle(node)
    if status in _BUSY:
        raise InvalidData(f"Node {node.uid} can't be said to be {status}: only a deployment makes it so.", node=node.uid)
    check(NODE, node.status, status, node=node.uid)


def _check_trouble(node: Node) -> None:
    """What is wrong with a node decides what is due there, so it goes with the state."""
    if node.error_type == passage(PROVISION).error_type:
        raise InvalidData(f"The provisioning of node {node.uid} did not end well: it has to be provisioned again.", node=node.uid)
    _check_idle(node)


def _check_idle(node: Node) -> None:
    if node.cluster_id and (busy := history.unfinished_deploy(node.cluster_id)) is not None:
        raise Conflict(f"Node {node.uid} is being deployed (transaction {busy.pk}): its state is that deployment's. Wait, or stop it.")


def _record_move(node: Node, status: str, actor: str, reason: str, clock: Clock) -> None:
    cluster = node.cluster
    request = recorder.Request(
        name="node_state", cluster_id=cluster.pk if cluster else None, cluster_name=cluster.name if cluster else "", actor=actor,
        reason=reason, arguments={"node": node.uid, "old": node.status, "new": status},
    )  # fmt: skip
    recorder.note_done(request, clock.now(), f"Node {node.uid} went from {node.status} to {status}, as {actor or 'somebody'} said.")


def update_several(nodes: Sequence[Node], entries: Sequence[Mapping[str, Any]], *, actor: str, reason: str, clock: Clock) -> list[Node]:
    """Change each node as its entry says: all of them, or none.

    Raises:
        InvalidData: a field is not as it must be.
        Conflict: a hostname or a MAC address is taken.
    """
    with database.atomic():
        return [update(node, data, actor=actor, reason=reason, clock=clock) for node, data in zip(nodes, entries, strict=True)]


def delete(nodes: Sequence[Node], *, actor: str, reason: str, clock: Clock) -> Transaction:
    """Forget machines; the finished request `node_deletion`.

    Raises:
        Forbidden: a cluster of theirs is being deployed.
    """
    busy = {node.cluster_id for node in nodes if node.cluster_id and history.unfinished_deploy(node.cluster_id)}
    if busy:
        raise Forbidden("Nodes of a cluster that is being deployed can't be deleted: wait for that to end, or stop it.")
    uids = [node.uid for node in nodes]
    clusters = {node.cluster_id for node in nodes}
    cluster = Cluster.objects.filter(pk=clusters.pop()).first() if len(clusters) == 1 else None
    request = recorder.Request(
        name="node_deletion", cluster_id=cluster.pk if cluster else None, cluster_name=cluster.name if cluster else "", actor=actor,
        reason=reason, arguments={"nodes": uids},
    )  # fmt: skip
    with database.atomic():
        Node.objects.filter(uid__in=uids).delete()
        return recorder.note_done(request, clock.now(), f"{len(uids)} node(s) were deleted.")


def _next_number() -> int:
    taken = [int(uid) for uid in Node.objects.values_list("uid", flat=True) if uid.isascii() and uid.isdecimal() and len(uid) <= 9]
    return max(taken, default=0) + 1


def _values(data: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that are given, checked."""
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key in _TEXTS:
            values[key] = _text(key, value)
        elif key in _FLAGS:
            values[key] = _checked(key, value, bool, "true or false")
        elif key in _NAMES:
            values[key] = _names(key, value)
        elif key in _MAPPINGS:
            values[key] = _labels(value) if key == "labels" else _checked(key, value, dict, "a mapping")
    if "mac" in values:
        values["mac"] = values["mac"].lower()
    return values | _state(data)


def _state(data: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if "status" in data:
        if data["status"] not in STATUSES:
            raise InvalidData(f"status: {data['status']!r} is not one of {', '.join(STATUSES)}")
        values["status"] = data["status"]
    if "error_type" in data:
        if data["error_type"] not in (None, *ERROR_TYPES):
            raise InvalidData(f"error_type: {data['error_type']!r} is not one of {', '.join(ERROR_TYPES)} or null")
        values["error_type"] = data["error_type"] or ""
    if "progress" in data:
        progress = data["progress"]
        if not isinstance(progress, int) or isinstance(progress, bool) or not 0 <= progress <= 100:
            raise InvalidData("progress: must be a whole number from 0 to 100")
        values["progress"] = progress
    return values


def _text(key: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _TEXTS[key]:
        raise InvalidData(f"{key}: must be a text of at most {_TEXTS[key]} characters")
    if key == "hostname" and value and not _HOSTNAME.fullmatch(value):
        raise InvalidData(f"hostname: {value!r} is no name that a machine can have")
    return value


def _names(key: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise InvalidData(f"{key}: must be a list of names")
    return list(dict.fromkeys(value))


def _labels(value: Any) -> dict[str, Any]:
    labels: dict[str, Any] = _checked("labels", value, dict, "a mapping")
    for key, text in labels.items():
        if not 0 < len(key) <= 100 or not (text is None or (isinstance(text, str) and 0 < len(text) <= 100)):
            raise InvalidData("labels: keys are texts of 1 to 100 characters, values too, or null")
    return labels


def _checked(key: str, value: Any, kind: type, word: str) -> Any:
    if not isinstance(value, kind):
        raise InvalidData(f"{key}: must be {word}")
    return value
