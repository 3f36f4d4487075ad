"""How a management command becomes a Celery worker."""

from __future__ import annotations

import os
import sys

from django.conf import settings


def become_worker(role: str, queues: str, *options: str) -> None:
    """Replace this process by a worker of the project's Celery app."""
    # Its database sessions are its role's; the worker's own command line does not tell it.
    os.environ["FUELWEB_ROLE"] = role
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(settings.BASE_DIR), os.environ.get("PYTHONPATH", "")]))
    app = settings.FUELWEB_CELERY_APP.removesuffix(".app")
    arguments = ["worker", f"--queues={queues}", f"--hostname={role}-{os.getpid()}@%h", "--without-gossip", "--without-mingle", *options]
    os.execv(sys.executable, [sys.executable, "-m", "celery", "-A", app, *arguments])
