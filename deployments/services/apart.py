"""Long reckoning for a process that must not do it itself, as the web: a command of ours in a process of its own, bounded in time and
memory."""

from __future__ import annotations

import json
import logging
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from threading import BoundedSemaphore
from typing import BinaryIO

from django.conf import settings

from deployments.core.errors import FuelwebError, InvalidData

logger = logging.getLogger(__name__)

SECONDS = 60.0
"""Wall time after which it is given up."""
MEGABYTES = 1024
"""Of address space. Planning 55,000 task runs takes 140."""
AT_ONCE = 2
"""How many such processes each process of ours may have; who comes then is sent away, since waiting would hold a thread of the web."""

_places = BoundedSemaphore(AT_ONCE)


class Unavailable(FuelwebError):
    """The server can't do this now."""


def json_of(*command: str, seconds: float = SECONDS, megabytes: int = MEGABYTES) -> BinaryIO:
    """What a management command writes: a file with its JSON, from its beginning. Who reads it closes it.

    The command tells what is wrong as `{"error": {message, …}}` and exits with 1.

    Raises:
        InvalidData: the command refused, for the reason that it told.
        Unavailable: too many of them are running, it took too long or too much memory, or it failed.
    """
    if not _places.acquire(blocking=False):
        raise Unavailable("The server is busy with other plans: try again in a few seconds.")
    try:
        with tempfile.TemporaryFile() as said:
            # A file and no pipe: nobody has to hold it in memory, and a slow reader does not keep the process alive.
            written = tempfile.TemporaryFile()  # noqa: SIM115 - the reader closes it
            try:
                status = _run(command, written, said, seconds, megabytes)
                _check(status, command, written, said, megabytes)
            except BaseException:
                written.close()
                raise
            written.seek(0)
            return written
    finally:
        _places.release()


def _run(command: Sequence[str], written: BinaryIO, said: BinaryIO, seconds: float, megabytes: int) -> int:
    argv = [sys.executable, str(settings.BASE_DIR / "manage.py"), *command]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=written, stderr=said) as child:
        # Without us too it comes to an end.
        resource.prlimit(child.pid, resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 1))
        resource.prlimit(child.pid, resource.RLIMIT_AS, (megabytes * 1024**2, megabytes * 1024**2))
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            raise Unavailable(
                f"This took longer than {seconds:g} s, so it was given up: name fewer nodes or tasks, or ask for a dry run, "
                "which is planned apart and kept in the history."
            ) from None


def _check(status: int, command: Sequence[str], written: BinaryIO, said: BinaryIO, megabytes: int) -> None:
    if status == 0:
        return
    if (refusal := _refusal(written)) is not None:
        raise InvalidData(refusal)
    said.seek(0)
    complaint = said.read().decode(errors="replace").strip()
    logger.error("%s ended with %s: %s", " ".join(command), status, complaint)
    if "MemoryError" in complaint:
        raise Unavailable(f"This takes more than {megabytes} MB of memory, so it was given up: name fewer nodes or tasks.")
    raise Unavailable("The server could not reckon this; its log says why.")


def _refusal(written: BinaryIO) -> str | None:
    written.seek(0)
    try:
        return str(json.loads(written.read())["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return None
