"""What the pages name is there: links, files, tests, faults, settings and words."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from deployments.connections.local import Local
from deployments.core.proof.findings import Kind
from deployments.executors.base import BadParameters
from deployments.services.tools import Patience
from deployments.wire.messages import Work

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
CHAOS = ROOT / "tests" / "acceptance" / "chaos" / "faults.py"


def _text(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
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
