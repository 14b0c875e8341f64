"""What the scenarios stand on: a lab of a few devices, and an instance over it that can be had again and again."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from scripts.with_postgres import cluster

from chaos.forks import Ended, Running, child
from chaos.model import NotHere
from yunwei.cli.demo_stage import PASSWORD, PEOPLE, Stage, contract_folder, free_port, register
from yunwei.lab import district, weather
from yunwei.server import instance

#: the last day of a month, so that the month can be scored the morning after
DAY = date(2026, 6, 30)
#: local hour at which the instance is made, the evening before; what is owed then is done before the day begins, so that
#: the day's looks come one by one and which of two found a fault first is no question
MADE = -4.0
#: three devices in two zones: a run of two shares
DEVICES = ("SW-ACC-01", "SRV-D-01", "UPS-H-01")
#: what is broken from the start of the day, and what is broken after the repair in its middle
MORNING = {"SRV-D-01": "disk_predicted"}
EVENING = {"SW-ACC-01": "fan_failed"}
#: makes a look take seconds, so that there is something to kill in its middle; and always the same: it is not reached
SLOW = {"UPS-H-01": "dead"}
DATABASE = "chaos"
#: seconds in which an instance is made, on a machine that has other things to do
PREPARED_S = 600.0
#: bytes that a folder in memory must have
ROOM = 4 << 30


class Lab:
    """The equipment and its positive controls, alive as long as a scenario is."""

    def __init__(self, codes: Sequence[str] = DEVICES) -> None:
        self.items = [item for item in district.equipment() if item.code in codes]
        self.stage = Stage()

    def __enter__(self) -> Lab:
        self.stage.start(self.items, hosts=False)
        return self

    def __exit__(self, *_error: object) -> None:
        self.stage.stop()

    def show(self, faults: dict[str, str]) -> None:
        """Let just these faults of ours show, whatever showed before (also when another process switched it)."""
        devices = {item.code: item.device for item in self.items}
        farm = self.stage.farm
        for code, fault in [*MORNING.items(), *EVENING.items(), *SLOW.items()]:
            if farm is not None and code in devices:
                act = farm.set if faults.get(code) == fault else farm.clear
                act(devices[code].address, fault, protocol=devices[code].protocol)

    def clock(self, ahead_s: float) -> None:
        """Let the devices live so far ahead of this machine."""
        if self.stage.farm is not None:
            self.stage.farm.set_clock(ahead_s)


@dataclass
class Bed:
    """An instance in a folder (and a database), with copies of it under names."""

    work: Path
    server: str = ""  # URL of a PostgreSQL server's own database; none: the embedded one
    port: int = 0
    #: how PostgreSQL copies a database. Its own default (WAL_LOG) copies a sequence with values that are logged ahead in the
    #: other database's log alone: after a crash of the server it would go back, which would be our doing and nobody else's
    strategy: str = ""

    @property
    def folder(self) -> Path:
        """The instance."""
        return self.work / "instance"

    @property
    def scene(self) -> Path:
        """Where a play notes how far the day is; not the product's, which has its own memory."""
        return self.work / "scene.json"

    @property
    def database(self) -> str:
        """The URL of the instance's database; empty for the embedded one."""
        return self.server.rpartition("/")[0] + f"/{DATABASE}" if self.server else ""

    def new_database(self) -> None:
        """An empty database, where there is a server."""
        if self.server:
            self._ask(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)", f"CREATE DATABASE {DATABASE}")

    def save(self, name: str) -> None:
        """Copy the instance, which nobody runs, under a name."""
        shutil.rmtree(self.work / name, ignore_errors=True)
        shutil.copytree(self.folder, self.work / name)
        if self.server:
            self._ask(
                f"DROP DATABASE IF EXISTS {DATABASE}_{name} WITH (FORCE)",
                f"CREATE DATABASE {DATABASE}_{name} TEMPLATE {DATABASE}{self.strategy}",
            )

    def restore(self, name: str) -> None:
        """Put the copy of that name in the place of the instance; a day begins anew."""
        self.scene.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.work / name, self.folder)
        if self.server:
            self._ask(
                f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)",
                f"CREATE DATABASE {DATABASE} TEMPLATE {DATABASE}_{name}{self.strategy}",
            )

    def _ask(self, *statements: str) -> None:
        with psycopg.connect(self.server, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def child(
        self, act: Callable[[], Any], *, patience: float = 120.0, meanwhile: Callable[[], None] | None = None
    ) -> Ended:
        """Do something in a forked process and wait for it, see `forks.Running.wait`."""
        return child(self.work / "log", act, patience=patience, meanwhile=meanwhile)

    def running(self, act: Callable[[], Any]) -> Running:
        """Do something in a forked process beside us."""
        return Running(self.work / "log", act)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the business database from outside, without the product."""
        if self.database:
            with psycopg.connect(self.database, autocommit=True) as connection:
                return connection.execute(query.encode()).fetchall()
        with closing(sqlite3.connect(self.folder / "data" / "yunwei.sqlite3", timeout=30)) as lite:
            return lite.execute(query).fetchall()

    def log(self, most: int = 1500) -> str:
        """The end of what the children said."""
        path = self.work / "log"
        return path.read_text(encoding="utf-8", errors="replace")[-most:] if path.exists() else ""


def folder() -> tempfile.TemporaryDirectory[str]:
    """A folder that goes again; in memory where there is room, for what dies here is a process and not the power."""
    memory = Path("/dev/shm")  # noqa: S108
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > ROOM
    return tempfile.TemporaryDirectory(prefix="yunwei-chaos-", dir=memory if roomy else None)


@contextmanager
def bed(kind: str) -> Iterator[Bed]:
    """An empty bed on `sqlite` or `postgres`, gone afterwards. Raises NotHere where there is no server to start."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(folder()))
        server = ""
        if kind == "postgres":
            if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
                raise NotHere("no PostgreSQL server is installed")
            server = stack.enter_context(cluster())
        yield Bed(work, server, free_port())


def at(hour: float) -> datetime:
    """A moment of the day (or, beyond 24, of the day after it), by the local clock."""
    return weather.moment(DAY + timedelta(days=int(hour // 24)), hour % 24)


def real() -> datetime:
    """This machine's own present moment."""
    return datetime.now(UTC)


def join(home: Bed) -> None:
    """Make this process one of the instance's: settings and Django, no database opened."""
    os.environ.pop("DATABASE_URL", None)
    instance.setup(home.folder)


def prepare(home: Bed, lab: Lab) -> None:
    """Make the instance up to where the day begins: devices met and agreed, plan approved, contract in force."""
    home.new_database()
    ended = home.child(lambda: _prepare(home, lab), patience=PREPARED_S)
    if ended.problem:
        raise RuntimeError(f"the instance could not be made: {ended.problem}")
    home.save("morning")


def _prepare(home: Bed, lab: Lab) -> None:
    os.environ.pop("DATABASE_URL", None)
    instance.create(
        home.folder,
        instance.Blueprint(
            contract=contract_folder(),
            organisations=[*_parties(), *district.ORGANISATIONS],
            people=[instance.Person(name, shown, role, org, PASSWORD) for name, shown, role, org in PEOPLE],
            database_url=home.database,
            port=home.port,
            demo=True,
            now=at(MADE),
        ),
    )
    lab.show({})
    clock = instance.clock()
    lab.clock((clock.now() - real()).total_seconds())
    register(lab.stage, lab.items, clock.now(), own=False)
    _agree()


def _parties() -> list[tuple[str, str, str]]:
    from yunwei.contract.folder import load

    return [(party.role, party.name, party.role) for party in load(contract_folder()).contract.parties]


def _agree() -> None:
    """First contact, identities, the contract's beginning, the plan."""
    from yunwei.assets import identity
    from yunwei.cli import common
    from yunwei.contract import plans
    from yunwei.contract.folder import load
    from yunwei.duties import services as duties
    from yunwei.ledger import heads
    from yunwei.runs import engine
    from yunwei.runs import services as runs
    from yunwei.runs.inline import InlineEngine

    clock = instance.clock()
    client, vendor = common.actor_account("a_manager"), common.actor_account("b_manager")
    engine.use(InlineEngine(clock))
    codes = list(DEVICES)
    runs.submit(
        "contact:first:chaos:1", "hardware.inspect", {"assets": codes}, {"baseline": codes}, {"why": "first contact"},
        now=clock.now(),
    )  # fmt: skip
    engine.use(None)
    for pin in list(identity.waiting()):
        identity.confirm(pin, by=client, now=clock.now())
    paper = duties.File("signed.txt", "演示：双方签章齐备\n".encode(), "text/plain; charset=utf-8")
    duties.record_event("contract_effective", at=clock.now(), by=vendor, now=clock.now(), file=paper)
    folder = load(instance.folder() / "contract")
    row = plans.propose(folder.plan, folder=folder, by=vendor, now=clock.now())
    plans.approve(row.version, by=client, now=clock.now(), reason="演示：同意")
    engine.use(InlineEngine(clock))
    duties.tick(clock.now())
    engine.use(None)
    heads.push(clock.now())
