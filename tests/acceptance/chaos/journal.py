"""What the tasks themselves wrote on their nodes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Line:
    """One fact: `what` is start, end or overlap; `at` seconds since the epoch."""

    node: str
    what: str
    task: str
    run: int
    attempt: int
    pid: int
    at: float


def read(nodes: Path) -> list[Line]:
    """All lines of all nodes below this folder, by time."""
    lines = [_line(file.parent.name, text) for file in nodes.glob("*/journal") for text in file.read_text().splitlines()]
    return sorted(lines, key=lambda line: line.at)


def _line(node: str, text: str) -> Line:
    what, task, run, attempt, pid, at = text.split()
    return Line(node, what, task, int(run), int(attempt), int(pid), float(at))


def running(lines: Iterable[Line]) -> list[Line]:
    """The starts without an end. Of those, the ones whose process was killed will never have one."""
    lines = list(lines)
    ended = {(line.run, line.attempt) for line in lines if line.what == "end"}
    return [line for line in lines if line.what == "start" and (line.run, line.attempt) not in ended]


def wrong(lines: Iterable[Line]) -> list[str]:
    """Sentences about two tasks at once on a node, and about attempts that were started twice."""
    lines = list(lines)
    found = [f"{line.task} on node {line.node} ran beside another (run {line.run})" for line in lines if line.what == "overlap"]
    seen: set[tuple[int, int]] = set()
    for line in lines:
        if line.what == "start":
            if (line.run, line.attempt) in seen:
                found.append(f"{line.task} on node {line.node}: attempt {line.attempt} of run {line.run} was started twice")
            seen.add((line.run, line.attempt))
    return found + _crossing(lines)


def _crossing(lines: Iterable[Line]) -> list[str]:
    """The same by the times of starts and ends alone."""
    found = []
    open_now: dict[str, Line] = {}
    ended: set[tuple[int, int]] = set()
    finished = {(line.run, line.attempt) for line in lines if line.what == "end"}
    for line in lines:
        key = (line.run, line.attempt)
        if line.what == "end":
            ended.add(key)
        elif line.what == "start":
            before = open_now.get(line.node)
            if before and (before.run, before.attempt) in finished and (before.run, before.attempt) not in ended:
                found.append(f"{line.task} on node {line.node} was started before {before.task} had ended")
            open_now[line.node] = line
    return found
