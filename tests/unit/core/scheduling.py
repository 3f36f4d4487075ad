"""Plans for tests of the scheduler, written shortly or drawn at random, and a scheduler that checks itself after every event."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import strategies as st

from deployments.core.events import Dispatch, EndRun, Event, Instruction
from deployments.core.plan import SYNC_NODE, Bundle, Plan, TaskRun, ToleranceGroup, node_order
from deployments.core.scheduling.schedule import Scheduler

DONE = ("ready", "skipped")


def plan_of(runs: str, *edges: str, types: dict[str, str] | None = None, **values: Any) -> Plan:
    """`plan_of("a/1 b/1 x/2", "a/1 > b/1 x/2")`: runs and what comes before what; `values` go to every run or to the plan."""
    of_run = {key: values.pop(key) for key in list(values) if key in TaskRun.__dataclass_fields__}
    names = sorted(runs.split(), key=lambda name: node_order(name.partition("/")[2]))
    index = {name: number for number, name in enumerate(names)}
    bundles = []
    for edge in edges:
        before, after = (tuple(index[name] for name in side.split()) for side in edge.split(">"))
        bundles.append(Bundle(before, after))
    made = tuple(TaskRun(*name.split("/"), type=(types or {}).get(name, "puppet"), **of_run) for name in names)
    nodes = tuple(sorted({SYNC_NODE, *(run.node for run in made)}, key=node_order))
    return Plan(nodes=nodes, runs=made, bundles=tuple(bundles), **values)


def tolerant(plan_nodes: str, tolerance: int = 99, name: str = "all") -> tuple[ToleranceGroup, ...]:
    """One group over these nodes."""
    return (ToleranceGroup(name, tuple(plan_nodes.split()), tolerance),)


class CheckedScheduler(Scheduler):
    """Validates every invariant after every `handle`."""

    def handle(self, *events: Event, now: float) -> list[Instruction]:
        out = super().handle(*events, now=now)
        validate(self, out)
        return out


def validate(scheduler: Scheduler, out: list[Instruction]) -> None:
    """What must hold of any scheduler at any moment."""
    check_places(scheduler)
    check_order(scheduler)
    check_books(scheduler)
    if scheduler.begun and not scheduler.draining:
        check_nobody_is_forgotten(scheduler)
        check_heaviest_first(scheduler, out)
    if scheduler.draining:
        assert not [instruction for instruction in out if isinstance(instruction, Dispatch)]


def check_places(scheduler: Scheduler) -> None:
    plan, undone = scheduler.plan, scheduler.undone
    under_way = [run for run, status in enumerate(scheduler.runs.status) if status in ("dispatched", "running")]
    assert sorted(undone) == sorted(under_way)
    assert len({plan.runs[run].node for run in undone}) == len(undone) == scheduler.places.taken
    assert not plan.max_nodes_per_call or len(undone) <= plan.max_nodes_per_call
    used = Counter(plan.runs[run].task for run in undone)
    assert all(used[task] <= limit for task, limit in plan.limits.items())
    assert scheduler.places.free == {task: limit - used[task] for task, limit in plan.limits.items()}


def check_order(scheduler: Scheduler) -> None:
    """Whatever was begun came after all that it waits for."""
    status = scheduler.runs.status
    for before, after in set(scheduler.plan.edges()):
        if status[after] != "pending" or scheduler.runs.attempts[after]:
            if scheduler.plan.runs[after].node == SYNC_NODE:
                assert status[before] in (*DONE, "error") or before in scheduler.blocked
            else:
                assert status[before] in DONE


def check_books(scheduler: Scheduler) -> None:
    status, blocked = scheduler.runs.status, scheduler.blocked
    settled = {run for run in range(len(status)) if status[run] in (*DONE, "error")} | blocked.keys()
    for node, runs in enumerate(scheduler.nodes.runs):
        assert scheduler.nodes.left[node] == len(set(runs) - settled)
    for run, root in blocked.items():
        assert status[run] == "pending"
        assert root is None or status[root] == "error" or blocked.get(root, 0) is None
    progress = scheduler.progress
    assert progress.total == progress.pending + progress.under_way + progress.ready + progress.skipped + progress.error + progress.blocked


def startable(scheduler: Scheduler) -> list[int]:
    """Runs on idle nodes to which nothing but a place may be missing."""
    idle = {scheduler.places.nodes[node] for node, run in enumerate(scheduler.places.busy) if run < 0}
    return [
        run
        for run, planned in enumerate(scheduler.plan.runs)
        if planned.node in idle and scheduler.dependencies.is_free(run) and run not in scheduler.runs.not_before
    ]


def check_nobody_is_forgotten(scheduler: Scheduler) -> None:
    """No wake-up is lost: who could start has started."""
    places = scheduler.places
    if places.taken < places.limit:
        assert not [run for run in startable(scheduler) if places.has_place(places.task_of[run])]


def check_heaviest_first(scheduler: Scheduler, out: list[Instruction]) -> None:
    """Of a node's ready runs the heaviest was taken, unless its task had no place (or it became ready by an engine run after that)."""
    place = {run: position for position, run in enumerate(sorted(range(len(scheduler.plan.runs)), key=scheduler.places._turns.__getitem__))}
    ended_later = False
    for instruction in reversed(out):
        if isinstance(instruction, EndRun):
            ended_later = True
        if isinstance(instruction, Dispatch) and not ended_later:
            node = scheduler.places.node_of[instruction.run]
            for other in scheduler.nodes.runs[node]:
                free = scheduler.dependencies.is_free(other) and other not in scheduler.runs.not_before
                if free and place[other] < place[instruction.run]:
                    assert not scheduler.places.has_place(scheduler.places.task_of[other])


TASKS = [f"t{number}" for number in range(12)]
NODES = ["1", "2", "3", "10", "master", SYNC_NODE]


@st.composite
def plans(draw: st.DrawFn, *, tries: bool = True) -> Plan:
    """Random plans without circles: wide and narrow relations, engine runs, limits, groups, tries."""
    names = draw(st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from(TASKS)), min_size=1, max_size=26, unique=True))
    names.sort(key=lambda pair: (node_order(pair[0]), pair[1]))
    runs = tuple(draw(task_runs(node, task, tries)) for node, task in names)
    order = draw(st.permutations(range(len(runs))))
    bundles = tuple(draw(st.lists(cuts(order), max_size=6)))
    limited = sorted({run.task for run in runs})
    return Plan(
        nodes=tuple(sorted({SYNC_NODE, *(run.node for run in runs)}, key=node_order)),
        runs=runs,
        bundles=bundles,
        groups=draw(tolerance_groups()),
        limits=draw(st.dictionaries(st.sampled_from(limited), st.integers(1, 2), max_size=3)),
        max_nodes_per_call=draw(st.integers(0, 4)),
    )


@st.composite
def crowded_plans(draw: st.DrawFn) -> Plan:
    """Few places for the same few tasks on every node, half of them engine runs: all limits bind at once."""
    tasks = TASKS[: draw(st.integers(3, 6))]
    kinds = st.sampled_from(["puppet", "noop"])
    runs = tuple(TaskRun(task, node, type=draw(kinds), idempotent=True) for node in NODES[:4] for task in tasks)
    order = draw(st.permutations(range(len(runs))))
    return Plan(
        nodes=(*NODES[:4], SYNC_NODE),
        runs=runs,
        bundles=tuple(draw(st.lists(cuts(order), min_size=2, max_size=8))),
        groups=tolerant(" ".join(NODES[:4])),
        limits=dict.fromkeys(tasks[:-1], 1),
        max_nodes_per_call=draw(st.integers(2, 3)),
    )


def task_runs(node: str, task: str, tries: bool) -> st.SearchStrategy[TaskRun]:
    kinds = st.sampled_from(["puppet", "puppet", "puppet", "shell", "skipped", "noop"])
    if node == SYNC_NODE:
        kinds = st.sampled_from(["stage", "skipped", "puppet"])
    return st.builds(
        TaskRun,
        task=st.just(task),
        node=st.just(node),
        type=kinds,
        fail_on_error=st.integers(0, 4).map(bool),
        idempotent=st.booleans() if tries else st.just(False),
        attempts=st.integers(1, 3) if tries else st.just(1),
        retry_delay=st.sampled_from([0.0, 5.0]) if tries else st.just(0.0),
    )


@st.composite
def cuts(draw: st.DrawFn, order: list[int]) -> Bundle:
    """All of some runs before all of some later ones."""
    middle = draw(st.integers(0, len(order)))
    sources = draw(st.lists(st.sampled_from(order[:middle]), unique=True, max_size=9)) if middle else []
    targets = draw(st.lists(st.sampled_from(order[middle:]), unique=True, max_size=9)) if order[middle:] else []
    return Bundle(tuple(sources), tuple(targets))


def tolerance_groups() -> st.SearchStrategy[tuple[ToleranceGroup, ...]]:
    one = st.builds(
        ToleranceGroup,
        name=st.sampled_from(["controller", "compute"]),
        nodes=st.lists(st.sampled_from(NODES[:-1]), unique=True, min_size=1).map(tuple),
        tolerance=st.integers(0, 4),
    )
    everybody = st.just((ToleranceGroup("everybody", tuple(NODES[:-1]), 9),))
    return everybody | st.lists(one, max_size=2).map(tuple)
