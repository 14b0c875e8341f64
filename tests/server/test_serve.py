"""`yunwei serve`: all processes of one machine, started together and ended together, by their ids."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.server.test_instance import init, yunwei
from yunwei.kernel.children import end

pytestmark = pytest.mark.component


def wait(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def descendants(pid: int) -> list[int]:
    """All living processes below one, by /proc."""
    below: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            below.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, todo = [], [pid]
    while todo:
        children = below.get(todo.pop(), [])
        found += children
        todo += children
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def has_worker(folder: Path) -> bool:
    with sqlite3.connect(folder / "data" / "yunwei.sqlite3", timeout=10) as db:
        return bool(db.execute("SELECT count(*) FROM runs_worker").fetchone()[0])


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/login", timeout=2) as page:
            return bool(page.status == 200)
    except OSError:
        return False


def copied(site: Path, tmp_path: Path) -> Path:
    """An instance of its own, on a port of its own."""
    folder = tmp_path / "site"
    shutil.copytree(site, folder)
    settings = (folder / "yunwei.toml").read_text()
    (folder / "yunwei.toml").write_text(re.sub(r"port = \d+", f"port = {free_port()}", settings))
    return folder


class Served:
    """A served instance and what is known of its processes."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        env = {k: v for k, v in os.environ.items() if not k.startswith(("YUNWEI", "DJANGO"))}
        env["YUNWEI_INSTANCE"] = str(folder)
        command = [sys.executable, "-m", "yunwei.cli.main", "serve"]
        self.log = (folder / "serve.log").open("wb")
        self.process = subprocess.Popen(command, env=env, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        wait(lambda: self.answers() or self.process.poll() is not None, "the console")
        assert self.process.poll() is None, (folder / "serve.log").read_text()
        wait(self.has_worker, "the worker")
        self.children = descendants(self.process.pid)

    def answers(self) -> bool:
        return answers(self.port)

    def has_worker(self) -> bool:
        return has_worker(self.folder)

    def child(self, words: str) -> int:
        """The process whose command line has these words."""
        for pid in self.children:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            if re.search(words, line):
                return pid
        raise AssertionError(f"no child {words}")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "site"
    assert init(folder).returncode == 0
    return folder


@pytest.fixture
def served(site: Path, tmp_path: Path) -> Iterator[Served]:
    folder = copied(site, tmp_path)
    served = Served(folder, int(tomllib.loads((folder / "yunwei.toml").read_text())["web"]["port"]))
    yield served
    end(served.process, 30)
    served.log.close()


def test_one_signal_ends_everything_and_a_second_worker_is_refused(served: Served):
    assert len(served.children) >= 3, "controls, worker and web"
    second = yunwei("worker", instance=served.folder)
    assert second.returncode == 2
    assert "已经有一个工作进程" in second.stderr
    again = yunwei("serve", instance=served.folder)  # else its positive controls would take the place of the first's
    assert again.returncode == 2
    assert str(served.port) in again.stderr
    assert "控制台" not in again.stderr
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(40) == 0
    wait(lambda: not any(alive(pid) for pid in served.children), "the end of all children", seconds=10)


def test_a_worker_that_dies_ends_the_platform_loudly(served: Served):
    os.kill(served.child(r"yunwei\.server\.worker"), signal.SIGKILL)
    assert served.process.wait(40) == 2
    assert "worker-1" in (served.folder / "serve.log").read_text()
    wait(lambda: not any(alive(pid) for pid in served.children), "the end of all children", seconds=10)


def test_a_worker_that_cannot_stop_ends_all_the_same_and_says_where_it_stood(site: Path, tmp_path: Path):
    folder = copied(site, tmp_path)
    code = (
        "import time\n"
        "from yunwei.server import instance, worker\n"
        "instance.setup()\n"
        "from yunwei.runs.dbos_engine import DbosEngine\n"
        "worker.LAST_S = 1.0\n"
        "DbosEngine.destroy = lambda self: time.sleep(300)\n"  # as it waits for threads that wait for the database
        "worker.main()\n"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith(("YUNWEI", "DJANGO"))} | {
        "YUNWEI_INSTANCE": str(folder)
    }
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", code], env=env, stdout=log, stderr=log)
    try:
        seen = folder / "data" / "engine.sqlite3"
        wait(lambda: has_worker(folder) and seen.exists(), "the worker")
        process.terminate()
        assert process.wait(30) == 1
    finally:
        end(process)
    told = (tmp_path / "log").read_text()  # it may have stood in a thread's last round still, on a slow machine
    assert "did not stop within 1 s" in told
    assert "in work\n" in told


def test_what_only_waits_is_light(served: Served):
    """It is one of four processes that are there for weeks; with Django and all rooms it held 70 MiB and more."""
    rollup = Path(f"/proc/{served.process.pid}/smaps_rollup").read_text()
    anonymous = re.search(r"Pss_Anon: +(\d+) kB", rollup)
    assert anonymous
    assert int(anonymous[1]) < 24 * 1024


def test_a_zone_that_comes_later_has_its_controls_too(served: Served):
    def known() -> list[tuple[str, str, int]]:
        with sqlite3.connect(served.folder / "data" / "yunwei.sqlite3", timeout=10) as db:
            return db.execute(
                "SELECT z.code, c.protocol, c.port FROM inspect_control c JOIN assets_zone z ON z.id = c.zone_id ORDER BY 1, 2"
            ).fetchall()

    before = known()
    with sqlite3.connect(served.folder / "data" / "yunwei.sqlite3", timeout=10) as db:
        db.execute("INSERT INTO assets_zone (code, name) VALUES ('later', '后来的区')")
    wait(lambda: len(known()) == len(before) + 2, "the controls of the new zone", seconds=20)
    told = [(protocol, port) for zone, protocol, port in known() if zone == "later"]
    assert [protocol for protocol, _port in told] == ["redfish", "snmp"]
    with socket.create_connection(("127.88.0.2", told[0][1]), timeout=5):
        pass  # it answers


def test_a_database_that_is_not_there_is_told_before_anything_starts(site: Path, tmp_path: Path):
    folder = copied(site, tmp_path)
    (folder / "data" / "yunwei.sqlite3").write_bytes(b"not a database, but long enough to be read as one" * 100)
    told = yunwei("serve", instance=folder)
    assert told.returncode == 3
    assert "数据库不可用" in told.stderr
    assert "控制台" not in told.stderr


def test_controls_that_die_end_the_platform_loudly(served: Served):
    """Without them no look proves anything."""
    os.kill(served.child(r"yunwei\.lab"), signal.SIGKILL)
    assert served.process.wait(40) == 2
    assert "阳性对照" in (served.folder / "serve.log").read_text()
    wait(lambda: not any(alive(pid) for pid in served.children), "the end of all children", seconds=10)


def test_a_log_that_cannot_be_written_is_one_sentence(site: Path, tmp_path: Path):
    folder = copied(site, tmp_path)
    (folder / "data" / "log" / "worker-1.log").mkdir(parents=True)
    told = yunwei("serve", instance=folder)
    assert told.returncode == 2
    assert "worker-1.log" in told.stderr
    assert "Traceback" not in told.stderr


def test_more_workers_than_sqlite_has_room_for_are_refused_before_anything_starts(site: Path, tmp_path: Path):
    told = yunwei("serve", "--workers", "2", instance=copied(site, tmp_path))
    assert told.returncode == 2
    assert "控制台" not in told.stderr
    assert "SQLite" in told.stderr


def test_it_serves_without_the_streams_that_a_shell_may_have_closed(site: Path, tmp_path: Path):
    folder = copied(site, tmp_path)
    port = int(tomllib.loads((folder / "yunwei.toml").read_text())["web"]["port"])
    env = {k: v for k, v in os.environ.items() if not k.startswith(("YUNWEI", "DJANGO"))}
    command = f"exec {sys.executable} -m yunwei.cli.main serve <&- >&- 2>&-"
    process = subprocess.Popen(["sh", "-c", command], env=env | {"YUNWEI_INSTANCE": str(folder)})
    try:
        wait(lambda: process.poll() is not None or answers(port), "the console")
        assert process.poll() is None
        process.terminate()
        assert process.wait(40) == 0
    finally:
        end(process)


def test_a_serve_that_is_killed_leaves_nothing_behind(served: Served):
    served.process.kill()
    served.process.wait(10)
    wait(lambda: not any(alive(pid) for pid in served.children), "the end of all children", seconds=20)
