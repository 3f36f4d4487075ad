"""The machine the agent itself runs on, or a folder of it that stands for a node."""

from __future__ import annotations

import grp
import os
import posixpath
import pwd
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import IO

from deployments.connections import processes
from deployments.connections.base import Ended, FileSpec, How, Next, NodeProblem, Tried, Tries, Watch, folder_name
from deployments.connections.disk import flush, make_folders
from deployments.connections.output import Output

_GATE = ("/bin/sh", "-c", 'read -r go && exec "$@" </dev/null', "sh")
"""The process waits for a line before it becomes the command: if the agent is killed before the mark is written, nothing has run."""

_LOOK_SECONDS = 0.5
"""How often the size of a command's output is looked at."""

_STOP_SECONDS = 1.0
"""How often a pause between two tries is interrupted to see whether the deployment is being stopped."""

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
        tries: Tries | None = None,
    ) -> None:
        self._node, self._watch, self._grace, self._told, self._tries = node, watch, grace, told or {}, tries
        self._base = Path("/") if root is None else (root / folder_name(node)).absolute()
        self._rooted = root is not None
        self._halted = threading.Event()
        self._changed = threading.Event()

    def run(self, argv: Sequence[str], *, timeout: float, cwd: str = "/", env: Mapping[str, str] | None = None) -> Ended:
        with Output() as output:
            process = self._start(argv, cwd, env or {}, output.file)
            try:
                self._open_gate(process)
            except BaseException:
                # It was not let through, so it ends by itself.
                process.wait()
                raise
            how = self._wait(process.pid, timeout, output)
            exit_code = process.wait()
            if self._watch is not None:
                self._watch.ended()
            return Ended(how, exit_code, output.tail())

    def put(self, file: FileSpec) -> bool:
        path = self._path(file.path)
        try:
            with self._watch.alone() if self._watch is not None else nullcontext():
                return self._put(path, file)
        except OSError as error:
            raise NodeProblem(f"{file.path} could not be written: {error.strerror or error}.", node=self._node) from error

    def pause(self, seconds: float) -> bool:
        return not self._halted.wait(seconds)

    def before_next(self, tried: Tried) -> Next:
        until = time.monotonic() + tried.pause
        if self._tries is not None:
            self._tries.failed(tried)
        while True:
            if self._tries is not None and self._tries.stopped():
                return "stopped"
            left = until - time.monotonic()
            if self._halted.wait(max(0.0, min(_STOP_SECONDS, left))):
                return "halted"
            if left <= 0:
                return "go on"

    def halt(self) -> None:
        self._halted.set()
        self._changed.set()

    def _start(self, argv: Sequence[str], cwd: str, env: Mapping[str, str], output: IO[bytes]) -> subprocess.Popen[bytes]:
        folder = self._path(cwd)
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        around = {**kept, "FUELWEB_NODE": self._node, "FUELWEB_ROOT": str(self._base), **self._told, **env}
        try:
            if self._rooted:
                folder.mkdir(parents=True, exist_ok=True)
            return subprocess.Popen(
                [*_GATE, *argv], cwd=folder, env=around, start_new_session=True,
                bufsize=0, stdin=subprocess.PIPE, stdout=output, stderr=output,
            )  # fmt: skip
        except OSError as error:
            raise NodeProblem(f"{argv[0]} could not be started in {cwd}: {error.strerror or error}.", node=self._node) from error

    def _put(self, path: Path, file: FileSpec) -> bool:
        if path.is_dir():
            raise OSError("it is a folder")
        if not file.overwrite and os.path.lexists(path):
            return False
        if self._rooted and not Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(self._base)):
            raise OSError("a link on the way leads out of the folder that stands for the node")
        if file.parents or self._rooted:
            make_folders(path.parent, file.dir_permissions)
        self._replace(path, file)
        return True

    def _open_gate(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        with process.stdin as gate:
            mark = processes.mark(process.pid)
            if mark is None:
                return
            if self._watch is not None:
                self._watch.begun(mark)
            if not self._halted.is_set():
                # If somebody has killed the process meanwhile, its exit code tells.
                with suppress(BrokenPipeError):
                    gate.write(b"go\n")

    def _wait(self, pid: int, timeout: float, output: Output) -> How:
        """Until the process has ended, time is up or the attempt is to end; in the last two cases its whole group is ended.

        The process isn't reaped here: until then its number, which is its group's, can't be given to another.

        Raises:
            NodeProblem: it could not be ended. The watch isn't told that it has: the next attempt finds its mark.
        """
        over = threading.Event()
        self._changed.clear()
        waiter = threading.Thread(target=self._see_end, args=(pid, over), name=f"end of {pid}", daemon=True)
        waiter.start()
        until = time.monotonic() + timeout
        while not (self._halted.is_set() or self._changed.wait(min(_LOOK_SECONDS, max(0.0, until - time.monotonic())))):
            output.look()
            if time.monotonic() >= until:
                break
        how: How = "halted" if self._halted.is_set() else "exited" if over.is_set() else "timed out"
        if not over.is_set() and not self._end(pid):
            raise NodeProblem(f"unfenced: the command could not be ended; end process group {pid} on the node.", node=self._node)
        waiter.join()
        return how

    def _end(self, group: int) -> bool:
        if self._watch is not None:
            self._watch.ending()
        try:
            return processes.end_group(group, self._grace)
        except PermissionError:
            return False

    def _see_end(self, pid: int, over: threading.Event) -> None:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        over.set()
        self._changed.set()

    def _path(self, path: str) -> Path:
        return self._base / posixpath.normpath("/" + path).lstrip("/")

    def _replace(self, path: Path, file: FileSpec) -> None:
        handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=".fuelweb-")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(file.data)
                if not self._rooted and (file.user_owner or file.group_owner):
                    os.fchown(stream.fileno(), _uid(file.user_owner), _gid(file.group_owner))
                # After the owner: a change of owner takes set-user-id away.
                os.fchmod(stream.fileno(), file.permissions)
                # Or a power failure soon after could leave an empty file where a `ready` is recorded.
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(fresh, path)
        except BaseException:
            os.unlink(fresh)
            raise
        flush(path.parent)


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
