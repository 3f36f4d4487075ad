"""Plays a round: deploy, strike, perhaps stop, repair, wait for the end, judge."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from tests.acceptance.chaos import checks
from tests.acceptance.chaos.faults import FAULTS, Fault
from tests.acceptance.chaos.stage import PATIENCE, Stage
from tests.acceptance.chaos.system import System


@dataclass(frozen=True, slots=True)
class Round:
    """What came of one. `recovery` and `recalled` are in seconds, None where nothing had to be; `wrong` are sentences, none if passed."""

    fault: str
    kind: str
    runs: int
    recovery: float | None
    recalled: float | None
    seconds: float
    ended: tuple[str, ...]
    wrong: tuple[str, ...]


def play(system: System, name: str, *, stop: bool, chance: random.Random) -> Round:
    """Play the fault of this name. Afterwards everything runs again; after a failed round the system is not to be used further."""
    fault, begun = FAULTS[name], time.time()
    stage = Stage(system, fault.clusters, chance)
    wrong: list[str] = []
    try:
        act = fault.act(stage)
        next(act)
        accepted = stop and stage.stop()
        _finish(act, stage)
        if stop and not accepted:
            system.wait(stage.stop, PATIENCE, "a stop is accepted after the repair")
        stage.until_over()
        wrong = checks.wrong(stage)
        for clear in stage.at_the_end:
            clear()
        system.restore()
    except (AssertionError, OSError, subprocess.SubprocessError) as late:
        wrong.append(f"{type(late).__name__}: {late}")
    recovery = None if wrong else _recovery(stage, fault)
    rows = system.rows("SELECT status FROM history_transaction WHERE id = ANY(%s) ORDER BY id", stage.parents)
    ended = tuple(row["status"] for row in rows)
    return Round(name, fault.kind, len(stage.runs()), recovery, stage.recalled, time.time() - begun, ended, tuple(wrong))


def _finish(act: Iterator[None], stage: Stage) -> None:
    with suppress(StopIteration):
        next(act)
    stage.repaired_at = time.time()


def _recovery(stage: Stage, fault: Fault) -> float | None:
    since = stage.repaired_at if fault.recovery == "next" else stage.struck_at
    query = "SELECT extract(epoch FROM %s(at)) AS at FROM history_event WHERE transaction_id = ANY(%%s) AND at > to_timestamp(%%s)"
    if fault.recovery == "lost":
        query = query % "max" + " AND subject = 'attempt' AND new = 'lost' AND node = ANY(%s)"
        rows = stage.system.rows(query, stage.parents, since, sorted(stage.struck_nodes))
    else:
        rows = stage.system.rows(query % "min" + " AND actor <> %s", stage.parents, since, stage.dead_owner)
    return float(rows[0]["at"]) - since if rows[0]["at"] is not None else None
