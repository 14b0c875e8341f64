"""Django settings of one instance, read from `yunwei.toml` in the folder that YUNWEI_INSTANCE names.

Without an instance (makemigrations, type checking) the settings stand on an in-memory database and no keys.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import dj_database_url

PACKAGE = Path(__file__).resolve().parent.parent
INSTANCE = Path(os.environ["YUNWEI_INSTANCE"]).resolve() if os.environ.get("YUNWEI_INSTANCE") else None


def _read(instance: Path | None) -> dict[str, Any]:
    if instance is None:
        return {}
    with (instance / "yunwei.toml").open("rb") as f:
        return tomllib.load(f)


YUNWEI: dict[str, Any] = _read(INSTANCE)
SECRET_KEY = (INSTANCE / "keys" / "web.key").read_text().strip() if INSTANCE else "no-instance"
DEBUG = False
ALLOWED_HOSTS: list[str] = YUNWEI.get("web", {}).get("hosts", ["127.0.0.1", "localhost"])

#: synchronous=FULL: a ledger record that was acknowledged must survive a power cut, not only a kill (notes: NORMAL may
#: lose the last commits). IMMEDIATE: a read that turns into a write cannot be helped by a timeout.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 30,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
}
#: values are handed over beside the statement, which the server plans once it has seen it some times in a session
POSTGRES_OPTIONS = {"server_side_binding": True, "prepare_threshold": 5}


def database(url: str) -> dict[str, Any]:
    """Django's DATABASES entry for a URL; SQLite gets the options the engine note found necessary."""
    config: dict[str, Any] = dict(dj_database_url.parse(url))
    if "sqlite" in config["ENGINE"]:
        config["OPTIONS"] = dict(SQLITE_OPTIONS)
    elif "postgresql" in config["ENGINE"]:
        config.setdefault("OPTIONS", {}).update(POSTGRES_OPTIONS)
    return config


_url = (
    os.environ.get("DATABASE_URL")
    or YUNWEI.get("database_url")
    or (f"sqlite:///{INSTANCE / 'data' / 'yunwei.sqlite3'}" if INSTANCE else "sqlite://:memory:")
)
DATABASES = {"default": database(_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",  # hashers, sessions and AnonymousUser; its permissions and groups are not used
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "yunwei.ledger",
    "yunwei.accounts",
    "yunwei.assets",
    "yunwei.runs",
    "yunwei.inspect",
    "yunwei.contract",
    "yunwei.duties",
    "yunwei.desk",
    "yunwei.assessment",
    "yunwei.reports",
    "yunwei.ui",
]
AUTH_USER_MODEL = "accounts.Account"
AUTHENTICATION_BACKENDS = ["yunwei.accounts.backend.AccountBackend"]
#: the chosen one hashes; what the other one made still opens, and is renewed at the next login
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher", "yunwei.accounts.hashers.Sm3Hasher"]
if YUNWEI.get("accounts", {}).get("hasher") == "sm3":
    PASSWORD_HASHERS.reverse()

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.gzip.GZipMiddleware",  # pages and files; it pads by a random length (BREACH), and CSRF tokens are masked
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "yunwei.ui.middleware.ContentSecurityPolicy",
    "yunwei.ui.middleware.NotKept",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "yunwei.ui.middleware.ChosenLanguage",
    "yunwei.ui.middleware.Readable",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "yunwei.accounts.web.gate.Sessions",
    "yunwei.ui.middleware.LoginRequired",
    "yunwei.ui.live.Unchanged",
]
ROOT_URLCONF = "yunwei.server.urls"
WSGI_APPLICATION = "yunwei.server.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "APP_DIRS": False,
        "DIRS": [PACKAGE / "ui" / "templates", *sorted(PACKAGE.glob("*/web/templates"))],
        "OPTIONS": {"environment": "yunwei.ui.jinja.environment", "autoescape": True},
    }
]
STATIC_URL = "/static/"
STATICFILES_DIRS = [PACKAGE / "ui" / "static"]
STATIC_ROOT = None  # WhiteNoise serves straight from the package: nothing to collect, nothing to forget
WHITENOISE_USE_FINDERS = True

USE_TZ = True
TIME_ZONE = "Asia/Shanghai"
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = [PACKAGE / "locale"]

#: `[web] https = true`: people reach this instance over TLS (a proxy in front of it ends it and says so by
#: X-Forwarded-Proto). Cookies then never travel in clear, and no other host of the domain can plant one (__Host-).
HTTPS = bool(YUNWEI.get("web", {}).get("https", False))
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "sessionid"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"  # Strict would lose the way back from the OpenID provider and links in messages
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_AGE = 24 * 3600  # the policy ends sessions earlier and says why (accounts/sessions.py)
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "yunwei.accounts.web.entry.stale_form"
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
LOGIN_URL = "/login"

#: An error of a page tells its reader nothing; its trace goes to standard error, where the journal keeps it. Django's own
#: default writes it nowhere unless DEBUG.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "django.request": {"handlers": ["stderr"], "level": "ERROR", "propagate": False},
        "yunwei": {"handlers": ["stderr"]},
    },
}
