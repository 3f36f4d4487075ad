"""A Redis server that a test may kill, empty and start again, and a way to it that may go dead."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from fuelweb import embedded


class RedisServer:
    """A server in a folder of its own; `with` stops it and removes the folder."""

    def __init__(self, program: str | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="fuelweb-redis-"))
        self._command = embedded.redis_command(self._folder / "s", self._folder / "data")
        if program is not None:
            self._command[0] = program
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._folder / 's'}"
        self.data = self._folder / "data"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while not embedded.answers(self.url):
            assert time.monotonic() < until, "the Redis server did not start"
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, such as STOP and CONT."""
        assert self._process is not None
        self._process.send_signal(number)

    def restart(self, *, empty: bool) -> None:
        """Kill it and start it again, with its data or without."""
        # Its file is written once a second; what a test has done before must be in it.
        time.sleep(0 if empty else 1.1)
        self.kill()
        if empty:
            shutil.rmtree(self.data)
            self.data.mkdir()
        self.start()

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


class Wire:
    """A way to a server that may go dead: what is connected stays connected, and nothing comes through any more. New connections do."""

    def __init__(self, url: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="fuelweb-wire-"))
        self._there = url.removeprefix("unix://")
        self.url = f"unix://{self._folder / 's'}"
        self._door = socket.socket(socket.AF_UNIX)
        self._open: list[socket.socket] = []
        self._dead: set[socket.socket] = set()

    def go_dead(self) -> None:
        """For all connections there are."""
        self._dead = set(self._open)

    def __enter__(self) -> Wire:
        self._door.bind(str(self._folder / "s"))
        self._door.listen(128)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for end in [self._door, *self._open]:
            end.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._door.accept()
                far = socket.socket(socket.AF_UNIX)
                self._open += [near, far]
                far.connect(self._there)
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if source not in self._dead:
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)
