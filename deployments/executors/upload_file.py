"""`upload_file`: put one file on the node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployments.connections.base import Connection, FileSpec
from deployments.executors.base import BadParameters, Outcome, number, required, try_times
from deployments.wire.messages import Work


def upload_file(work: Work, node: Connection) -> Outcome:
    """Parameters (Nailgun's names and defaults): path, data (required), permissions 0644, dir_permissions 0755, user_owner and group_owner
    (as the agent's user, if not given), overwrite true, parents true, retries 3. `timeout` is for nodes behind a network: a local
    write ends by itself. A file that is there and must not be overwritten stays as it is, which is no error. A link in the file's place is
    replaced, not followed; a folder there is an error.
    """
    parameters = work.parameters
    file = FileSpec(
        path=str(required(parameters, "path")),
        data=_bytes(required(parameters, "data")),
        permissions=_mode(parameters, "permissions", 0o644),
        dir_permissions=_mode(parameters, "dir_permissions", 0o755),
        user_owner=_text(parameters, "user_owner"),
        group_owner=_text(parameters, "group_owner"),
        overwrite=bool(parameters.get("overwrite", True)),
        parents=bool(parameters.get("parents", True)),
    )

    def once() -> Outcome:
        written = node.put(file)
        return Outcome("ready", summary={"path": file.path, "bytes": len(file.data), "written": written})

    return try_times(node, 1 + int(number(parameters, "retries", 3)), number(parameters, "interval", 2.0), once)


def _bytes(data: object) -> bytes:
    if isinstance(data, str):
        return data.encode()
    raise BadParameters(f"The parameter data must be text, not {type(data).__name__}.")


def _text(parameters: Mapping[str, Any], name: str) -> str | None:
    value = parameters.get(name)
    return None if value is None else str(value)


def _mode(parameters: Mapping[str, Any], name: str, default: int) -> int:
    """Text is octal; a number was octal when YAML read it."""
    value = parameters.get(name)
    if value is None:
        return default
    try:
        mode = int(value, 8) if isinstance(value, str) else int(value)
    except (TypeError, ValueError):
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise BadParameters(f"The parameter {name} must be a file mode such as '0644', not {value!r}.")
    return mode
