"""Limits that no linter knows: sizes, names, and the words of the glossary."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ("fuelweb", "deployments", "history")
PRODUCT = sorted(path for app in APPS for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts)
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LONGEST_FILE, LONGEST_TEST_FILE, LONGEST_FUNCTION = 400, 600, 40
DUMPING_GROUNDS = {"utils", "util", "helpers", "common", "misc", "lib"}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_files_are_found() -> None:
    assert len(PRODUCT) > 30


@pytest.mark.parametrize(("files", "limit"), [(PRODUCT, LONGEST_FILE), (TESTS, LONGEST_TEST_FILE)], ids=["product", "tests"])
def test_no_file_is_long(files: list[Path], limit: int) -> None:
    lines = {_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {name: count for name, count in lines.items() if count > limit} == {}


def test_no_function_is_long() -> None:
    long = {}
    for path in PRODUCT:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                length = node.end_lineno - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    long[f"{_name(path)}: {node.name}"] = length
    assert long == {}


def test_there_is_no_dumping_ground() -> None:
    assert [_name(path) for path in PRODUCT if path.stem in DUMPING_GROUNDS or path.parent.name in DUMPING_GROUNDS] == []


def test_every_module_and_public_class_says_what_it_is() -> None:
    silent = []
    for path in PRODUCT:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if tree.body and not ast.get_docstring(tree):
            silent.append(_name(path))
        silent += [
            f"{_name(path)}: {node.name}"
            for node in tree.body
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not ast.get_docstring(node) and node.name != "Command"
        ]
    assert silent == []


def test_the_product_never_asks_whether_it_is_tested() -> None:
    asking = re.compile(r"\bpytest\b|PYTEST_|sys\.argv.*\btest\b|\b(is_)?testing\b", re.IGNORECASE)
    assert [_name(path) for path in PRODUCT if asking.search(path.read_text(encoding="utf-8"))] == []


def test_states_are_not_moved_by_signals() -> None:
    signals = re.compile(r"django\.db\.models\.signals|\bpost_save\b|\bpre_save\b|@receiver")
    assert [_name(path) for path in PRODUCT if signals.search(path.read_text(encoding="utf-8"))] == []


def test_the_project_speaks_of_itself_alone() -> None:
    """No paths of anybody's machine, no numbers of tickets: both mean nothing to who reads it elsewhere."""
    texts = [*PRODUCT, *TESTS, *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "script").iterdir()]
    strange = re.compile(r"(?<![\w/])/(?:work|home/\w+|root)/|\bissue #?\d")
    assert [_name(path) for path in texts if path != Path(__file__) and strange.search(path.read_text(encoding="utf-8"))] == []


def test_queued_is_said_of_messages_only() -> None:
    """A task run that waits is `pending`: the stored words are Fuel's, and a second word for the same state would hide it."""
    stored = re.compile(r"""status\w*\s*(?:=|==|in)\s*[(\[]?\s*["'](?:queued|failed|success|successful|blocked|done)["']""")
    assert [_name(path) for path in PRODUCT if "core" not in path.parts and stored.search(path.read_text(encoding="utf-8"))] == []
