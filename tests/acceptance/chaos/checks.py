"""What must be true after every round, whatever had been done to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.acceptance.chaos import journal
from tests.acceptance.chaos.stage import UNFINISHED, Stage

AFTER = {"build": ("prepare", "own"), "gather": ("build", "all"), "serve": ("gather", "own"), "check": ("serve", "all")}
"""Task → what it waits for, on its own node or on all."""
ONCE = {"build"}
"""Tasks that may not be run again by themselves."""
_CLAIM_TO_START = 0.05
"""Seconds by which the recorded time of a claim may be off: it is kept in milliseconds, and told by another clock reading."""

_END_OF_LEASE = 0.5
"""Seconds that a start may be late by: what was checked just before its lease ended begins just after."""


def wrong(stage: Stage) -> list[str]:
    """Sentences about what is not as it must be; none = the round was passed."""
    lines, attempts, runs = stage.journal(), stage.attempts(), stage.runs()
    return [
        *journal.wrong(lines),
        *_left_over(stage, runs, attempts),
        *_dishonest(stage, runs, attempts, lines),
        *_out_of_order(stage, runs, lines),
        *_after_the_stop(stage, lines, attempts),
        *_not_verified(stage),
    ]


def _left_over(stage: Stage, runs: list[dict[str, Any]], attempts: dict[tuple[int, int], dict[str, Any]]) -> Iterator[str]:
    for run in runs:
        if run["status"] == "running":
            yield f"{_name(run)} is left running"
    for attempt in attempts.values():
        if attempt["status"] in ("dispatched", "started"):
            yield f"attempt {attempt['attempt']} of run {attempt['run_id']} on node {attempt['node']} is left {attempt['status']}"
    unfinished = stage.system.rows("SELECT id, name, status FROM history_transaction WHERE status = ANY(%s)", list(UNFINISHED))
    yield from (f"transaction {row['id']} ({row['name']}) is left {row['status']}" for row in unfinished)
    for row in stage.system.rows("SELECT uid, status FROM deployments_node WHERE status = 'deploying'"):
        yield f"node {row['uid']} is left deploying"
    for row in stage.system.rows("SELECT name FROM deployments_cluster WHERE status = 'deployment'"):
        yield f"cluster {row['name']} is left in deployment"


def _dishonest(
    stage: Stage, runs: list[dict[str, Any]], attempts: dict[tuple[int, int], dict[str, Any]], lines: list[journal.Line]
) -> Iterator[str]:
    """What is recorded against what was done."""
    wrote = {(line.what, line.run, line.attempt) for line in lines}
    at = {(line.run, line.attempt): line.at for line in lines if line.what == "start"}
    for (run_id, number), attempt in attempts.items():
        started, ended = (("start", run_id, number) in wrote), (("end", run_id, number) in wrote)
        about = f"attempt {number} of run {run_id} on node {attempt['node']}, recorded {attempt['status']} ({attempt['reason']}),"
        if attempt["status"] == "ready" and not ended:
            yield f"{about} did not do its work"
        if attempt["status"] == "recalled" and started:
            yield f"{about} was started"
        if attempt["status"] == "lost" and (begun := at.get((run_id, number), 0.0)) > attempt["time_end"].timestamp() + _END_OF_LEASE:
            yield f"{about} was started {begun - attempt['time_end'].timestamp():.1f} s later"
        if attempt["status"] == "error":
            yield f"{about} failed, though no task here can"
    unknown = {(line.run, line.attempt) for line in lines} - attempts.keys()
    yield from (f"attempt {number} of run {run} was started, but is not recorded" for run, number in sorted(unknown))
    for parent in stage.parents:
        yield from _dishonest_end(stage, parent, [run for run in runs if run["parent_id"] == parent])


def _dishonest_end(stage: Stage, parent: int, runs: list[dict[str, Any]]) -> Iterator[str]:
    row = stage.system.rows("SELECT status, message FROM history_transaction WHERE id = %s", parent)[0]
    ended, why = row["status"], f"transaction {parent} ended {row['status']} ({row['message']})"
    failed = [run for run in runs if run["status"] == "error"]
    for run in failed:
        if "lost" not in run["reason"]:
            yield f"{_name(run)} failed for another reason than that it was lost: {run['reason']}"
        elif run["task_name"] not in ONCE:
            yield f"{_name(run)} was lost and given up, though it may be run again: {run['reason']}"
    for run in runs:
        if run["status"] == "pending" and not (
            stage.gone
            and "tolerance" in row["message"]
            or ended == "stopped"
            or run["blocked_by"] is not None
            or run["reason"].startswith("Blocked")
        ):
            yield f"{_name(run)} never ran, and nothing says why; {why}"
    if ended == "ready" and any(run["status"] not in ("ready", "skipped") for run in runs):
        yield f"{why}, but not all of its runs"
    if ended == "stopped" and stage.stopped_at is None:
        yield f"{why}, but nobody asked for a stop"
    if ended == "error" and not failed and not stage.gone:
        yield f"{why}, but nothing of it was lost"


def _out_of_order(stage: Stage, runs: list[dict[str, Any]], lines: list[journal.Line]) -> Iterator[str]:
    parent_of = {run["id"]: run["parent_id"] for run in runs}
    nodes_of: dict[int, set[str]] = defaultdict(set)
    done: dict[tuple[int, str], set[str]] = defaultdict(set)
    for run in runs:
        nodes_of[run["parent_id"]].add(run["node"])
    for line in lines:
        parent = parent_of[line.run]
        if line.what == "end":
            done[parent, line.task].add(line.node)
        elif line.what == "start" and line.task in AFTER:
            before, where = AFTER[line.task]
            missing = ({line.node} if where == "own" else nodes_of[parent]) - done[parent, before]
            if missing:
                yield f"{line.task} on node {line.node} was started before {before} was done on {', '.join(sorted(missing))}"


def _after_the_stop(stage: Stage, lines: list[journal.Line], attempts: dict[tuple[int, int], dict[str, Any]]) -> Iterator[str]:
    if stage.stopped_at is None:
        return
    for line in lines:
        if line.what == "start" and line.at > stage.stopped_at:
            claimed = attempts[line.run, line.attempt]["time_start"]
            if claimed is None or claimed.timestamp() > stage.stopped_at + _CLAIM_TO_START:
                yield f"{line.task} on node {line.node} was claimed after the stop"


def _not_verified(stage: Stage) -> Iterator[str]:
    with ThreadPoolExecutor() as threads:
        proofs = list(threads.map(lambda parent: stage.system.manage("verify", str(parent), check=False), stage.parents))
    for parent, proof in zip(stage.parents, proofs, strict=True):
        if proof.returncode:
            yield f"verify {parent}: {proof.stdout.strip()} {proof.stderr.strip()}"


def _name(run: dict[str, Any]) -> str:
    return f"{run['task_name']} on node {run['node']} (run {run['id']})"
