"""Given to a worker by `--include`: a task that writes down what the worker has loaded."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from celery import shared_task


@shared_task(name="tests.loaded_modules")
def loaded_modules(file: str) -> None:
    Path(file).write_text(json.dumps(sorted(sys.modules)))
