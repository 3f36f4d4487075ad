"""What all commands have in common: whatever goes wrong is one sentence on stderr, and exit code 1.

After wrong arguments, two lines more: how the command is used, and an example.
"""

from __future__ import annotations

import sys
from argparse import SUPPRESS, ArgumentParser, _SubParsersAction
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter, OutputWrapper
from django.db import DatabaseError, InterfaceError, OperationalError

from deployments.core.errors import FuelwebError
from deployments.management.console import SafeOutput
from deployments.services.given_up import given_up
from history import recorder

NOT_PREPARED = "The database is not prepared: run script/server (or manage.py prepare) first."
_UNPREPARED_SIGNS = ("no such table", "no such column", "unable to open database file", "does not exist")
"""What SQLite and PostgreSQL say of tables, columns or files that are not there (yet)."""


class HelpFormatter(DjangoHelpFormatter):
    """Django's, but what stands on lines of its own stays there."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(super(HelpFormatter, self)._fill_text(line, width, indent) for line in text.splitlines())


class FuelwebCommand(BaseCommand):
    """A command that answers wrong arguments, requests that can't be carried out, and a database that isn't there by a sentence."""

    examples: ClassVar[Sequence[str]] = ()
    """What may follow `manage.py`. Shown by `--help` and after wrong arguments: the first that has the same sub-command."""
    suppressed_base_arguments = {"--version", "-v", "--settings", "--pythonpath", "--traceback", "--no-color", "--force-color"}
    """Django's own, which work but would be most of every help text."""

    @property
    def stdout(self) -> OutputWrapper:
        """Where it prints: what others have written can move no cursor there."""
        return self._stdout

    @stdout.setter
    def stdout(self, out: OutputWrapper) -> None:
        self._stdout = SafeOutput(out._out)

    @property
    def stderr(self) -> OutputWrapper:
        """Where it complains, in the same way."""
        return self._stderr

    @stderr.setter
    def stderr(self, out: OutputWrapper) -> None:
        self._stderr = SafeOutput(out._out)

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # Django's parser raises what is wrong with the arguments only if it doesn't know of a command line; else it prints its usage.
        self._called_from_command_line = False
        shown = "\n".join(["Example:" if len(self.examples) == 1 else "Examples:", *(f"manage.py {example}" for example in self.examples)])
        parser = super().create_parser(prog_name, subcommand, epilog=shown, formatter_class=HelpFormatter, **kwargs)
        for action in parser._actions:
            if "--skip-checks" in action.option_strings:
                action.help = SUPPRESS
        return parser

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except CommandError as error:
            if "--traceback" in argv:
                raise
            reason = str(error).removeprefix("Error: ").rstrip(".")
            self.stderr.write(f"CommandError: {reason[:1].upper()}{reason[1:]} (see `manage.py {argv[1]} --help`).")
            usage, example = self._usage(argv)
            self.stderr.write(f"{usage}\nexample: manage.py {example}")
            sys.exit(1)

    def _usage(self, argv: Sequence[str]) -> tuple[str, str]:
        """How it is used, in one line, and an example: of the sub-command that was meant, if one is named."""
        parser: ArgumentParser = self.create_parser(argv[0], argv[1])
        start = argv[1]
        branches = next((action.choices for action in parser._actions if isinstance(action, _SubParsersAction)), {})
        if named := next((word for word in argv[2:] if word in branches), ""):
            parser, start = branches[named], f"{start} {named}"
        example = next((example for example in self.examples if f"{example} ".startswith(f"{start} ")), start)
        return " ".join(parser.format_usage().split()), example

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except FuelwebError as error:
            raise CommandError(str(error)) from error
        except UnicodeEncodeError as error:
            raise CommandError(f"There are bytes that are no text, and nothing was changed: use UTF-8 ({error.reason}).") from error
        except recorder.RowLocked as error:
            raise CommandError(given_up(error)) from error
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(_about_database(error)) from error


def refuse_given(options: Mapping[str, Any], *unused: str, owner: str, advice: str) -> None:
    """Refuse options that would be ignored: whoever gave one means it. (What has a default gets it only after this.)

    Args:
        owner: what they belong to ("--plan").
        advice: what to do ("add it").

    Raises:
        CommandError: one of them was given.
    """
    if given := [f"--{name.replace('_', '-')}" for name in unused if options[name] not in (None, False, "")]:
        raise CommandError(f"{' and '.join(given)} {'belongs' if len(given) == 1 else 'belong'} to {owner}: {advice}.")


def refuse_empty(options: Mapping[str, Any], *given: str) -> None:
    """Refuse an option whose value is nothing (of an unset variable of the shell, say): without a word it would mean something else.

    Raises:
        CommandError: one of them is empty.
    """
    if empty := [f"--{name.replace('_', '-')}" for name in given if options[name] == ""]:
        raise CommandError(f"{' and '.join(empty)} is empty: give it a value, or leave it out.")


def names(listed: str | None, what: str) -> list[str] | None:
    """Names with commas between them; None if nothing was given.

    Args:
        what: the option and what it takes, for the message ("--nodes: uids of nodes").

    Raises:
        CommandError: there is no name in it. (An empty list would silently mean something else: all, or nothing.)
    """
    if listed is None:
        return None
    found = [name.strip() for name in listed.split(",") if name.strip()]
    if not found:
        option, _, meaning = what.partition(": ")
        raise CommandError(f"{option} is empty: give {meaning} with commas between them, or leave it out.")
    return found


def _about_database(error: Exception) -> str:
    said = " ".join(str(error).split())
    if recorder.is_patience_over(error):
        return given_up(error)
    if any(sign in said for sign in _UNPREPARED_SIGNS):
        return NOT_PREPARED
    if isinstance(error, OperationalError | InterfaceError):
        return f"The database can't be used ({said}): is it running, and does DATABASE_URL name it?"
    return f"The database refuses this, and nothing was changed: {said}."
