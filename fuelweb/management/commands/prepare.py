"""`manage.py prepare`: what must be done before the first start and after an upgrade."""

from __future__ import annotations

import os
from typing import Any

from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from deployments.management.base import FuelwebCommand
from fuelweb.account import ensure_admin


class Command(FuelwebCommand):
    """Tables and the first account."""

    help = "Makes or updates the tables, and the account `admin` (FUELWEB_ADMIN_PASSWORD, or a password printed once) if there is none."
    examples = ("prepare",)
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """May be run as often as wanted."""
        try:
            call_command("migrate", verbosity=0, interactive=False)
            generated = ensure_admin(os.environ.get("FUELWEB_ADMIN_PASSWORD", ""))
        except DatabaseError as error:
            said = " ".join(str(error).split())
            raise CommandError(f"The database can't be used: is it there, and does DATABASE_URL name it? ({said})") from error
        finally:
            connection.close()
        if generated:
            self.stdout.write(f"account admin, password {generated} (shown only now)")
            self.stdout.flush()
