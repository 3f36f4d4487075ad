"""Reading the files that commands are given, in YAML or JSON, packed or not; what they mean is the core's business."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deployments.core.cases import cases
from deployments.core.cases.cases import PlanningCase
from deployments.core.documents import safe_yaml
from deployments.core.errors import InvalidData
from deployments.core.simulation.durations import Durations, check_durations

GRAPHS_VARIABLE = "FUELWEB_GRAPHS"
MOST_BYTES = 64 * 1024 * 1024


def content(path: str | Path, what: str) -> bytes:
    """The content of a file, unpacked if its name ends in `.gz`.

    Args:
        what: what the file is, for messages ("The graph").

    Raises:
        InvalidData: it can't be read, or is larger than any such file should be.
    """
    try:
        with gzip.open(path) if str(path).endswith(".gz") else open(path, "rb") as file:
            found = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InvalidData(f"{what} {path} can't be read: {reason}.", where=str(path)) from error
    if len(found) > MOST_BYTES:
        raise InvalidData(f"{what} {path} is larger than {MOST_BYTES:,} bytes.", where=str(path))
    return found


def read(path: str | Path, what: str) -> Any:
    """The data in a file that are to be stored.

    Raises:
        InvalidData: it can't be read, is no YAML, or holds what JSON has no form for.
    """
    data = safe_yaml.load(content(path, what), what, most_bytes=MOST_BYTES)
    try:
        # What is stored, sealed and sent is JSON; better to learn it here than on the way.
        return json.loads(json.dumps(data, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InvalidData(
            f"{what} in {path} holds a value that JSON has no form for ({error}): put dates and the like into quotes."
        ) from error


def read_durations(path: str | Path) -> Durations:
    """Seconds by `task/node`, `task` or `*`.

    Raises:
        InvalidData: it is no such mapping.
    """
    data = safe_yaml.load(content(path, "The durations"), "The durations", most_bytes=MOST_BYTES)
    if not isinstance(data, Mapping):
        raise InvalidData('The durations are no mapping of names to seconds, like {"task": 12.5, "task/node": 3}.', where=str(path))
    return check_durations({str(name): seconds for name, seconds in data.items()})


def read_case(path: str | Path) -> dict[str, Any]:
    """The document of a case file."""
    return cases.load(content(path, "The case"))


def read_planning_case(path: str | Path, case: dict[str, Any]) -> PlanningCase:
    """A planning case with the graph that it names in `tasks_file`."""
    name = case.get("tasks_file")
    text = None if name is None or "tasks" in case else content(find_graph(str(name), Path(path)), "The graph")
    return cases.parse_planning_case(case, text)


def find_graph(name: str, case: Path) -> Path:
    """Where a case's `tasks_file` lies: beside the case, in the folder that `FUELWEB_GRAPHS` names, or in `../../graphs` from the case.

    Raises:
        InvalidData: in none of them.
    """
    folder = case.resolve().parent
    graphs = os.environ.get(GRAPHS_VARIABLE)
    places = [folder, *([Path(graphs)] if graphs else []), folder.parent.parent / "graphs"]
    for place in places:
        if _is_file(place / name):
            return place / name
    looked = ", ".join(map(str, places))
    raise InvalidData(f"The graph {name} is in none of {looked}: set {GRAPHS_VARIABLE} to its folder.", where=name)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        # A name that no file can have.
        return False
