"""What all commands have in common: whatever goes wrong is one sentence on stderr, and exit code 1."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, InterfaceError, OperationalError

from deployments.core.errors import FuelwebError
from deployments.services.given_up import given_up
from history import recorder

NOT_PREPARED = "The database is not prepared: run script/server (or manage.py prepare) first."
_UNPREPARED_SIGNS = ("no such table", "no such column", "unable to open database file", "does not exist")
"""What SQLite and PostgreSQL say of tables, columns or files that are not there (yet)."""


class FuelwebCommand(BaseCommand):
    """A command that answers wrong arguments, requests that can't be carried out, and a database that isn't there by a sentence."""

    suppressed_base_arguments = {"--version", "-v", "--settings", "--pythonpath", "--traceback", "--no-color", "--force-color"}
    """Django's own, which work but would be most of every help text."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # Django's parser raises what is wrong with the arguments only if it doesn't know of a command line; else it prints its usage.
        self._called_from_command_line = False
        return super().create_parser(prog_name, subcommand, **kwargs)

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except CommandError as error:
            if "--traceback" in argv:
                raise
            reason = str(error).removeprefix("Error: ").rstrip(".")
            self.stderr.write(f"CommandError: {reason[:1].upper()}{reason[1:]} (see `manage.py {argv[1]} --help`).")
            sys.exit(1)

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
