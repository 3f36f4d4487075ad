"""What need not run again."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.core.links import Links, link
from deployments.core.plan import SYNC_NODE, Bundle, Plan, TaskRun
from deployments.core.planning.reuse import LastTry, Verdict, judge, keep

Names = list[str]


def a_plan(names: Names, edges: list[tuple[str, str]], skipped: tuple[str, ...] = ()) -> Plan:
    """Runs by `task/node`; those on the sync node are stages."""
    runs = []
    for name in names:
        task, node = name.split("/")
        kind = "stage" if node == SYNC_NODE else "skipped" if name in skipped else "shell"
        runs.append(TaskRun(task, node, kind))
    place = {name: index for index, name in enumerate(names)}
    bundles = tuple(Bundle((place[before],), (place[after],)) for before, after in edges)
    return Plan(nodes=tuple(sorted({run.node for run in runs})), runs=tuple(runs), bundles=bundles)


def judged(plan: Plan, tries: dict[str, LastTry], inputs: str = "same") -> dict[str, Verdict]:
    digests = [inputs if run.type == "shell" else "" for run in plan.runs]
    named = {(name.split("/")[0], name.split("/")[1]): last for name, last in tries.items()}
    return {plan.runs[run].name: verdict for run, verdict in judge(plan, link(plan), digests, named).items()}


def ready(transaction: int) -> LastTry:
    return LastTry(transaction, "ready", "same")


def test_what_ended_well_is_kept() -> None:
    plan = a_plan(["a/1", "b/1"], [("a/1", "b/1")])
    assert judged(plan, {"a/1": ready(3), "b/1": ready(3)}) == {"a/1": Verdict(kept=3), "b/1": Verdict(kept=3)}


def test_why_something_runs() -> None:
    plan = a_plan(["a/1", "b/1", "c/1", "d/1"], [("c/1", "d/1")])
    tries = {"b/1": LastTry(3, "error", "same"), "c/1": LastTry(3, "ready", "other"), "d/1": ready(3)}
    assert judged(plan, tries) == {
        "a/1": Verdict(why="new"), "b/1": Verdict(why="unsuccessful"), "c/1": Verdict(why="changed"), "d/1": Verdict(why="after", before=2),
    }  # fmt: skip


def test_what_ran_since_counts_even_if_it_is_kept_or_skipped_now() -> None:
    plan = a_plan(["a/1", "b/1"], [("a/1", "b/1")])
    assert judged(plan, {"a/1": ready(5), "b/1": ready(3)})["b/1"] == Verdict(why="after", before=0, since=5)
    skipped = a_plan(["a/1", "b/1"], [("a/1", "b/1")], skipped=("a/1",))
    assert judged(skipped, {"a/1": ready(5), "b/1": ready(3)}) == {"b/1": Verdict(why="after", before=0, since=5)}
    assert judged(skipped, {"a/1": ready(3), "b/1": ready(3)}) == {"b/1": Verdict(kept=3)}


def test_a_skipped_run_lets_through_what_its_node_did() -> None:
    plan = a_plan(["a/1", "s/1", "b/1"], [("a/1", "s/1"), ("s/1", "b/1")], skipped=("s/1",))
    assert judged(plan, {"b/1": ready(3)})["b/1"] == Verdict(why="after", before=0)


def test_a_sync_point_lets_through_each_nodes_own_work_only() -> None:
    names = ["a/1", "a/2", f"p/{SYNC_NODE}", "b/1", "b/2"]
    edges = [("a/1", names[2]), ("a/2", names[2]), (names[2], "b/1"), (names[2], "b/2")]
    plan = a_plan(names, edges)
    found = judged(plan, {"a/1": ready(3), "b/1": ready(3), "b/2": ready(3)})
    assert found["b/1"] == Verdict(kept=3)
    assert found["b/2"] == Verdict(why="after", before=1)


def test_what_is_kept_is_skipped_in_the_plan() -> None:
    plan = keep(a_plan(["a/1", "b/1"], [("a/1", "b/1")]), {0: "as told"})
    assert [run.type for run in plan.runs] == ["skipped", "shell"]
    assert not plan.runs[0].fail_on_error
    assert list(plan.edges()) == [(0, 1)]


@st.composite
def situations(draw: st.DrawFn) -> tuple[Plan, list[str], dict[tuple[str, str], LastTry]]:
    count = draw(st.integers(2, 24))
    nodes = [draw(st.sampled_from(["1", "2", "3", SYNC_NODE])) for _ in range(count)]
    kinds = [draw(st.sampled_from(["shell", "shell", "skipped"])) if node != SYNC_NODE else "stage" for node in nodes]
    runs = tuple(TaskRun(f"t{index}", node, kind) for index, (node, kind) in enumerate(zip(nodes, kinds, strict=True)))
    bundles = []
    for _ in range(draw(st.integers(1, 5))):
        border = draw(st.integers(1, count - 1))
        sources = draw(st.sets(st.integers(0, border - 1), min_size=1, max_size=8))
        targets = draw(st.sets(st.integers(border, count - 1), min_size=1, max_size=8))
        bundles.append(Bundle(tuple(sorted(sources)), tuple(sorted(targets))))
    plan = Plan(nodes=tuple(sorted(set(nodes))), runs=runs, bundles=tuple(bundles))
    last = st.builds(LastTry, st.integers(1, 3), st.sampled_from(["ready", "ready", "ready", "error"]), st.sampled_from(["x", "x", "y"]))
    tries = {(run.task, run.node): found for run in runs if (found := draw(st.none() | last)) is not None}
    return plan, ["x" if run.type == "shell" else "" for run in runs], tries


@given(situations())
@settings(max_examples=150, deadline=None)
def test_keeping_is_safe_and_joins_change_nothing(situation: tuple[Plan, list[str], dict[tuple[str, str], LastTry]]) -> None:
    plan, inputs, tries = situation
    verdicts = judge(plan, link(plan), inputs, tries)
    assert verdicts == judge(plan, _without_joins(plan), inputs, tries)
    assert verdicts.keys() == {index for index, digest in enumerate(inputs) if digest}
    for before, after in plan.edges():
        if after in verdicts and verdicts[after].kept and before in verdicts:
            assert verdicts[before].kept, "nothing is kept after a run that runs"
        last = tries.get((plan.runs[before].task, plan.runs[before].node))
        if after in verdicts and verdicts[after].kept and last and plan.runs[before].node != SYNC_NODE:
            assert last.transaction <= verdicts[after].kept, "nothing is kept that is older than what it was made from"


def _without_joins(plan: Plan) -> Links:
    successors: list[set[int]] = [set() for _ in plan.runs]
    for before, after in plan.edges():
        successors[before].add(after)
    counts = [sum(index in after for after in successors) for index in range(len(plan.runs))]
    return Links(len(plan.runs), tuple(tuple(sorted(after)) for after in successors), tuple(counts))
