"""The command lines that pages and help show, with something real in place of what stands for it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.core.management import get_commands, load_command_class

from deployments.management.base import FuelwebCommand

ROOT = Path(__file__).resolve().parent.parent
OURS = ("deployments", "fuelweb")
PAGES = (*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md")))
STAND_FOR = {
    "CLUSTER": "first", "TRANSACTION:TASK/NODE": "7:page/web-1", "TASK/NODE": "page/web-1", "TRANSACTION": "7", "RUN": "7:page/web-1",
    "NODE": "web-1", "UID": "web-1", "TASK": "page", "FILE": "examples/first/tasks.yaml", "TOKEN": "token", "SPEED": "100", "N": "3",
    "S": "3", "WHY": "because", "USER": "admin", "TYPE": "default", "NAME": "agent-gone", "GUARD": "fence",
}  # fmt: skip
"""What a word in capitals stands for, where a command line has one."""
_START = re.compile(r"(?:^|[\s`])(?:manage\.py|(script/(?:server|faults|chaos|bench|test|demo)))(?= |$)")


@dataclass(frozen=True, slots=True)
class Line:
    """A command line and where it stands."""

    where: str
    words: tuple[str, ...]
    """Without `manage.py`; of a script `script/name` is the first."""

    def __str__(self) -> str:
        return f"{self.where}: {' '.join(self.words)}"


def lines() -> list[Line]:
    """All of them: in blocks of code and between backticks of the pages, and the examples of the commands' help."""
    found = [line for page in PAGES for line in _of_page(page)]
    for name, app in sorted(get_commands().items()):
        command = load_command_class(app, name) if app in OURS else None
        if isinstance(command, FuelwebCommand):
            found += [Line(f"help of {name}", words) for example in command.examples for words in _words(f"manage.py {example}", bare=True)]
    return list(dict.fromkeys(found))


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """The language (may be empty) and the text of each block of code."""
    yield from re.findall(r"^ *```(\w*)\n(.*?)^ *```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def _of_page(page: Path) -> Iterator[Line]:
    text = page.read_text(encoding="utf-8")
    if page.stem != "commands":  # Its usage lines are printed from the parsers themselves; its examples are those of the help.
        shown = [line for language, block in blocks(page) if not language for line in block.splitlines()]
        prose = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
        for code in shown:
            yield from (Line(page.name, words) for words in _words(code, bare=True))
        for code in re.findall(r"`([^`\n]+)`", prose):
            yield from (Line(page.name, words) for words in _words(code))


def _words(code: str, *, bare: bool = False) -> Iterator[tuple[str, ...]]:
    """Every command line that is meant: `[…]` is there and not there, `a|b` is one after the other.

    Args:
        bare: a name alone is a command line too.
    """
    for start, part in _parts(code):
        meant = [re.sub(r"[\[\]]", "", part), re.sub(r"\[[^\]]*\]", "", part)] if "[" in part else [part]
        for one in meant:
            quoted = re.findall(r"\"[^\"]*\"|'[^']*'|\S+", one)
            before = ["", *quoted]
            choices = [[_stands_for(word, last) for word in piece.split("|")] for last, piece in zip(before, quoted, strict=False)]
            for words in itertools.product(*choices):
                if words and words != ("help",) and (bare or start or len(words) > 1):
                    yield (*start, *words)


def _stands_for(word: str, last: str) -> str:
    if word == "FILE" and last in ("--cluster", "load_cluster"):
        return "examples/first/cluster.yaml"
    return STAND_FOR.get(word, word).strip("\"'")


def _parts(code: str) -> Iterator[tuple[tuple[str, ...], str]]:
    code = code.replace("\\|", "|").replace("…/", "")
    starts = list(_START.finditer(code))
    for place, start in enumerate(starts):
        end = starts[place + 1].start() if place + 1 < len(starts) else len(code)
        part = re.split(r" [#>] ?| {3,}|; |…|%", code[start.end() : end], maxsplit=1)[0].strip().removesuffix(",")
        part = re.sub(r" (?:python|docker|&&).*$", "", part)
        yield ((start[1],) if start[1] else ()), part
