"""Settings for tests: SQLite in a file by default, another database by YUNWEI_TEST_DATABASE."""

from __future__ import annotations

import os

from yunwei.server.settings import *  # noqa: F403 - the instance's settings, then what tests change
from yunwei.server.settings import database

SECRET_KEY = "tests"  # noqa: S105 - not a secret
DATABASES = {"default": database(os.environ.get("YUNWEI_TEST_DATABASE", "sqlite:///:memory:"))}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # speed; the real one has its own test
ALLOWED_HOSTS = ["*"]
