"""What the pages name is there: links, files, tests, faults, settings and words."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class

from deployments.connections.local import Local
from deployments.core.proof.findings import Kind
from deployments.executors.base import BadParameters
from deployments.services.tools import Patience
from deployments.wire.messages import Work
from fuelweb.command_page import command_page

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
ALL_PAGES = [*PAGES, *sorted(ROOT.glob("*.md"))]
OURS = ("deployments", "fuelweb")
DJANGO_S = ("help", "check", "changepassword", "COMMAND")
CHAOS = ROOT / "tests" / "acceptance" / "chaos" / "faults.py"


def _text(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: page.stem)
def test_named_files_and_tests_exist(page: Path) -> None:
    missing = []
    for code in re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8")):
        if match := re.fullmatch(r"((?:tests|deployments|history|fuelweb|script)/[\w/.]+)(?:::(\w+))?", code):
            file, test = ROOT / match[1], match[2]
            if not file.exists() or (test and f"def {test}(" not in file.read_text(encoding="utf-8")):
                missing.append(code)
        elif re.fullmatch(r"test_\w+", code) and not _is_a_test(code):
            missing.append(code)
    assert missing == []


@pytest.mark.parametrize("page", [page for page in ALL_PAGES if page.stem != "commands"], ids=lambda page: page.stem)
def test_named_commands_and_options_exist(page: Path) -> None:
    known = command_options()
    wrong = []
    for name, rest in re.findall(r"manage\.py ([a-z_]+)([^`\n#]*)", page.read_text(encoding="utf-8")):
        if name not in known and name not in DJANGO_S:
            wrong.append(name)
        elif name in known:
            wrong += [f"{name} {option}" for option in re.findall(r"(?<!\S)\[?(--[a-z-]+)", rest) if option not in known[name]]
    assert wrong == []


@cache
def command_options() -> dict[str, set[str]]:
    """What every command of ours takes, sub-commands included."""
    return {name: _options(load_command_class(app, name).create_parser("", name)) for name, app in get_commands().items() if app in OURS}


def _options(parser: ArgumentParser) -> set[str]:
    found = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action.choices, dict):
            found.update(*map(_options, action.choices.values()))
    return found


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    assert _text("commands.md") == command_page(), "Run: python manage.py reference > docs/commands.md"


def test_every_command_has_a_place_on_its_page() -> None:
    assert re.findall(r"^### (\w+)$", _text("commands.md").partition("## Others")[2], re.MULTILINE) == ["diagrams", "reference"]


def _is_a_test(name: str) -> bool:
    return any(f"def {name}(" in file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py"))


def test_every_fault_of_the_chaos_suite_has_its_row() -> None:
    played = set(re.findall(r'^    "([a-z-]+)": Fault\(', CHAOS.read_text(encoding="utf-8"), re.MULTILINE))
    assert played
    assert {fault for fault in played if f"`{fault}`" not in _text("when-something-dies.md")} == set()


def test_every_setting_is_listed() -> None:
    sources = [ROOT / "fuelweb" / "settings.py", ROOT / "deployments" / "agent" / "config.py"]
    lines = [line for source in sources for line in source.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    tables = "\n".join(line.split("|")[1] for line in lines)
    variables = set(re.findall(r"\b[A-Z][A-Z_]{4,}\b", tables)) | {f"FUELWEB_{field.name.upper()}" for field in fields(Patience)}
    assert {variable for variable in variables if f"`{variable}`" not in _text("settings.md")} == set()


def test_every_kind_of_finding_is_explained() -> None:
    kinds = Kind.__args__  # type: ignore[attr-defined]
    assert [kind for kind in kinds if f"| `{kind}` |" not in _text("history.md")] == []


def test_the_example_of_a_task_type_works() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", _text("writing-a-task-type.md"), re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(compile(example, "the example", "exec"), namespace)  # noqa: S102
    node = Local("1", root=Path("/nonexistent"))
    with pytest.raises(BadParameters, match="Missing a required parameter dst"):
        namespace["sync"](Work("copy", "sync", {"src": "/a"}), node)
    outcome = namespace["sync"](Work("copy", "sync", {"src": "/a", "dst": "/b", "retries": 0}), node)
    assert outcome.state == "error" and outcome.reason


def test_every_page_is_on_the_map() -> None:
    assert [page.name for page in PAGES if page.name != "index.md" and f"({page.name})" not in _text("index.md")] == []


def test_the_glossary_is_in_order() -> None:
    words = re.findall(r"^\| ([^|]+) \|", _text("glossary.md"), re.MULTILINE)[1:]
    plain = [word.strip().strip("`").lower() for word in words]
    assert plain == sorted(plain)
