"""The demonstration behind `script/demo`: the example shop, from nothing to answering pages and back.

It uses the same commands as a person would, and shows them.
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import IO

_BASE = Path(__file__).resolve().parent.parent
_EXAMPLE = _BASE / "examples" / "shop"
_PORT = re.compile(r"\b180[89]\d\b")
_GOING_DOWN = 60.0


class DemoFailed(Exception):
    """Something did not work as it should."""


class Demo:
    """One run of the demonstration, with all it makes below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # The nodes' tasks call python3: let it be the one that runs the demonstration.
        search = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        self._env = {**os.environ, "FUELWEB_HOME": str(folder / "home"), "PATH": search, "PYTHONUNBUFFERED": "1"}
        self._env["COLUMNS"] = str(min(shutil.get_terminal_size((120, 40)).columns, 160))
        for given in ("REDIS_URL", "DATABASE_URL", "DJANGO_SETTINGS_MODULE"):
            self._env.pop(given, None)
        self._server: subprocess.Popen[str] | None = None

    def run(self) -> None:
        """All of it.

        Raises:
            DemoFailed: a step did not work; the sentence says which.
        """
        started = time.monotonic()
        cluster, ports = self._copy_cluster()
        balancer = f"http://127.0.0.1:{ports['18090']}/"
        self._start_server()
        self._manage("load_cluster", str(cluster))
        self._manage("graph", "upload", "--cluster", "shop", str(_EXAMPLE / "tasks.yaml"))
        self._manage("graph", "upload", "--cluster", "shop", "--type", "teardown", str(_EXAMPLE / "teardown.yaml"))
        deployed = self._manage("deploy", "shop", "--watch")
        self._manage("history", _transaction(deployed))
        self._visit(balancer)
        self._manage("deploy", "shop", "--graph", "teardown", "--watch")
        self._check_gone(balancer)
        self._stop_server()
        _say(f"\nEverything worked, in {time.monotonic() - started:.0f} seconds. Now yours: script/server, and docs/tutorial.md.")

    def clean(self) -> None:
        """End whatever still runs and remove every trace."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if self._server is not None and self._server.poll() is None:
            # Twice: it is not to wait for what runs.
            for _ in range(2):
                self._server.send_signal(signal.SIGINT)
                time.sleep(0.5)
            self._server.wait(_GOING_DOWN)
        for file in self._folder.glob("home/nodes/*/srv/pid"):
            try:
                os.kill(int(file.read_text()), signal.SIGTERM)
            except (OSError, ValueError):
                continue
        shutil.rmtree(os.path.realpath(self._folder / "home" / "run"), ignore_errors=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- steps ------------------------------------------------------------------------------------------------------------
    def _copy_cluster(self) -> tuple[Path, dict[str, str]]:
        """The example's cluster file with free ports; which port stands for which."""
        text = (_EXAMPLE / "cluster.yaml").read_text(encoding="utf-8")
        wanted = sorted(set(_PORT.findall(text)))
        ports = dict(zip(wanted, _free_ports(len(wanted)), strict=True))
        text = _PORT.sub(lambda match: ports[match.group()], text)
        copy = self._folder / "cluster.yaml"
        copy.write_text(text, encoding="utf-8")
        return copy, ports

    def _start_server(self) -> None:
        _say("$ script/server --port 0")
        self._server = subprocess.Popen(
            [sys.executable, "manage.py", "server", "--port", "0"],
            cwd=_BASE,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        assert self._server.stdout is not None
        if not _forward(self._server.stdout, until="ready "):
            self._show_logs()
            raise DemoFailed("The system did not come up.")

    def _stop_server(self) -> None:
        assert self._server is not None
        assert self._server.stdout is not None
        _say("\n(Ctrl-C)")
        self._server.send_signal(signal.SIGINT)
        _forward(self._server.stdout)
        if self._server.wait(_GOING_DOWN) != 0:
            raise DemoFailed(f"The system ended with exit code {self._server.returncode}.")

    def _manage(self, *arguments: str) -> str:
        """Run a command and show it; its output."""
        _say(f"\n$ python manage.py {' '.join(arguments)}")
        # A terminal of its own, so progress is shown as it moves.
        reader, writer = pty.openpty() if sys.stdout.isatty() else os.pipe()
        with os.fdopen(writer, "wb") as output:
            command = subprocess.Popen([sys.executable, "manage.py", *arguments], cwd=_BASE, env=self._env, stdout=output, stderr=output)
        shown = _copy_through(reader)
        if command.wait() != 0:
            self._show_logs()
            raise DemoFailed(f"`manage.py {arguments[0]}` ended with exit code {command.returncode}.")
        return shown

    def _visit(self, balancer: str) -> None:
        _say(f"\n$ curl {balancer}    (six times)")
        greetings = []
        for _ in range(6):
            with urllib.request.urlopen(balancer, timeout=10) as answer:
                greetings.append(answer.readline().decode().strip())
            _say(greetings[-1])
        if len(set(greetings)) != 3:
            raise DemoFailed("The balancer did not bring its visitors to all three shops.")

    def _check_gone(self, balancer: str) -> None:
        try:
            urllib.request.urlopen(balancer, timeout=2).close()
        except OSError:
            return
        raise DemoFailed("The balancer still answers after it was taken down.")

    def _show_logs(self) -> None:
        """The last words of every process, since the folder is about to be removed."""
        for log in sorted(self._folder.glob("home/logs/*.log")):
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            _say(f"--- {log.name}")
            _say("\n".join(lines[-15:]))


def _transaction(output: str) -> str:
    """The id that `deploy` has printed."""
    found = re.search(r"(?:id|[Tt]ransaction) (\d+)", output)
    if found is None:
        raise DemoFailed("`deploy` did not print the id of its transaction.")
    return found.group(1)


def _free_ports(count: int) -> list[str]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [str(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _copy_through(reader: int) -> str:
    """Show what is written to the other end, as it comes; what came."""
    shown = b""
    while True:
        try:
            part = os.read(reader, 65536)
        except OSError:
            # So a terminal tells that nobody writes to it any more.
            part = b""
        if not part:
            os.close(reader)
            return shown.decode(errors="replace")
        sys.stdout.buffer.write(part)
        sys.stdout.flush()
        shown += part


def _forward(lines: IO[str], until: str = "") -> str:
    """Show what comes, to its end or to a line that begins with `until`; what came. Empty if it ended before such a line."""
    seen = []
    for line in lines:
        _say(line.rstrip("\n"))
        seen.append(line)
        if until and line.startswith(until):
            return "".join(seen)
    return "" if until else "".join(seen)


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    """Exit status: 0 if everything worked."""
    argparse.ArgumentParser(
        prog="script/demo",
        description="Deploys a small web shop on six nodes, each of them a folder, looks at its pages, and takes it down again. It needs "
        "about half a minute, uses a folder and ports of its own, and leaves nothing behind.",
    ).parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    demo = Demo(Path(tempfile.mkdtemp(prefix="fuelweb-demo-")))
    try:
        demo.run()
    except DemoFailed as error:
        print(f"The demonstration failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted: everything is being removed.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Nobody reads any more; nor can Python tell them so when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    finally:
        demo.clean()
    return 0


if __name__ == "__main__":
    sys.exit(main())
