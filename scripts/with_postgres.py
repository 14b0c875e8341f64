"""Run a command beside a real PostgreSQL of its own: `with_postgres.py -- COMMAND…`.

Makes a cluster in a temporary folder, starts it on a free loopback port, sets YUNWEI_TEST_DATABASE, runs the command,
stops the server and removes the folder. initdb refuses root, so as root it runs as `postgres`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def binaries() -> Path:
    """The folder of the newest installed PostgreSQL server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
    if not found:
        sys.exit("没有 PostgreSQL 服务器；先运行 scripts/bootstrap test (no PostgreSQL server)")
    return found[-1].parent


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextmanager
def cluster(*, durable: bool = False, connections: int = 60, counts: bool = True) -> Iterator[str]:
    """Yield the URL of an empty database on a throw-away server. fsync is off, as these data are for tests only, unless
    `durable` is asked for: the bench measures what is on disk. Without `counts` it never counts rows by itself."""
    folder = Path(tempfile.mkdtemp(prefix="yunwei-pg-"))
    prefix: list[str | Path] = []
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    bin_, data, port = binaries(), folder / "data", free_port()
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "cwd": "/"}
    subprocess.run(
        [*prefix, bin_ / "initdb", "-D", data, "-A", "trust", "-U", "yunwei", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
        check=True,
        **quiet,
    )
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections={connections}"
    options += "" if durable else " -c fsync=off"
    options += "" if counts else " -c autovacuum=off"
    # two tests' transactions that wait for each other end with an error that names the statement, not with a silent CI
    options += " -c lock_timeout=120s"
    # not in /dev/shm: it may be missing or tiny in a container, and a server that is cut off leaves files there
    options += " -c dynamic_shared_memory_type=mmap"
    ctl: list[str | Path] = [*prefix, bin_ / "pg_ctl", "-D", data, "-w"]
    subprocess.run([*ctl, "-o", options, "-l", folder / "log", "start"], check=True, **quiet)
    try:
        yield f"postgresql://yunwei@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*ctl, "-m", "fast", "stop"], check=False, **quiet)
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    command = sys.argv[sys.argv.index("--") + 1 :]
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that the server ends with us
    # nearly all that tests write is rolled back: counted at the wrong moment, tables of 10,000 rows are planned as empty ones
    with cluster(counts=False) as url:
        return subprocess.run(command, env={**os.environ, "YUNWEI_TEST_DATABASE": url}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
