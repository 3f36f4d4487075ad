"""Planning cases: a graph, a cluster and a few switches in one document, as the conformance suite has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deployments.core.cases import cluster_file
from deployments.core.documents import safe_yaml
from deployments.core.documents.texts import refuse_unstorable
from deployments.core.documents.typed import mapping, mappings, names, whole_number
from deployments.core.errors import InvalidData
from deployments.core.facts import DEFAULT_MASTER_IP, ClusterFacts, PlanSettings
from deployments.core.links import Links
from deployments.core.plan import Plan
from deployments.core.planning.planner import DEFAULT_MAX_NODES_PER_CALL, plan_and_link
from deployments.core.time_limit import Limit, no_limit


@dataclass(frozen=True, slots=True)
class PlanningCase:
    """What a case asks to plan. `tasks` may break the rules of an upload (ids twice, for example): cases test those too."""

    tasks: tuple[Mapping[str, Any], ...]
    cluster: ClusterFacts
    only_tasks: frozenset[str] | None = None
    settings: PlanSettings = PlanSettings()
    max_nodes_per_call: int = DEFAULT_MAX_NODES_PER_CALL


def load(text: str | bytes) -> dict[str, Any]:
    """The document of a case.

    Raises:
        InvalidData: it can't be read, is no mapping, or holds characters that can't be stored.
    """
    data = safe_yaml.load(text, "The case")
    if not isinstance(data, dict):
        raise InvalidData("The case is no mapping of keys to values.")
    refuse_unstorable(data, "The case")
    return data


def is_planning_case(case: Mapping[str, Any]) -> bool:
    """Whether the case has to be planned (others hold a planned graph)."""
    return "cluster" in case and ("tasks" in case or "tasks_file" in case)


def parse_planning_case(case: Mapping[str, Any], tasks_text: str | bytes | None = None) -> PlanningCase:
    """Read a planning case.

    Args:
        tasks_text: the content of the file that `tasks_file` names, where the case names one.

    Raises:
        InvalidData: something is missing or of the wrong kind.
    """
    tasks = mappings(case if tasks_text is None else {"tasks": safe_yaml.load(tasks_text, "The graph")}, "tasks")
    return PlanningCase(
        tasks=tuple(tasks),
        cluster=cluster_file.parse(case.get("cluster") or {}, unknown_keys=True).facts(),
        only_tasks=_only(case, tasks),
        settings=_settings(mapping(case, "settings")),
        max_nodes_per_call=whole_number(case, "max_nodes_per_call", default=DEFAULT_MAX_NODES_PER_CALL),
    )


def _only(case: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]]) -> frozenset[str] | None:
    """The tasks that the case wants alone, as far as its graph has them (Nailgun ignores the others)."""
    if case.get("only_task_ids") is None:
        return None
    return frozenset(names(case, "only_task_ids")) & {str(task.get("id")) for task in tasks}


def plan_case(case: PlanningCase, *, only_tasks: frozenset[str] | None = None, limit: Limit = no_limit) -> tuple[Plan, Links]:
    """Plan a case; `only_tasks` replaces the case's own choice. Raises as `planner.plan`."""
    return plan_and_link(
        case.tasks,
        case.cluster,
        only_tasks=case.only_tasks if only_tasks is None else only_tasks,
        settings=case.settings,
        max_nodes_per_call=case.max_nodes_per_call,
        limit=limit,
    )


def _settings(settings: Mapping[str, Any]) -> PlanSettings:
    return PlanSettings(
        check_task_version=bool(settings.get("LCM_CHECK_TASK_VERSION", False)),
        master_ip=str(settings.get("MASTER_IP", DEFAULT_MASTER_IP)),
        shown=settings,
    )
