"""`manage.py server`: the whole system in one place."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, Any

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError

from deployments.core.errors import FuelwebError
from deployments.management.base import FuelwebCommand
from fuelweb import embedded, home, leftovers, system, workers
from fuelweb.supervisor import Supervisor
from history.models import TaskRun

_PATIENCE = 60.0
"""Seconds that everything has to come up in."""


class Command(FuelwebCommand):
    """Brings everything up, keeps it alive, ends it in order."""

    help = "Brings the whole system up (web, planner, orchestrator, fleet, embedded services) and stays until Ctrl-C."
    examples = ("server --port 0",)
    requires_system_checks: list[str] = []
    interrupts = 0
    sizes = system.Sizes()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to answer."""
        parser.add_argument("--port", type=int, default=8000, help="port of the web pages; 0 = any that is free (default: 8000)")
        parser.add_argument("--flower", action="store_true", help="show Flower beside it, on the next port; the fleet sends events")
        parser.add_argument("--places", type=int, help="how many tasks the fleet runs at once (default: FUELWEB_FLEET_PLACES, else 100)")
        parser.add_argument("--processes", type=int, help="how many plans are made at once (default: 1)")

    def handle(self, *args: Any, port: int, flower: bool, **options: Any) -> None:
        """Run until interrupted."""
        self.sizes = _sizes(options)
        home.prepare(settings.FUELWEB_HOME)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupt)
        # Whoever has it ignored (nohup) means the server to outlive its terminal.
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._interrupt)
        with _only_one(settings.FUELWEB_HOME / "server.lock") as lock:
            if ended := leftovers.end(settings.FUELWEB_HOME / "processes"):
                self._say(f"ended {ended} processes that an earlier server had left")
            port = _free_port(port)
            flower_port = _free_port(port + 1) if flower else None
            lock.write(f"http://127.0.0.1:{port}")
            lock.flush()
            supervisor = Supervisor(settings.FUELWEB_HOME / "logs", self._say, settings.FUELWEB_HOME / "processes")
            try:
                self._bring_up(supervisor, port, flower_port)
                while not self.interrupts:
                    supervisor.keep_alive()
                    time.sleep(0.2)
                self._end(supervisor)
            except FuelwebError as error:
                raise CommandError(str(error)) from error
            finally:
                supervisor.kill()

    # -- coming up --------------------------------------------------------------------------------------------------------
    def _bring_up(self, supervisor: Supervisor, port: int, flower_port: int | None) -> None:
        self._say(f"starting; what the processes say is in {settings.FUELWEB_HOME / 'logs'}")
        env = {"FUELWEB_HOME": str(settings.FUELWEB_HOME), "DJANGO_SETTINGS_MODULE": "fuelweb.settings"}
        if not os.environ.get("REDIS_URL"):
            self._start_redis(supervisor)
        elif not embedded.answers(settings.REDIS_URL):
            raise CommandError("The Redis that REDIS_URL names does not answer: start it, or unset REDIS_URL to use a private one.")
        call_command("prepare", stdout=self.stdout)
        for child in system.children(settings.BASE_DIR, settings.FUELWEB_HOME, port, env, events=flower_port is not None, sizes=self.sizes):
            supervisor.start(child)
        self._wait(supervisor, lambda: _web_answers(port), "The web pages do not answer")
        self._wait(supervisor, lambda: not workers.missing(system.WORKERS), "Not all workers came up")
        if self.interrupts:
            return
        self._say(f"ready http://127.0.0.1:{port}")
        if flower_port is not None:
            child, password = system.flower_child(settings.BASE_DIR, flower_port, env)
            supervisor.start(child)
            self._say(f"flower http://127.0.0.1:{flower_port} (user admin, password {password})")

    def _start_redis(self, supervisor: Supervisor) -> None:
        path = home.redis_socket(settings.FUELWEB_HOME)
        supervisor.start(system.redis_child(path, settings.FUELWEB_HOME))
        self._wait(supervisor, lambda: embedded.answers(settings.REDIS_URL), "The private Redis does not answer")

    def _wait(self, supervisor: Supervisor, condition: Callable[[], bool], complaint: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not self.interrupts and not condition():
            supervisor.keep_alive()
            if time.monotonic() > deadline:
                raise CommandError(f"{complaint} after {_PATIENCE:.0f} s; the files in {settings.FUELWEB_HOME / 'logs'} say more.")
            time.sleep(0.1)

    # -- going down -------------------------------------------------------------------------------------------------------
    def _end(self, supervisor: Supervisor) -> None:
        """Stage by stage; whoever is needed by the stage that ends now is still kept alive. A second interrupt cuts it short."""
        self._say("stopping: nothing new starts; press Ctrl-C again to leave what runs to its leases")
        shown = 0
        for stage in supervisor.stages():
            supervisor.ask_to_end(stage)
            while not supervisor.has_ended(stage):
                if self.interrupts > 1:
                    self._say("left what still runs; the next start finds out what became of it")
                    return
                supervisor.keep_alive()
                shown = self._show_running(stage, shown)
                time.sleep(0.2)
        self._say("stopped")

    def _show_running(self, stage: int, shown: int) -> int:
        if stage != system.DECIDE:
            return shown
        try:
            running = TaskRun.objects.filter(status="running").count()
        except DatabaseError:
            return shown
        if running and running != shown:
            self._say(f"waiting for {running} running task run{'s' if running > 1 else ''} to end")
        return running

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.interrupts += 1

    def _say(self, line: str) -> None:
        # The terminal may have been closed; what runs is to end in order all the same.
        with suppress(OSError):
            self.stdout.write(line)
            self.stdout.flush()


def _sizes(options: Mapping[str, Any]) -> system.Sizes:
    """Refused here: a child that ends at once would only be started again and again."""
    for name in ("places", "processes"):
        if options[name] is not None and options[name] < 1:
            raise CommandError(f"--{name} must be 1 or more.")
    return system.Sizes(options["places"], options["processes"])


@contextmanager
def _only_one(path: Path) -> Iterator[IO[str]]:
    """Hold the lock that a second server on the same folder would need; the system frees it however this process ends.

    Into the file goes the address of who holds it.
    """
    try:
        lock = path.open("a+", encoding="ascii")
    except OSError as error:
        raise CommandError(f"The folder {path.parent} can't be used ({error.strerror}): choose another with FUELWEB_HOME.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            raise CommandError(
                f"A server already runs on {path.parent} ({lock.read()}): end it first, or choose another folder with FUELWEB_HOME."
            ) from error
        lock.truncate(0)
        yield lock


def _free_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else "there are 65,535"
            raise CommandError(f"Port {port} can't be used ({reason}): choose another with --port (0 = any that is free).") from error
        return int(probe.getsockname()[1])


def _web_answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
