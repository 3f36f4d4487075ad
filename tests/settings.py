"""The project's settings, on a folder of the tests' own: nothing of a developer's system is read or touched.

`DATABASE_URL` chooses the database (default: a SQLite file), `TEST_REDIS_URL` a running Redis (default: a private one, started when
the first test asks for it).
"""

import os
import tempfile

# Commands that a test starts inherit the session's folder.
os.environ["FUELWEB_TESTS_HOME"] = os.environ.get("FUELWEB_TESTS_HOME") or tempfile.mkdtemp(prefix="fuelweb-tests-")
os.environ["FUELWEB_HOME"] = os.environ["FUELWEB_TESTS_HOME"]
os.environ["REDIS_URL"] = os.environ.get("TEST_REDIS_URL", "")

from fuelweb.settings import *  # noqa: E402, F403
from fuelweb.settings import DATABASES, FUELWEB_HOME  # noqa: E402

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, not memory: the workers that some tests start are other processes.
    DATABASES["default"]["TEST"] = {"NAME": str(FUELWEB_HOME / "test.sqlite3")}
else:
    # Connections that are kept open would hinder the removal of the test database.
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    DATABASES["default"]["TEST"] = {"NAME": f"test_fuelweb_{os.getpid()}"}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
