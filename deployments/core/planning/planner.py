"""From a graph and the facts of a cluster to a plan: which task runs on which node, and what it waits for.

The rules are Nailgun's (its transaction serializer), except where its defects are known; see the rules that each function tells.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from deployments.core.errors import LoopDetected
from deployments.core.expressions.evaluator import Evaluator
from deployments.core.facts import ClusterFacts, PlanSettings
from deployments.core.graph.lint import MOST_WARNINGS, lint
from deployments.core.graph.templates import SKIPPED, TaskTemplate
from deployments.core.links import Links, find_cycle, link
from deployments.core.plan import ENGINE_TYPES, Declared, Plan, TaskRun
from deployments.core.planning.placement import NOTHING, Entry, Placement
from deployments.core.planning.relations import Member, Relations, Runs
from deployments.core.planning.strategy import limits_of
from deployments.core.planning.subgraphs import Subgraph, keep_subgraphs
from deployments.core.planning.volume import Volume
from deployments.core.planning.watch import Watch
from deployments.core.task_types import check_parameters
from deployments.core.time_limit import Limit, Look, no_limit, no_look

DEFAULT_MAX_NODES_PER_CALL = 50
_RUN_IN_NOOP = frozenset(("puppet", "shell", "master_shell"))
_MOST_SHOWN = 20

_DECLARED: dict[str, Declared] = {
    "requires": "requires",
    "required_for": "required_for",
    "cross-depends": "requires",
    "cross-depended-by": "required_for",
}


def plan(
    tasks: Iterable[Mapping[str, Any]],
    cluster: ClusterFacts,
    *,
    only_tasks: Collection[str] | None = None,
    subgraphs: Sequence[Subgraph] | None = None,
    noop: bool = False,
    max_nodes_per_call: int = DEFAULT_MAX_NODES_PER_CALL,
    settings: PlanSettings | None = None,
    limit: Limit = no_limit,
) -> Plan:
    """Plan a graph on a cluster.

    Args:
        tasks: the graph, in its order (see `graph.load_tasks`, `graph.merge`).
        only_tasks: ids of the tasks to run; all others are skipped, so the order stays. None = all.
        subgraphs: slices of the graph to run; everything outside is skipped.
        noop: a run that changes nothing on the nodes: what has no noop variant is not run, and no failure counts.
        max_nodes_per_call: how many nodes may be busy at once; 0 = no limit.
        limit: makes the time limit of each expression and regular expression.

    Raises:
        LoopDetected: tasks wait for each other; the message names them with their nodes, in order.
        ExpressionError, InvalidData, TaskBaseDeploymentNotAllowed: the message says which task, node and expression.
    """
    made, _ = plan_and_link(
        tasks, cluster, only_tasks=only_tasks, subgraphs=subgraphs, noop=noop, max_nodes_per_call=max_nodes_per_call,
        settings=settings, limit=limit,
    )  # fmt: skip
    return made


def plan_and_link(
    tasks: Iterable[Mapping[str, Any]],
    cluster: ClusterFacts,
    *,
    only_tasks: Collection[str] | None = None,
    subgraphs: Sequence[Subgraph] | None = None,
    noop: bool = False,
    max_nodes_per_call: int = DEFAULT_MAX_NODES_PER_CALL,
    settings: PlanSettings | None = None,
    limit: Limit = no_limit,
) -> tuple[Plan, Links]:
    """As `plan`, with the links that the search for circles needed anyway."""
    planned = plan_and_watch(
        tasks, cluster, only_tasks=only_tasks, subgraphs=subgraphs, noop=noop, max_nodes_per_call=max_nodes_per_call,
        settings=settings, limit=limit,
    )  # fmt: skip
    return planned.plan, planned.links


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, its links, and what its runs depend on."""

    plan: Plan
    links: Links
    watch: Watch


def plan_and_watch(
    tasks: Iterable[Mapping[str, Any]],
    cluster: ClusterFacts,
    *,
    only_tasks: Collection[str] | None = None,
    subgraphs: Sequence[Subgraph] | None = None,
    noop: bool = False,
    max_nodes_per_call: int = DEFAULT_MAX_NODES_PER_CALL,
    settings: PlanSettings | None = None,
    limit: Limit = no_limit,
    look: Look = no_look,
) -> Planned:
    """As `plan`, for those who want to compare its runs with earlier ones. `look` is called between the steps and for each run."""
    planner = _Planner(tasks, cluster, settings or PlanSettings(), only_tasks, noop, limit, look)
    made = planner.plan(max_nodes_per_call)
    look()
    links = link(made)
    look()
    _refuse_circles(made, links)
    if subgraphs:
        made = keep_subgraphs(made, links, subgraphs)
    return Planned(made, links, planner.watch())


class _Planner:
    """One planning, step by step: tasks on nodes, runs, relations."""

    def __init__(
        self,
        tasks: Iterable[Mapping[str, Any]],
        cluster: ClusterFacts,
        settings: PlanSettings,
        only_tasks: Collection[str] | None,
        noop: bool,
        limit: Limit,
        look: Look,
    ) -> None:
        self._look = look
        self._checked: set[tuple[str, int]] = set()
        """By type and identity: parameters that were found to be good."""
        self._templates = [TaskTemplate(task) for task in tasks]
        self._noop, self._limit, self._volume = noop, limit, Volume()
        self._evaluator = Evaluator(cluster, settings, limit)
        self._placement = Placement(self._templates, cluster, settings, only_tasks, self._evaluator, limit, look)

    def plan(self, max_nodes_per_call: int) -> Plan:
        """All steps in order."""
        entries = self._placement.entries()
        runs = tuple(map(self._run, entries))
        relations = self._relations(entries)
        bundles = tuple(relations.bundles())
        self._look()
        linted = lint((template.task for template in self._templates), self._limit)
        dropped = islice(relations.dropped(bundles, [run.task for run in runs]), MOST_WARNINGS)
        return Plan(
            nodes=self._placement.nodes(),
            runs=runs,
            bundles=bundles,
            groups=tuple(self._placement.groups),
            limits=limits_of(runs),
            max_nodes_per_call=max_nodes_per_call,
            policy_any=tuple(relations.policy_any),
            warnings=tuple(dict.fromkeys([*self._placement.warnings, *linted, *relations.warnings, *dropped])),
        )

    def watch(self) -> Watch:
        """What the runs depend on."""
        templates = {(entry.name, entry.node): entry.template for entry in self._placement.entries()}
        return Watch(self._evaluator, templates)

    def _run(self, entry: Entry) -> TaskRun:
        self._look()
        template, view = entry.template, self._placement.view(entry.template, entry.node)
        parameters = template.parameters(self._evaluator, view, entry.node)
        fails = template.fails(self._evaluator, view, entry.node)
        if entry.type == SKIPPED:
            return TaskRun(entry.name, entry.node, SKIPPED, fail_on_error=False, own_type=template.type, why=entry.why)
        self._check(entry, parameters)
        has_no_noop = self._noop and entry.type not in _RUN_IN_NOOP | ENGINE_TYPES
        return TaskRun(
            task=entry.name,
            node=entry.node,
            type="noop" if has_no_noop else entry.type,
            fail_on_error=fails and not self._noop,
            parameters=parameters,
            idempotent=template.retry.idempotent,
            attempts=template.retry.attempts,
            retry_delay=template.retry.delay,
            own_type=entry.type if has_no_noop else "",
            why=f"a no-operation run has nothing to try of type {entry.type}" if has_no_noop else NOTHING.get(entry.type, ""),
        )

    def _check(self, entry: Entry, parameters: Mapping[str, Any]) -> None:
        """Once for all runs that share them."""
        self._volume.add(entry.name, entry.node, parameters)
        if (entry.type, id(parameters)) not in self._checked:
            check_parameters(entry.name, entry.type, parameters, node=entry.node)
            self._checked.add((entry.type, id(parameters)))

    # -- relations -----------------------------------------------------------------------------------------------------

    def _relations(self, entries: Sequence[Entry]) -> Relations:
        members = [Member(index, entry.name, entry.node) for index, entry in enumerate(entries)]
        relations = Relations(Runs(members, self._limit), self._placement.resolver, frozenset(template.id for template in self._templates))
        for key, declared in _DECLARED.items():
            for written, together in self._written_alike(key, entries, members):
                add = relations.add_cross if key.startswith("cross") else relations.add_names
                add(written, together, declared)
        return relations

    def _written_alike(self, key: str, entries: Sequence[Entry], members: Sequence[Member]) -> Iterable[tuple[Any, list[Member]]]:
        """The relations of this kind, each with the runs of one task that have it."""
        alike: dict[tuple[int, int, str], tuple[Any, list[Member]]] = {}
        for entry, member in zip(entries, members, strict=True):
            self._look()
            written = entry.template.relations[key].fill(self._evaluator, self._placement.view(entry.template, entry.node), entry.node)
            if written:
                alike.setdefault((id(entry.template), id(written), entry.name), (written, []))[1].append(member)
        return alike.values()


def _refuse_circles(made: Plan, links: Links) -> None:
    circle = find_cycle(links, made)
    if not circle:
        return
    names = [made.runs[run].name for run in circle]
    shown = names if len(names) <= _MOST_SHOWN else [*names[: _MOST_SHOWN - 1], f"… {len(names) - _MOST_SHOWN + 1} more …"]
    first = made.runs[circle[0]]
    raise LoopDetected(
        f"Tasks wait for each other in a circle, so none of them could start: {' → '.join([*shown, names[0]])}.",
        task=first.task,
        node=first.node,
    )
