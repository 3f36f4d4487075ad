"""The unmodified Fuel client from the package index, in a virtual environment of its own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CONSTRAINTS = Path(__file__).with_name("fuelclient-constraints.txt")
CACHE = Path(__file__).resolve().parents[2] / ".cache"
_PATIENCE = 300.0


def install() -> Path:
    """The folder of the client's programs; installed once for each state of the constraints.

    Skips the test where the package index can't be reached.
    """
    folder = CACHE / f"fuelclient-{hashlib.sha256(CONSTRAINTS.read_bytes()).hexdigest()[:12]}"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, timeout=_PATIENCE)
        pip = [str(folder / "bin" / "pip"), "install", "--quiet", "-c", str(CONSTRAINTS), "setuptools", "PyYAML", "python-fuelclient"]
        done = subprocess.run(pip, capture_output=True, text=True, timeout=_PATIENCE, check=False)
        if done.returncode and os.environ.get("CI") != "true":
            pytest.skip(f"the Fuel client can't be installed here: {done.stderr.strip().splitlines()[-1:]}")
        assert done.returncode == 0, done.stderr
        (folder / "complete").touch()
    return folder / "bin"


@dataclass(frozen=True, slots=True)
class FuelClient:
    """`fuel2` and `fuel` against a server on this machine; files are written into `folder`."""

    programs: Path
    port: int
    folder: Path
    log_in: bool
    """Whether the server asks who it is."""
    password: str = "admin"

    def fuel2(self, command: str, *more: str, status: int = 0) -> str:
        """What `fuel2 command` prints; in case of a failure that is expected, the complaint."""
        return self._run("fuel2", [*command.split(), *more], status)

    def fuel(self, command: str, *more: str, status: int = 0) -> str:
        """What the older `fuel command` prints."""
        return self._run("fuel", [*command.split(), *more], status)

    def read(self, command: str, *more: str) -> Any:
        """What a `fuel2` command shows, as data."""
        return json.loads(self.fuel2(command, *more, "-f", "json"))

    def runs(self, transaction: int, *filters: str) -> dict[tuple[str, str], str]:
        """(task, node) → status, as `fuel2 task history show` tells them."""
        rows = self.read(f"task history show {transaction}", *filters)
        return {(row["task_name"], row["node_id"]): row["status"] for row in rows}

    def _run(self, program: str, arguments: list[str], status: int) -> str:
        env = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "FUELCLIENT_CUSTOM_SETTINGS": str(self._settings()),
            "PYTHONWARNINGS": "ignore", "NO_PROXY": "127.0.0.1", "COLUMNS": "250",
        }  # fmt: skip
        done = subprocess.run(
            [str(self.programs / program), *arguments], cwd=self.folder, env=env, capture_output=True, text=True, timeout=60, check=False
        )
        said = f"{program} {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == status, said
        return done.stdout if status == 0 else done.stderr

    def _settings(self) -> Path:
        file = self.folder / "fuel_client.yaml"
        lines = {"SERVER_ADDRESS": "127.0.0.1", "SERVER_PORT": str(self.port), "OS_USERNAME": "admin", "OS_TENANT_NAME": "admin"}
        lines["OS_PASSWORD"] = self.password
        file.write_text("".join(f'{name}: "{value}"\n' for name, value in lines.items()), encoding="utf-8")
        return file
