"""Plays seeds in a process of its own: its surroundings, and the simulation that is to be imported only then."""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import django

from tests.faults.verdict import Verdict


@contextmanager
def surroundings() -> Iterator[None]:
    """Nothing of this machine's own settings counts; undone afterwards are only the files."""
    home = tempfile.mkdtemp(prefix="fuelweb-faults-")
    os.environ |= {
        "FUELWEB_HOME": home,
        "DATABASE_URL": "sqlite:///:memory:",
        "DJANGO_SETTINGS_MODULE": "fuelweb.settings",
        "LOG_LEVEL": "CRITICAL",
    }
    try:
        yield
    finally:
        shutil.rmtree(home, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Found:
    """Whether a breakage was noticed: by which seed, after how many, as what."""

    guards: Sequence[str]
    seeds: int
    seed: int | None = None
    finding: str = ""


class Player:
    """Seeds never see each other, so it does not matter which process plays which."""

    def __init__(self) -> None:
        # Imported late: Django's models need its setup first, and that needs the environment of this run.
        django.setup()
        self._world: Any = importlib.import_module("tests.faults.world")
        self._breaks: Any = importlib.import_module("tests.faults.breaks")
        self._database = importlib.import_module("tests.faults.database").Database()
        self._parent = os.getppid()

    def play(self, seed: int, *, quiet: bool = False, guards: Sequence[str] = (), story: Callable[[str], None] | None = None) -> Verdict:
        """One seed; `guards` are taken out of the product, `story` is told all that happens."""
        if os.getppid() != self._parent:
            # Nobody wants to know any more.
            os._exit(1)
        with self._breaks.broken(guards) if guards else nullcontext():
            verdict: Verdict = self._world.simulate(seed, self._database, quiet=quiet, story=story)
        return verdict

    def find(self, guards: Sequence[str], first: int, seeds: int, *, story: Callable[[str], None] | None = None) -> Found:
        """Play seeds without these guards until something is noticed."""
        for seed in range(first, first + seeds):
            if findings := self.play(seed, guards=guards, story=story).findings:
                return Found(guards, seed - first + 1, seed, findings[0])
        return Found(guards, seeds)
