"""The durable engine, really killed: on SQLite it goes on after a restart, on PostgreSQL another worker takes over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import connection

from yunwei.ledger import keys
from yunwei.runs import dbos_engine, services
from yunwei.runs import procedure as procedures
from yunwei.runs.models import Run, RunState
from yunwei.runs.procedure import Procedure, Step
from yunwei.server.instance import postgres_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.engine]
NOW = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
ROOT = Path(__file__).resolve().parent.parent.parent
ON_POSTGRES = "postgres" in os.environ.get("YUNWEI_TEST_DATABASE", "")


def wait(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.05)


class Lab:
    """Workers of one test, their log, and their end."""

    def __init__(self, folder: Path, database: str, engine_url: str) -> None:
        self.folder, self.database, self.engine_url = folder, database, engine_url
        self.children: list[subprocess.Popen[bytes]] = []

    def worker(self, name: str, **more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "tests/runs/probe.py", self.database, self.engine_url, str(self.folder), name]
        env = {**os.environ, "PYTHONPATH": str(ROOT), **more}
        with (self.folder / f"{name}.out").open("wb") as out:
            child = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=subprocess.STDOUT)
        self.children.append(child)
        wait(lambda: f"{name} ready" in self.log() or child.poll() is not None, f"worker {name}")
        assert child.poll() is None, (self.folder / f"{name}.out").read_text()[-2000:]
        return child

    def log(self) -> list[str]:
        path = self.folder / "log"
        return path.read_text().splitlines() if path.exists() else []

    def kill(self, child: subprocess.Popen[bytes]) -> None:
        child.send_signal(signal.SIGKILL)
        child.wait()

    def close(self) -> None:
        (self.folder / "stop").touch()
        for child in self.children:
            if child.poll() is None:
                try:
                    child.wait(10)
                except subprocess.TimeoutExpired:
                    self.kill(child)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    keys.create(tmp_path)
    settings = connection.settings_dict
    if ON_POSTGRES:
        database = engine_url = postgres_url(settings)
        with connection.cursor() as cursor:  # the tables are not Django's: runs of the test before would stay known
            cursor.execute("DROP SCHEMA IF EXISTS dbos CASCADE")
    else:
        database = f"sqlite:///{settings['NAME']}"
        engine_url = f"sqlite:///{tmp_path / 'engine.sqlite3'}"
    found: dict[str, Procedure] = {}
    procedures.collect(
        (Procedure("probe.run", "探", "probe", "look", (Step("x", lambda ctx: None),)),), found, where="t"
    )
    monkeypatch.setattr(procedures, "registry", lambda: found)
    dbos_engine.migrate(engine_url)
    lab = Lab(tmp_path, database, engine_url)
    yield lab
    lab.close()
    connection.close()


def submit(run_id: str) -> None:
    services.submit(run_id, "probe.run", {"assets": []}, {}, {}, now=NOW)


def ended(run_id: str) -> bool:
    return Run.objects.get(pk=run_id).state == RunState.DONE


def interrupted(lab: Lab) -> None:
    """A run whose worker was killed in its slow step, which goes on at once when it is done again."""
    submit("r1")
    first = lab.worker("solo")
    wait(lambda: "solo begin slow r1" in lab.log(), "the slow step")
    lab.kill(first)
    (lab.folder / "go").touch()


def test_a_killed_worker_goes_on_where_it_was(lab: Lab):
    interrupted(lab)
    second = "solo" if not ON_POSTGRES else "other"
    before = len(lab.log())
    (lab.folder / "log").rename(lab.folder / "log.before")
    lab.worker(second)
    wait(lambda: ended("r1"), "the end of the run")
    log = lab.log()
    assert before >= 3
    assert not any("first r1" in line for line in log), "a step with a checkpoint must not run again"
    assert f"{second} begin slow r1" in log, "the interrupted step runs again"
    assert f"{second} last [0, 2, 4] r1" in log
    assert Run.objects.get(pk="r1").done == 3


def test_what_is_taken_up_while_the_engine_still_starts_does_not_fail(lab: Lab):
    interrupted(lab)
    (lab.folder / "log").rename(lab.folder / "log.before")
    lab.worker("solo", PROBE_CLIENT_LATE_S="1.0")  # the run hands shares over as soon as it is taken up
    wait(lambda: Run.objects.get(pk="r1").ended_at is not None, "the end of the run")
    assert ended("r1")


@pytest.mark.skipif(not ON_POSTGRES, reason="two workers need PostgreSQL; runs in the PostgreSQL half of make test")
def test_a_survivor_takes_over_within_seconds(lab: Lab):
    submit("r1")
    first = lab.worker("one")
    wait(lambda: "one begin slow r1" in lab.log(), "the slow step")
    lab.worker("two")
    time.sleep(1.5)  # two detector periods: a living worker's run must stay where it is
    assert not any(line.startswith("two begin") for line in lab.log())
    killed = time.monotonic()
    lab.kill(first)
    (lab.folder / "go").touch()
    wait(lambda: "two begin slow r1" in lab.log(), "the takeover", seconds=20)
    took = time.monotonic() - killed
    wait(lambda: ended("r1"), "the end of the run")
    assert sum("first r1" in line for line in lab.log()) == 1
    assert took < 15, f"takeover took {took:.1f} s"


def test_what_the_engine_stores_is_json(lab: Lab):
    import sqlalchemy as sa

    (lab.folder / "go").touch()
    submit("r1")
    lab.worker("solo")
    wait(lambda: ended("r1"), "the end of the run")
    engine = dbos_engine.database_engine(lab.engine_url)
    schema = "dbos." if ON_POSTGRES else ""
    with engine.connect() as c:
        inputs = c.execute(sa.text(f"SELECT * FROM {schema}workflow_input")).mappings().all()
        outputs = c.execute(sa.text(f"SELECT output, serialization FROM {schema}operation_outputs")).mappings().all()
    engine.dispose()
    assert {row["serialization"] for row in outputs} == {"yunwei_json"}
    assert any(json.loads(row["output"]) == {"n": 3} for row in outputs if row["output"])
    assert len(inputs) == 4, "the run and its three chunks"
    for row in inputs:
        assert "r1" in json.loads(row["inputs"])["args"]
