"""Command lines of the pages and of the help are such as the real parsers take; blocks of YAML and JSON can be read."""

from __future__ import annotations

import json
import re
import sys
from argparse import ArgumentParser, _SubParsersAction
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import CommandError

from deployments.core.documents import safe_yaml
from deployments.core.graph.validation import validate
from tests.documented import PAGES, Line, blocks, lines

SCRIPTS = {
    "faults": "tests.faults.__main__",
    "chaos": "tests.acceptance.chaos.__main__",
    "bench": "tests.benchmarks.__main__",
    "demo": "fuelweb.demo",
}
LINES = lines()


class Built(Exception):  # noqa: N818 - it is no error
    """A script has built its parser."""


def test_every_command_of_ours_is_shown_somewhere() -> None:
    shown = {line.words[0] for line in LINES}
    ours = {name for name, app in get_commands().items() if app in ("deployments", "fuelweb")}
    assert ours <= shown
    assert len([line for line in LINES if line.where.endswith(".md")]) > 80


@pytest.mark.parametrize("line", [line for line in LINES if not line.words[0].startswith("script/")], ids=str)
def test_a_command_line_is_parsed(line: Line) -> None:
    name, *arguments = line.words
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    if not _is_a_bare_name(parser, arguments):
        parser.parse_args(arguments)


@pytest.mark.parametrize("line", [line for line in LINES if line.words[0].startswith("script/")], ids=str)
def test_a_script_s_line_is_parsed(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    name, arguments = line.words[0].removeprefix("script/"), list(line.words[1:])
    if name == "server":
        load_command_class("fuelweb", "server").create_parser("manage.py", "server").parse_args(arguments)
    elif name == "test":  # The rest is pytest's.
        assert all((Path(__file__).parents[2] / word).exists() for word in arguments if "/" in word)
    else:
        parser = _parser_of(SCRIPTS[name], monkeypatch)
        found = vars(parser.parse_args(arguments))
        assert set(found.get("topics", ())) <= set(getattr(import_module(SCRIPTS[name]), "TOPICS", ()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_blocks_and_pieces_of_yaml_and_json_can_be_read(page: Path) -> None:
    for language, text in blocks(page):
        if language == "json":
            json.loads(text)
        elif language in ("yaml", "yml"):
            told = safe_yaml.load(text, page.name)
            if isinstance(told, list) and told and "type" in told[0]:
                validate(told)
    for code in re.findall(r"`(\[?\{[a-z_]+: [^`…]+)`", page.read_text(encoding="utf-8")):
        told = safe_yaml.load(code, page.name)
        assert told, code
        if isinstance(told, dict) and {"id", "type"} <= told.keys():
            validate([told])


def _is_a_bare_name(parser: ArgumentParser, arguments: list[str]) -> bool:
    """`graph upload` names a command; it is no line to be typed."""
    branches: Any = next((action.choices for action in parser._actions if isinstance(action, _SubParsersAction)), {})
    return len(arguments) == 1 and arguments[0] in branches and not _takes(parser, arguments)


def _takes(parser: ArgumentParser, arguments: list[str]) -> bool:
    try:
        parser.parse_args(arguments)
    except CommandError:
        return False
    return True


def _parser_of(module: str, monkeypatch: pytest.MonkeyPatch) -> ArgumentParser:
    built: list[ArgumentParser] = []

    def stop(parser: ArgumentParser, *_: Any) -> None:
        built.append(parser)
        raise Built

    with monkeypatch.context() as patched:
        patched.setattr(ArgumentParser, "parse_args", stop)
        patched.setattr(sys, "argv", [module])
        with pytest.raises(Built):
            import_module(module).main()
    return built[0]
