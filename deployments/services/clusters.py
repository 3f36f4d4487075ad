"""Clusters: making, changing and deleting them, and the settings that people edit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError
from django.db import transaction as database

from deployments.core.errors import InvalidData
from deployments.core.planning.settings_facts import united
from deployments.models import Cluster, Node, Release
from deployments.services import stored
from deployments.services.clock import Clock
from deployments.services.errors import Conflict, Forbidden, NotFound
from deployments.services.statuses import set_free
from deployments.services.task_deploy import initial_flag, told_by
from history import queries as history
from history import recorder
from history.models import Transaction

UNLOCKED = ("new", "operational", "error", "stopped", "partially_deployed")
_NET_PROVIDERS = ("neutron", "nova_network")
FUEL_VERSION = "10.0"
"""The Fuel whose API this is."""
_ORDER = ("task_based_deployment", "task_based_always")
_MODES = tuple(mode for mode, _ in Cluster.MODES)


def is_locked(cluster: Cluster) -> bool:
    """Whether its settings may not be changed now."""
    return cluster.status not in UNLOCKED


def create(data: Mapping[str, Any], version: str) -> Cluster:
    """Make a cluster, with its release's settings; `nodes` are node ids, for whoever assigns them. Whether it deploys task by task is
    decided by `task_deploy.initial_flag` unless the data says it.

    Raises:
        InvalidData: the release or a field is not as it must be.
        Forbidden: nothing can be deployed with the release.
        Conflict: the name is taken.
    """
    release = _release(data.get("release_id", data.get("release")))
    values = _values(data)
    if not values.get("name"):
        raise InvalidData("name: a cluster needs one")
    values |= _fixed(data)
    settings = defaults(release)
    values.setdefault("task_based_deployment", initial_flag(release, settings))
    values |= {"settings": settings, **at_first(version)}
    try:
        with database.atomic():
            return Cluster.objects.create(release=release, **values)
    except IntegrityError as error:
        raise Conflict("Environment with this name already exists") from error


def at_first(version: str) -> dict[str, Any]:
    """What every new cluster has: nothing of its settings was deployed yet."""
    return {"fuel_version": version, "changes": [{"name": "attributes", "node_id": None}]}


def check_release(release: Release) -> None:
    """Refuse a release with which nothing can be deployed.

    Raises:
        Forbidden: it is unavailable.
    """
    if release.state != "available":
        raise Forbidden(f"Release with ID '{release.pk}' is not deployable.")


def update(cluster: Cluster, data: Mapping[str, Any]) -> Cluster:
    """Change what is given.

    Raises:
        InvalidData: a field is not as it must be, or can't be changed.
        Forbidden: how it is deployed is to be changed while it is.
        Conflict: the name is taken.
    """
    if data.get("net_provider", cluster.net_provider) != cluster.net_provider:
        raise InvalidData("Changing 'net_provider' for environment is prohibited")
    if data.get("release_id", cluster.release_id) != cluster.release_id:
        raise InvalidData("Changing the release of an environment is prohibited")
    values = _values(data)
    changed = [name for name in _ORDER if values.get(name, getattr(cluster, name)) != getattr(cluster, name)]
    if changed and is_locked(cluster):
        raise Forbidden(f"{changed[0]} can't be changed while the environment is being deployed: wait for its end, or stop it.")
    try:
        with database.atomic():
            Cluster.objects.filter(pk=cluster.pk).update(**values)
    except IntegrityError as error:
        raise Conflict("Environment with this name already exists") from error
    cluster.refresh_from_db()
    return cluster


def delete(cluster: Cluster, *, actor: str, reason: str, clock: Clock) -> Transaction:
    """Delete the cluster: its nodes are free again, its history stays; the finished request `cluster_deletion`.

    Raises:
        InvalidData: it is being deployed.
    """
    if history.unfinished_deploy(cluster.id):
        raise InvalidData(f"Can't delete environment '{cluster.id}' when running deployment task exists. Stop it first.")
    request = recorder.Request(
        name="cluster_deletion", cluster_id=cluster.id, cluster_name=cluster.name, actor=actor, reason=reason
    )  # fmt: skip
    with database.atomic():
        row = recorder.note_done(request, clock.now(), f"Environment '{cluster.name}' was deleted.")
        free(cluster, list(cluster.nodes.values_list("uid", flat=True)))
        cluster.delete()
    return row


def reset(cluster: Cluster, *, actor: str, reason: str, clock: Clock) -> Transaction:
    """Forget that anything was deployed: nodes have to be provisioned again; the finished request `reset_environment`.

    What was done stays readable, but isn't shown as tasks any more.

    Raises:
        InvalidData: it is being deployed.
    """
    if history.unfinished_deploy(cluster.id):
        raise InvalidData(f"Can't reset environment '{cluster.id}' when running deployment task exists. Stop it first.")
    request = recorder.Request(
        name="reset_environment", cluster_id=cluster.id, cluster_name=cluster.name, actor=actor, reason=reason
    )  # fmt: skip
    with database.atomic():
        recorder.mark_deleted(Transaction.objects.filter(cluster_id=cluster.id, parent=None), clock.now())
        for node in cluster.nodes.all():
            roles = list(dict.fromkeys([*node.roles, *node.pending_roles]))
            Node.objects.filter(pk=node.pk).update(
                status="discover", status_before_rehearsal="", roles=[], pending_roles=roles, pending_addition=True,
                pending_deletion=False, progress=0, error_type="", error_msg="",
            )  # fmt: skip
        Cluster.objects.filter(pk=cluster.pk).update(status="new", rehearsed_at=None, status_before_rehearsal="")
        return recorder.note_done(request, clock.now(), f"Environment '{cluster.name}' was successfully reset.")


def free(cluster: Cluster, uids: list[str]) -> None:
    """These nodes leave the cluster and are as if newly discovered."""
    set_free(Node.objects.filter(cluster=cluster, uid__in=uids))


def defaults(release: Release) -> dict[str, Any]:
    """The settings that a new cluster of this release starts with."""
    metadata = release.attributes_metadata
    editable = metadata.get("editable", metadata) if isinstance(metadata, dict) else {}
    return dict(editable) if isinstance(editable, dict) else {}


def change_settings(cluster: Cluster, data: Mapping[str, Any], *, whole: bool, force: bool) -> Cluster:
    """Change the settings: all sections that are given (`whole`), or single fields, leaving the others. The field `task_deploy` of the
    section `common` sets the cluster's flag of that meaning.

    Raises:
        InvalidData: it is no `{editable: {section: {…}}}`.
        Forbidden: the cluster is being deployed, and `force` is not given.
    """
    if "generated" in data:
        raise InvalidData("It is not allowed to update generated attributes")
    editable = data.get("editable")
    if not isinstance(editable, Mapping) or not all(isinstance(section, Mapping) for section in editable.values()):
        raise InvalidData("editable: must be a mapping of sections, which are mappings")
    if is_locked(cluster) and not force:
        names = ", ".join(editable) or "s"
        raise Forbidden(f"Environment attribute '{names}' couldn't be changed after or during deployment.")
    flag = told_by(editable)
    values = {} if flag is None else {"task_based_deployment": flag}
    with database.atomic():
        now = Cluster.objects.select_for_update().get(pk=cluster.pk)
        settings = {**now.settings, **editable} if whole else united(now.settings, editable)
        Cluster.objects.filter(pk=cluster.pk).update(settings=settings, **values)
    cluster.refresh_from_db()
    return cluster


def deployed_settings(cluster: Cluster) -> dict[str, Any]:
    """The settings of the last real deployment.

    Raises:
        NotFound: there has been none.
        CantBeLoaded: they can't be read.
    """
    newest = history.newest_real_child(cluster.id)
    settings = stored.snapshot(newest.id, "settings") if newest else None
    if settings is None:
        raise NotFound("Cluster has no deployed configuration!")
    return dict(settings)


def _release(given: Any) -> Release:
    if given is None:
        raise InvalidData("Release ID is required")
    known = isinstance(given, int) and not isinstance(given, bool) and 0 < given < 2**62
    release = Release.objects.filter(pk=given).first() if known else None
    if release is None:
        raise InvalidData("Invalid release ID")
    check_release(release)
    return release


def _fixed(data: Mapping[str, Any]) -> dict[str, Any]:
    """What is said once, when the cluster is made."""
    values: dict[str, Any] = {}
    if "net_provider" in data:
        if data["net_provider"] not in _NET_PROVIDERS:
            raise InvalidData(f"net_provider: must be one of {', '.join(_NET_PROVIDERS)}")
        values["net_provider"] = data["net_provider"]
    if "components" in data:
        components = data["components"]
        if not isinstance(components, list) or not all(isinstance(name, str) for name in components):
            raise InvalidData("components: must be a list of names")
        values["components"] = components
    return values


def _values(data: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if "name" in data:
        name = data["name"]
        if not isinstance(name, str) or not name.strip() or len(name) > 255:
            raise InvalidData("name: must be a text of 1 to 255 characters")
        values["name"] = name
    if "mode" in data:
        if data["mode"] not in _MODES:
            raise InvalidData(f"mode: must be one of {', '.join(_MODES)}")
        values["mode"] = data["mode"]
    for name in _ORDER:
        if name in data:
            if not isinstance(data[name], bool):
                raise InvalidData(f"{name}: must be true or false")
            values[name] = data[name]
    if "ui_settings" in data:
        if not isinstance(data["ui_settings"], dict):
            raise InvalidData("ui_settings: must be a mapping")
        values["ui_settings"] = data["ui_settings"]
    return values
