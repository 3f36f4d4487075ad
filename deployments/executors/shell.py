"""`shell`: run a command by the node's shell. Exit code 0 is success (Astute)."""

from __future__ import annotations

from functools import partial

from deployments.connections.base import Connection
from deployments.executors.base import Outcome, number, required, try_times
from deployments.wire.messages import Work

_MOST_SAID, _MOST_LINES = 300, 3
"""Characters and lines of the output that a reason quotes."""
_BETWEEN = " | "


def shell(work: Work, node: Connection) -> Outcome:
    """Parameters (Nailgun's): cmd (required), cwd `/`, timeout 300 s for each try, retries 2, interval 2 s between two tries."""
    parameters = work.parameters
    once = partial(
        _once,
        node,
        cmd=str(required(parameters, "cmd")),
        cwd=str(parameters.get("cwd") or "/"),
        timeout=number(parameters, "timeout", 300.0),
    )
    return try_times(node, 1 + int(number(parameters, "retries", 2)), number(parameters, "interval", 2.0), once)


def _once(node: Connection, *, cmd: str, cwd: str, timeout: float) -> Outcome:
    ended = node.run(["/bin/sh", "-c", cmd], timeout=timeout, cwd=cwd)
    summary = {"exit_code": ended.exit_code, "output": ended.output}
    if ended.how == "timed out":
        return Outcome("error", f"The command did not end within {timeout:g} s and was ended.", summary)
    if ended.how == "halted":
        return Outcome("error", "The command was ended: a later attempt was allowed on the node.", summary)
    if ended.exit_code:
        return Outcome("error", f"The command ended with exit code {ended.exit_code}{_last_words(ended.output)}", summary)
    return Outcome("ready", summary=summary)


def _last_words(output: str) -> str:
    """The last lines that say something, whole if there is room for them; the rest stands in the summary."""
    lines = [line for line in map(_as_shown, output.split("\n")) if line]
    if not lines:
        return "."
    said, room = [lines[-1][-_MOST_SAID:]], _MOST_SAID - len(lines[-1])
    for line in reversed(lines[:-1]):
        room -= len(line) + len(_BETWEEN)
        if room < 0 or len(said) == _MOST_LINES:
            break
        said.append(line)
    cut = "…" if len(lines[-1]) > _MOST_SAID else ""
    return f": {cut}{_BETWEEN.join(reversed(said))}"


def _as_shown(line: str) -> str:
    """What a terminal shows of it in the end: each carriage return begins the line anew, over what stood there."""
    shown = ""
    for part in line.split("\r"):
        shown = part + shown[len(part) :]
    return shown.strip()
