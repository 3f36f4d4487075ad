"""A PostgreSQL server that a test may stop at once and start again: its own cluster, its own unix socket."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg

_OPTIONS = ["fsync=off", "listen_addresses=", "max_connections=60", "shared_buffers=16MB", "autovacuum=off"]


class NoPostgres(Exception):
    """The programs aren't installed here, or nobody may run them."""


def programs() -> Path:
    """The folder of `initdb` and `postgres`.

    Raises:
        NoPostgres: they aren't there.
    """
    told = shutil.which("pg_config")
    folders = [Path(subprocess.run([told, "--bindir"], capture_output=True, text=True, check=True).stdout.strip())] if told else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise NoPostgres("PostgreSQL's initdb and postgres are not installed here")


class PostgresServer:
    """A server in a folder of its own; `with` stops it and removes the folder."""

    def __init__(self) -> None:
        self._programs = programs()
        self._folder = Path(tempfile.mkdtemp(prefix="fuelweb-postgres-"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            # It refuses to run as root.
            user = _unprivileged()
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(self._folder, user.pw_uid, user.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"postgres:///{self._folder}/fuelweb"
        self.env = {"DATABASE_URL": self.url, "PGUSER": "fuelweb"}

    def connect(self, database: str = "fuelweb") -> psycopg.Connection[Any]:
        """A connection that commits each statement by itself."""
        return psycopg.connect(host=str(self._folder), user="fuelweb", dbname=database, autocommit=True, connect_timeout=5)

    def start(self) -> None:
        """Start it and wait until it answers; a crash before is recovered from first."""
        argv = [str(self._programs / "postgres"), "-D", str(self._data), "-k", str(self._folder)]
        argv += [part for option in _OPTIONS for part in ("-c", option)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, cwd=self._folder, stdout=log, stderr=log, process_group=0, **self._as)
        until = time.monotonic() + 60
        while True:
            try:
                self.connect("postgres").close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < until and self._process.poll() is None, (self._folder / "log").read_text()[-2000:]
                time.sleep(0.05)

    def stop_at_once(self) -> None:
        """Its immediate mode: every connection is cut, nothing is written back; the next start recovers from its log."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(60)
            self._process = None

    def __enter__(self) -> PostgresServer:
        try:
            initdb = [str(self._programs / "initdb"), "-D", str(self._data), "-U", "fuelweb", "--auth=trust", "--no-sync", "-E", "UTF8"]
            subprocess.run(initdb, cwd=self._folder, check=True, capture_output=True, **self._as)
            self.start()
            with self.connect("postgres") as connection:
                connection.execute("CREATE DATABASE fuelweb")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop_at_once()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self._folder / "data"


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoPostgres("there is no unprivileged user to run PostgreSQL as")
