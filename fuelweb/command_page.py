"""The page of all commands, made from what they say of themselves."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from deployments.management.base import FuelwebCommand

_OURS = ("deployments", "fuelweb")
_GROUPS = {
    "Describe": ("load_cluster", "clusters", "graph", "deployment_tasks", "serialized_tasks"),
    "Look ahead": ("plan", "simulate"),
    "Deploy and stop": ("deploy", "stop", "drain", "resolve"),
    "Look back": ("transactions", "history", "node_history", "failures", "why", "verify"),
    "Run the system": ("server", "prepare", "planner", "orchestrator", "fleet", "agent", "workers"),
    "Look after it": ("api_token", "agent_token", "node_key", "retention", "seed_history"),
}
"""What is in none of them stands at the end."""
_INTRODUCTION = """# Commands

`python manage.py COMMAND --help` says the same (`python` is `.venv/bin/python`). Every command answers what can't be done by one sentence
and exits 1; then nothing has been changed. After wrong arguments it shows how it is used, and an example; an option that would mean nothing
beside the others is refused too. Clusters are given by name or id, TRANSACTION is the number that `deploy` prints (or that of one
of its children), nodes are given by uid. This page is printed from the code: change the commands, then run
`python manage.py reference > docs/commands.md`.
"""


def command_page() -> str:
    """The page as it lies in docs/commands.md."""
    ours = sorted(name for name, app in get_commands().items() if app in _OURS)
    placed = {name for names in _GROUPS.values() for name in names}
    groups = {**_GROUPS, "Others": tuple(name for name in ours if name not in placed)}
    parts = [_INTRODUCTION]
    for title, names in groups.items():
        present = [name for name in names if name in ours]
        if present:
            parts.append(f"\n## {title}\n")
            parts += [_section(name, load_command_class(get_commands()[name], name)) for name in present]
    return "".join(parts)


def _section(name: str, command: BaseCommand) -> str:
    parser = command.create_parser("manage.py", name)
    own = _own_actions(parser)
    usage = " ".join(["manage.py", name, *(_usage(action) for action in own)])
    lines = [f"\n### {name}\n", f"\n`{usage}`\n", f"\n{' '.join(command.help.split())}\n"]
    if isinstance(command, FuelwebCommand):
        shown = "; ".join(f"`manage.py {example}`" for example in command.examples)
        lines.append(f"\n{'Example' if len(command.examples) == 1 else 'Examples'}: {shown}\n")
    rows = [row for action in own for row in _rows(action)]
    if rows:
        lines += ["\n| | |\n|---|---|\n", *(f"| `{what}` | {meaning} |\n" for what, meaning in rows)]
    return "".join(lines)


def _own_actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    common = {option for action in BaseCommand().create_parser("", "")._actions for option in action.option_strings}
    return [action for action in parser._actions if not common & set(action.option_strings)]


def _usage(action: argparse.Action) -> str:
    if isinstance(action, argparse._SubParsersAction):
        return "|".join(action.choices)
    what = _name(action)
    return what if action.required and action.nargs not in ("?", "*") else f"[{what}]"


def _name(action: argparse.Action) -> str:
    if action.option_strings:
        return " ".join([action.option_strings[-1], *([] if action.nargs == 0 else [_value(action)])])
    return _value(action)


def _value(action: argparse.Action) -> str:
    if action.choices is not None:
        return "|".join(map(str, action.choices))
    return str(action.metavar or action.dest.upper())


def _rows(action: argparse.Action) -> Iterator[tuple[str, str]]:
    """What it is and what it means; for a sub-command its own arguments as well."""
    if isinstance(action, argparse._SubParsersAction):
        for name, parser in action.choices.items():
            for inner in _own_actions(parser):
                yield _cell(f"{name} {_name(inner)}"), _cell(inner.help or "")
        return
    yield _cell(_name(action)), _cell(action.help or "")


def _cell(text: str) -> str:
    return " ".join(text.replace("%%", "%").split()).replace("|", "\\|")
