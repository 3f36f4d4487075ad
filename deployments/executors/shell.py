"""`shell`: run a command by the node's shell. Exit code 0 is success (Astute)."""

from __future__ import annotations

from functools import partial

from deployments.connections.base import Connection
from deployments.executors.base import Outcome, number, required, try_times
from deployments.wire.messages import Work


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
        return Outcome("error", f"The command ended with exit code {ended.exit_code}{_last_line(ended.output)}", summary)
    return Outcome("ready", summary=summary)


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return f": {lines[-1][:200]}" if lines else "."
