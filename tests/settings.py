"""Settings for tests: SQLite in a file by default, another database by YUNWEI_TEST_DATABASE.

A file, not memory: some tests start workers, which are processes of their own.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from yunwei.server.settings import *  # noqa: F403 - the instance's settings, then what tests change
from yunwei.server.settings import database

SECRET_KEY = "tests"
_url = os.environ.get("YUNWEI_TEST_DATABASE")
if _url:
    DATABASES = {"default": database(_url)}
else:
    _folder = tempfile.mkdtemp(prefix="yunwei-test-")
    atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    DATABASES = {"default": database(f"sqlite:///{_folder}/unused.sqlite3")}
    DATABASES["default"]["TEST"] = {"NAME": f"{_folder}/test.sqlite3"}
    # a power cut during tests may lose what it likes; durability has its own tests
    DATABASES["default"]["OPTIONS"]["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # speed; the real one has its own test
ALLOWED_HOSTS = ["*"]
