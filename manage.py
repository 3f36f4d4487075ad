#!/usr/bin/env python
"""The command line of fuelweb: `python manage.py help`."""

import os
import sys

try:
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
except ImportError as error:
    sys.exit(f"This Python lacks the packages ({error}): run script/server once, which makes .venv, then `. .venv/bin/activate`.")

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fuelweb.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"CommandError: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
