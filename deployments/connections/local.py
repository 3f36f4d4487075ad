"""The machine the agent itself runs on, or a folder of it that stands for a node."""

from __future__ import annotations

import grp
import os
import posixpath
import pwd
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from deployments.connections import processes
from deployments.connections.base import OUTPUT_BYTES, Ended, FileSpec, How, NodeProblem, Watch, folder_name

_GATE = ("/bin/sh", "-c", 'read -r go && exec "$@" </dev/null', "sh")
"""The process waits for a line before it becomes the command: if the agent is killed before the mark is written, nothing has run."""

_KEPT_VARIABLES = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
"""All that commands see of the agent's environment: it holds secrets."""


class Local:
    """See `Connection`. With `root` given, `<root>/<node>` stands for the node's `/`: paths of files and `cwd` are taken below it.

    Commands find the node's uid in FUELWEB_NODE, its `/` in FUELWEB_ROOT, and what `told` says beside. A rooted node's files belong to
    the agent's user, whatever the task says. `grace` is how many seconds a process has between TERM and KILL.
    """

    def __init__(
        self,
        node: str,
        *,
        root: Path | None = None,
        watch: Watch | None = None,
        grace: float = 5.0,
        told: Mapping[str, str] | None = None,
    ) -> None:
        self._node, self._watch, self._grace, self._told = node, watch, grace, told or {}
        self._base = Path("/") if root is None else (root / folder_name(node)).absolute()
        self._rooted = root is not None
        self._halted = threading.Event()
        self._changed = threading.Event()

    def run(self, argv: Sequence[str], *, timeout: float, cwd: str = "/", env: Mapping[str, str] | None = None) -> Ended:
        with tempfile.TemporaryFile() as output:
            process = self._start(argv, cwd, env or {}, output)
            try:
                self._open_gate(process)
                how = self._wait(process.pid, timeout)
            finally:
                exit_code = process.wait()
            if self._watch is not None:
                self._watch.ended()
            return Ended(how, exit_code, _tail(output))

    def put(self, file: FileSpec) -> bool:
        path = self._path(file.path)
        if self._watch is not None:
            self._watch.check()
        try:
            if not file.overwrite and path.exists():
                return False
            if file.parents or self._rooted:
                _make_folders(path.parent, file.dir_permissions)
            self._replace(path, file)
        except OSError as error:
            raise NodeProblem(f"{file.path} could not be written: {error.strerror or error}.", node=self._node) from error
        return True

    def pause(self, seconds: float) -> bool:
        return not self._halted.wait(seconds)

    def halt(self) -> None:
        self._halted.set()
        self._changed.set()

    def _start(self, argv: Sequence[str], cwd: str, env: Mapping[str, str], output: IO[bytes]) -> subprocess.Popen[bytes]:
        folder = self._path(cwd)
        if self._rooted:
            folder.mkdir(parents=True, exist_ok=True)
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        around = {**kept, "FUELWEB_NODE": self._node, "FUELWEB_ROOT": str(self._base), **self._told, **env}
        try:
            return subprocess.Popen(
                [*_GATE, *argv], cwd=folder, env=around, stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True
            )
        except OSError as error:
            raise NodeProblem(f"{argv[0]} could not be started in {cwd}: {error.strerror or error}.", node=self._node) from error

    def _open_gate(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        with process.stdin as gate:
            mark = processes.mark(process.pid)
            if mark is None:
                return
            if self._watch is not None:
                self._watch.begun(mark)
            if not self._halted.is_set():
                gate.write(b"go\n")

    def _wait(self, pid: int, timeout: float) -> How:
        """Until the process has ended, time is up or the attempt is to end; in the last two cases its whole group is ended.

        The process isn't reaped here: until then its number, which is its group's, can't be given to another.
        """
        over = threading.Event()
        self._changed.clear()
        waiter = threading.Thread(target=self._see_end, args=(pid, over), name=f"end of {pid}", daemon=True)
        waiter.start()
        if not self._halted.is_set():
            self._changed.wait(timeout)
        how: How = "halted" if self._halted.is_set() else "exited" if over.is_set() else "timed out"
        if not over.is_set():
            processes.end_group(pid, self._grace)
        waiter.join()
        return how

    def _see_end(self, pid: int, over: threading.Event) -> None:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        over.set()
        self._changed.set()

    def _path(self, path: str) -> Path:
        return self._base / posixpath.normpath("/" + path).lstrip("/")

    def _replace(self, path: Path, file: FileSpec) -> None:
        handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(file.data)
                os.fchmod(stream.fileno(), file.permissions)
                if not self._rooted and (file.user_owner or file.group_owner):
                    os.fchown(stream.fileno(), _uid(file.user_owner), _gid(file.group_owner))
            os.replace(fresh, path)
        except BaseException:
            os.unlink(fresh)
            raise


def _tail(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - OUTPUT_BYTES))
    text = output.read().decode(errors="replace")
    return text if size <= OUTPUT_BYTES else text.partition("\n")[2] or text


def _make_folders(folder: Path, permissions: int) -> None:
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        each.chmod(permissions)


def _uid(name: str | None) -> int:
    if name is None:
        return -1
    try:
        return int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid
    except KeyError as error:
        raise OSError(f"there is no user {name} on the node") from error


def _gid(name: str | None) -> int:
    if name is None:
        return -1
    try:
        return int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise OSError(f"there is no group {name} on the node") from error
