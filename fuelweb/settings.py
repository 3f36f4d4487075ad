"""Settings. Whatever may differ between two systems comes from the environment; the defaults are the embedded ones.

| variable | meaning | default |
|---|---|---|
| FUELWEB_HOME | folder of all embedded state | `.fuelweb` beside manage.py |
| DATABASE_URL | PostgreSQL or SQLite | SQLite in FUELWEB_HOME |
| FUELWEB_DATABASE_TIMEOUTS | off: sessions of PostgreSQL are opened without timeouts (a pooler refuses them) | on |
| REDIS_URL | Redis | the private one, on a unix socket in FUELWEB_HOME |
| FUELWEB_WIRE_SECRET | seals what travels to the nodes | made once, kept in FUELWEB_HOME |
| SECRET_KEY | signs sessions | made once, kept in FUELWEB_HOME |
| FUELWEB_AUTH_REQUIRED | off: whoever asks from this very machine may everything; refused where the web answers to others | on |
| ALLOWED_HOSTS, CSRF_TRUSTED_ORIGINS | names under which the web answers | this machine only |
| FUELWEB_HTTPS | the web is reached by HTTPS only: cookies, redirects and HSTS say so | off |
| FUELWEB_PROXIES | how many proxies of ours stand before the web; they tell address and scheme of who asks | 0 |
| FUELWEB_TOKEN_HOURS | how long a token is good that was got by logging in | 24 |
| FUELWEB_FLEET_PLACES | how many tasks a fleet runs at once, where `--places` does not say it | 100 |
| FUELWEB_PLANNER_MEMORY | megabytes of address space of each planner process; 0 = as much as there is | 2048 |
| FUELWEB_LEASE, FUELWEB_OWNERSHIP, FUELWEB_CLAIM … | how long is waited for what, in seconds: the fields of `Patience` | 30, 10, 600 … |
| DEBUG | pages that explain errors | off |
"""

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import lazystr

from deployments.wire.names import celery_url
from fuelweb import database as sessions
from fuelweb import environment, home

BASE_DIR = Path(__file__).resolve().parent.parent
FUELWEB_HOME = Path(environment.text("FUELWEB_HOME") or ".fuelweb")
FUELWEB_HOME = FUELWEB_HOME if FUELWEB_HOME.is_absolute() else BASE_DIR / FUELWEB_HOME


class _Secret:
    """A secret from the environment or, read when it is first needed, from FUELWEB_HOME: `plan` needs none and should make none."""

    def __init__(self, variable: str, file: str) -> None:
        self._variable, self._file = variable, file

    def __str__(self) -> str:
        return environment.text(self._variable) or home.secret(FUELWEB_HOME, self._file)


SECRET_KEY = lazystr(_Secret("SECRET_KEY", "secret-key"))
FUELWEB_WIRE_SECRET = lazystr(_Secret("FUELWEB_WIRE_SECRET", "wire-secret"))

DEBUG = environment.switch("DEBUG", False)
ALLOWED_HOSTS = environment.names("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = environment.names("CSRF_TRUSTED_ORIGINS", [])

INSTALLED_APPS = [
    # Without discovery: the admin's modules are loaded with the urls, not for every command.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "history",
    "deployments",
    "fuelweb",
]

MIDDLEWARE = [
    "fuelweb.health.answer_first",
    "django.middleware.security.SecurityMiddleware",
    "fuelweb.unanswerable.refuse",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "fuelweb.locked.SayWhoHasIt",
]

# Graphs are as large as that in the admin too; what is larger is refused before it is read. Addresses of the API may take less.
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024

ROOT_URLCONF = "fuelweb.urls"
WSGI_APPLICATION = "fuelweb.wsgi.application"
FUELWEB_CELERY_APP = "fuelweb.celery.app"

_PATIENCE = ("ownership", "lease", "first_heartbeat", "resend", "claim", "deadline_grace", "look", "planning")
FUELWEB_PATIENCE = {name: environment.number(variable, 0) for name in _PATIENCE if (variable := f"FUELWEB_{name.upper()}") in os.environ}

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


def _database() -> dict[str, Any]:
    if not environment.text("DATABASE_URL"):
        home.prepare(FUELWEB_HOME)
    role, ownership = sessions.role(sys.argv), environment.number("FUELWEB_OWNERSHIP", 10)
    database = environment.database("DATABASE_URL", f"sqlite:///{FUELWEB_HOME / 'db.sqlite3'}")
    if database["ENGINE"] == "django.db.backends.sqlite3":
        database["OPTIONS"] = sessions.sqlite_options(role, ownership)
    else:
        database |= {"CONN_MAX_AGE": environment.number("CONN_MAX_AGE", 60), "CONN_HEALTH_CHECKS": True}
        timeouts = environment.switch("FUELWEB_DATABASE_TIMEOUTS", True)
        database["OPTIONS"] = sessions.postgres_options(role, ownership, database.get("OPTIONS", {}), timeouts=timeouts)
    return database


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = environment.redis_url("REDIS_URL") or f"unix://{home.redis_socket(FUELWEB_HOME)}"
CELERY_BROKER_URL = celery_url(REDIS_URL)

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]

# Every log-in, of whichever kind, goes through it: it counts those that fail.
AUTHENTICATION_BACKENDS = ["deployments.services.log_in.ThrottledBackend"]
LOGIN_URL = "admin:login"

FUELWEB_PROXIES = int(environment.number("FUELWEB_PROXIES", 0))
if FUELWEB_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
if environment.switch("FUELWEB_HTTPS", False):
    SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = int(environment.number("FUELWEB_HSTS_SECONDS", 365 * 24 * 3600))
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = environment.switch("FUELWEB_HSTS_SUBDOMAINS", True)

FUELWEB_AUTH_REQUIRED = environment.switch("FUELWEB_AUTH_REQUIRED", True)
if not FUELWEB_AUTH_REQUIRED and not home.is_loopback(ALLOWED_HOSTS):
    raise ImproperlyConfigured("FUELWEB_AUTH_REQUIRED can be off only where ALLOWED_HOSTS names nothing but this machine (localhost).")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "deployments.api.authentication.BearerAuthentication",
        "deployments.api.authentication.KeystoneAuthentication",
        "deployments.api.authentication.OpenOnLoopback",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["deployments.api.rights.HasRight"],
    "DEFAULT_RENDERER_CLASSES": [
        "deployments.api.formats.Json",
        "deployments.api.formats.Yaml",
        "deployments.api.pages.Page",
    ],
    "DEFAULT_PARSER_CLASSES": ["deployments.api.formats.JsonBody", "deployments.api.formats.YamlBody"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "deployments.api.formats.Negotiation",
    "DEFAULT_SCHEMA_CLASS": "deployments.api.schema.ApiSchema",
    "EXCEPTION_HANDLER": "deployments.api.errors.handle",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "fuelweb",
    "DESCRIPTION": "Describe clusters, deploy them, and read what was done. The API is Fuel's, and a little more.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "PREPROCESSING_HOOKS": ["deployments.api.describe.each_once"],
    "POSTPROCESSING_HOOKS": ["deployments.api.describe.errors_everywhere"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
KNOX_TOKEN_MODEL = "deployments.Token"
# Its migrations would make a table of its own model, which ours replaces; nobody would ever write to it or empty it.
MIGRATION_MODULES = {"knox": None}
REST_KNOX = {"TOKEN_TTL": timedelta(hours=environment.number("FUELWEB_TOKEN_HOURS", 24))}
FUELWEB_FLEET_PLACES = int(environment.number("FUELWEB_FLEET_PLACES", 100, 1))
FUELWEB_PLANNER_MEMORY = environment.number("FUELWEB_PLANNER_MEMORY", 2048)

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
# The admin's files come straight from its package, so there is no step of collecting them.
WHITENOISE_USE_FINDERS = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": environment.log_level("LOG_LEVEL", "INFO")},
    # Two lines for every message: an orchestrator takes hundreds a second.
    "loggers": {name: {"level": "WARNING"} for name in ("celery.app.trace", "celery.worker.strategy")},
}
