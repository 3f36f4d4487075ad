"""The judgement of a seed: by the nodes' own journal first, then by the record, then by the proof of the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from deployments.core.plan import ENGINE_TYPES, SYNC_NODE, Plan
from deployments.models import Cluster, Node
from deployments.services.child import wire_name
from deployments.services.verification import verify_transaction
from history import queries as history
from history.models import Attempt, Event, TaskRun, Transaction
from tests.faults.clock import EPOCH
from tests.faults.disks import FAILS

OFFLINE_AFTER = 40.0
LONGEST_WAIT = 75.0
SLOW_CLOCK = 2.0
"""Seconds for which an agent whose clock is slow may think longer that its lease stands."""
KNOWS_AFTER = 4.0
"""Seconds after a stop flag in which an agent, however slow its clock and its calls, sees it while it pauses between two tries."""
TROUBLED = 10.0
"""Seconds for which trouble before an attempt may still matter to it."""

if TYPE_CHECKING:
    from tests.faults.machines import Entry
    from tests.faults.world import World


def judge(world: World) -> list[str]:
    """Everything that must not have happened."""
    looks = (_record, _losses, _notes, _stops, _tries, _leftovers, _offline, _stalls, _proofs)
    found = [*_journal(world.machines.journal), *world.rows.findings()]
    try:
        found += chain.from_iterable(look(world) for look in looks)
    except Exception as error:  # noqa: BLE001 - what must not be may be of any kind
        found.append(f"UNREADABLE: the record can't be judged: {error!r}")
    return found


def _journal(journal: list[Entry]) -> Iterator[str]:
    """No overlap on a node, nothing started twice: as the nodes themselves saw it."""
    last: dict[str, Entry] = {}
    seen: dict[tuple[str, int], list[Entry]] = {}
    for entry in journal:
        before = last.get(entry.node)
        if before is not None and (before.end is None or before.end > entry.start):
            yield f"OVERLAP on node {entry.node}: {entry.task} (#{entry.number}) began while {before.task} (#{before.number}) ran."
        tries = seen.setdefault((entry.node, entry.number), [])
        tries.append(entry)
        if len(tries) > entry.tries or any(earlier.how != "failed" for earlier in tries[:-1]):
            yield f"TWICE: dispatch {entry.node}#{entry.number} ({entry.task}) was started more than once."
        last[entry.node] = entry


def _record(world: World) -> Iterator[str]:
    """What is recorded is what happened."""
    entries = {(entry.node, entry.number): entry for entry in world.machines.journal}
    known = {}
    for tried in Attempt.objects.select_related("run", "run__transaction"):
        entry = entries.get((tried.node, tried.number))
        known[tried.node, tried.number] = tried
        name = f"{tried.run.task_name}/{tried.run.node}, attempt {tried.attempt} ({tried.node}#{tried.number})"
        if entry is None:
            if tried.status in ("ready", "skipped"):
                yield f"FALSE: {name} is {tried.status}, but was never started on its node."
        elif tried.status == "recalled":
            yield f"FALSE: {name} is recalled, but was started on its node."
        elif tried.status == "ready" and entry.how != "done":
            yield f"FALSE: {name} is ready, but {entry.how or 'runs'} on its node."
        elif tried.status == "error" and entry.how == "done":
            yield f"FALSE: {name} is an error, but was done on its node."
    yield from _pauses(known.values(), entries)
    for entry in world.machines.journal:
        if (entry.node, entry.number) not in known:
            yield f"UNKNOWN: dispatch {entry.node}#{entry.number} ({entry.task}) was started, but is not recorded."
    for child in Transaction.objects.filter(name="deployment").exclude(recorded_at=None):
        yield from _order(child, world.machines.journal, known)


def _losses(world: World) -> Iterator[str]:
    """An attempt is given up only if something was wrong with agent or Redis, and what was given up does not begin afterwards."""
    entries = {(entry.node, entry.number): entry for entry in world.machines.journal}
    # A claim whose answers were all lost ends like this as well.
    excused = any(world.faults.counts[kind] for kind in ("redis error before", "redis error after", "attempt hangs"))
    agents = {agent.node: agent for agent in world.agents}
    for tried in Attempt.objects.filter(status="lost").select_related("run"):
        name = f"{tried.run}, attempt {tried.attempt} ({tried.node}#{tried.number})"
        over, entry = tried.time_end.timestamp(), entries.get((tried.node, tried.number))
        if entry is not None and entry.at > over + SLOW_CLOCK:
            yield f"GHOST: {name} began {entry.at - over:.3f} s after it was given up."
        trouble = (*agents[tried.node].unwell, *world.redis.trouble)
        since = tried.dispatched_at.timestamp() - TROUBLED
        if not excused and not any(since <= moment <= over for moment in trouble):
            yield f"FALSE: {name} is lost, but nothing was wrong."


def _notes(world: World) -> Iterator[str]:
    """An attempt fails for want of its agent's notes only if a write of them failed: a full disk costs time and nothing else."""
    if world.faults.counts[FAILS]:
        return
    for tried in Attempt.objects.filter(status="error").select_related("run"):
        if "could not note it" in tried.reason or "can't be written" in tried.reason:
            yield f"FALSE: {tried.run}, attempt {tried.attempt} ({tried.node}#{tried.number}) is an error, but its disk was only full."


def _pauses(tries: Iterable[Attempt], entries: Mapping[tuple[str, int], Entry]) -> Iterator[str]:
    """A failed attempt is followed by the next one after the plan's pause, whoever owns the transaction by then: as the nodes saw it."""
    plans: dict[int, Plan] = {}
    by_name = {(tried.run_id, tried.attempt): tried for tried in tries}
    for (run, attempt), tried in by_name.items():
        before = by_name.get((run, attempt - 1))
        if before is None or before.status != "error":
            continue
        failed, again = entries.get((before.node, before.number)), entries.get((tried.node, tried.number))
        if failed is None or again is None or failed.end is None:
            continue
        child = tried.run.transaction_id
        plan = plans.get(child) or plans.setdefault(child, Plan.from_data(history.snapshot(child, "plan")))
        pause = plan.runs[tried.run.position].retry_delay
        if again.at - failed.ended < pause - 0.01:
            yield f"HASTE: attempt {attempt} of {tried.run} came {again.at - failed.ended:.3f} s after a failure, not {pause} s."


def _order(child: Transaction, journal: list[Entry], known: dict[tuple[str, int], Attempt]) -> Iterator[str]:
    """No run began before its dependencies were done, in the journal's order."""
    plan = Plan.from_data(history.snapshot(child.id, "plan"))
    rows = {row.position: row for row in TaskRun.objects.filter(transaction=child)}
    before: dict[int, set[int]] = {}
    for source, target in plan.edges():
        before.setdefault(target, set()).add(source)
    needed = _needed(plan, before)
    position = {row.id: place for place, row in rows.items()}
    done: dict[int, int] = {}
    for entry in journal:
        tried = known.get((entry.node, entry.number))
        if tried is None or tried.run.transaction_id != child.id or entry.end is None:
            continue
        place = position[tried.run_id]
        if entry.how == "done" or not plan.runs[place].fail_on_error:
            done[place] = min(entry.end, done.get(place, entry.end))
    for entry in journal:
        tried = known.get((entry.node, entry.number))
        if tried is None or tried.run.transaction_id != child.id:
            continue
        for other in sorted(needed[position[tried.run_id]]):
            borne = not plan.runs[other].fail_on_error and rows[other].status == "skipped"
            # Times of the record are compared with each other: after a clock has gone back they are ahead of the nodes'.
            if done.get(other, entry.start) >= entry.start and not (borne and rows[other].time_end <= tried.dispatched_at):
                yield f"ORDER: {tried.run.task_name}/{tried.run.node} began before {plan.runs[other].name} was done."


def _needed(plan: Plan, before: dict[int, set[int]]) -> list[set[int]]:
    """By run: the runs with attempts that must be done before it, through those that the scheduler ends itself."""
    found: dict[int, set[int]] = {}

    def of(run: int) -> set[int]:
        if run not in found:
            found[run] = set()
            for source in before.get(run, ()):
                if plan.runs[source].node == SYNC_NODE:
                    continue
                found[run] |= of(source) if plan.runs[source].type in ENGINE_TYPES else {source}
        return found[run]

    return [of(run) for run in range(len(plan.runs))]


def _stops(world: World) -> Iterator[str]:
    """From the stop flag on nothing is claimed."""
    for at, key in world.redis.granted:
        flagged = world.redis.stopped.get(key.transaction)
        if flagged is not None and at > flagged:
            yield f"STOP: {key.node}#{key.number} was claimed {at - flagged:.3f} s after the stop flag of {key.transaction}."


def _tries(world: World) -> Iterator[str]:
    """From the stop flag on no other try begins, where its agent could know of it."""
    if any(world.faults.counts[kind] for kind in ("redis error before", "redis error after")):
        return
    begun = {(tried.node, tried.number): tried.run for tried in Attempt.objects.select_related("run", "run__transaction")}
    agents = {agent.node: agent for agent in world.agents}
    before: set[tuple[str, int]] = set()
    for entry in world.machines.journal:
        name, again = (entry.node, entry.number), (entry.node, entry.number) in before
        before.add(name)
        flagged = world.redis.stopped.get(begun[name].transaction.parent_id) if again and name in begun else None
        if flagged is None or entry.at < flagged + KNOWS_AFTER:
            continue
        trouble = (*agents[entry.node].unwell, *world.redis.trouble)
        if not any(flagged - TROUBLED <= moment <= entry.at for moment in trouble):
            yield f"STOP: {entry.task} on {entry.node}#{entry.number} was tried again {entry.at - flagged:.3f} s after the stop flag."


def _leftovers(world: World) -> Iterator[str]:
    """Nothing is left under way, no run is lost, and nodes and cluster say how it ended."""
    for tried in Attempt.objects.filter(status__in=("dispatched", "started")).select_related("run"):
        yield f"LEFT: attempt {tried.attempt} of {tried.run} is {tried.status}."
    for parent in Transaction.objects.filter(status__in=("pending", "running")):
        yield f"LEFT: transaction {parent}."
    for row in TaskRun.objects.exclude(status__in=("ready", "error", "skipped")).select_related("transaction"):
        over = row.transaction.status
        if row.status == "running" or (over not in ("stopped", "error") and not row.reason):
            yield f"LOST: {row} in a transaction that is {over}, without a reason."
    for node in Node.objects.filter(status="deploying"):
        yield f"LEFT: node {node} is {node.status}."
    for cluster in Cluster.objects.filter(status="deployment"):
        yield f"LEFT: cluster {cluster} is {cluster.status}."


def _offline(world: World) -> Iterator[str]:
    """A node counts as offline only if something was wrong with its agent."""
    agents = {agent.node: agent for agent in world.agents}
    for event in Event.objects.filter(subject="node", new="offline"):
        at = event.at.timestamp()
        unwell = agents[wire_name(event.node, world.cluster.id)].unwell
        if at - OFFLINE_AFTER > EPOCH and not any(at - OFFLINE_AFTER <= moment <= at for moment in unwell):
            yield f"FALSE: node {event.node} was found offline at {at - EPOCH:.3f}, but its agent was well."


def _stalls(world: World) -> Iterator[str]:
    """Without faults nothing waits longer than the longest task, the leases and the pauses between two tries together."""
    if not world.timed.calm_since:
        return
    times = sorted(event.timestamp() for event in Event.objects.values_list("at", flat=True))
    times = [world.timed.calm_since, *(at for at in times if at > world.timed.calm_since)]
    for before, after in pairwise(times):
        if after - before > LONGEST_WAIT:
            yield f"STALL: nothing happened from {before - EPOCH:.3f} to {after - EPOCH:.3f}."


def _proofs(world: World) -> Iterator[str]:
    for parent in Transaction.objects.filter(name="deploy").order_by("id"):
        for finding in verify_transaction(parent.id).findings:
            yield f"PROOF ({finding.kind}, event {finding.seq}): {finding.sentence}"


def tell_log(story: Callable[[str], None]) -> None:
    """The event log in words."""
    names = {row.id: f"{row.task_name}/{row.node}" for row in TaskRun.objects.all()}
    for event in Event.objects.order_by("transaction_id", "seq"):
        about = names.get(event.run, event.node) if event.run else event.node
        story(f"{event.transaction_id}.{event.seq:<4} {event.at:%M:%S.%f} {event.actor:<12} {event.subject} {about} "
              f"{event.attempt or ''} {event.old} → {event.new} {event.reason}")  # fmt: skip
