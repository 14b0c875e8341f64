"""`yunwei upgrade`: after a newer program was installed, bring the database up to it; never without a backup and a rehearsal.

A backup is made and laid out again as a copy, which proves that it can be. On the copy the migrations run in a process of
their own; rows of every table, the ledger's newest head and what follows from the ledger are compared with before. Only
then they run on the instance, and its rows must be those of the copy. The way back is that backup: `yunwei restore`.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from yunwei.kernel.children import program
from yunwei.kernel.i18n import _
from yunwei.server import instance
from yunwei.server.keep import facts, postgres, snapshot, take, unpack
from yunwei.server.keep.errors import KeepError
from yunwei.server.keep.facts import Facts
from yunwei.server.keep.sealed import Locks, Opener
from yunwei.server.keep.stopped import stopped
from yunwei.server.keep.take import Made, Tell, _silent

KIND = "instance.upgraded"


@dataclass
class Upgraded:
    """What an upgrade did: the migrations, the backup made before, and where rehearsal and instance differ from before."""

    migrations: list[str]
    backup: Made | None = None
    changes: list[str] = field(default_factory=list)


def pending() -> list[str]:
    """The migrations that this program has and the database has not."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _backwards in plan]


def migrate() -> list[str]:
    """Run them, and the engine's own; returns their names."""
    from django.core.management import call_command

    from yunwei.runs import dbos_engine

    names = pending()
    call_command("migrate", verbosity=0, interactive=False)
    dbos_engine.migrate(instance.engine_url())
    return names


def here() -> Facts:
    """The facts of this process's instance."""
    folder, url = instance.folder(), instance.database_url(instance.folder())
    if url:
        with postgres.connected(url) as connection:
            return facts.postgres(snapshot.ask_of(connection))
    return facts.lite(lambda query: snapshot.asked(folder, "", query))


def upgrade(
    target: Path, passphrase: str, *, now: datetime, accept: bool = False, rehearse_on: str = "", tell: Tell = _silent
) -> Upgraded:
    """Back up, rehearse, upgrade, compare. `accept` takes the differences that the rehearsal showed. Raises KeepError.

    Nothing was changed when it raises before the last step; afterwards its words name the backup and the way back.
    """
    from django.db import connections

    folder = instance.folder()
    connections.close_all()
    with stopped(folder):
        names = pending()
        connections.close_all()
        if not names:
            return Upgraded([])
        before = here()
        made = take.backup(folder, target, Locks(passphrase), now=now, tell=tell)
        rehearsed = _rehearsed(folder, made, Opener(passphrase), rehearse_on, tell)
        changes = facts.differences(before, _facts(rehearsed)) + [
            _("演练之后与台账不符：{what}").format(what=subject) for subject in rehearsed["audit"]
        ]
        if changes and not accept:
            raise KeepError(
                _("演练改变了数据，没有升级：{what}").format(what="；".join(changes[:5])), where=str(made.path),
                hint=_("核对之后仍要升级，加 --accept"),
            )  # fmt: skip
        _for_real(made, _facts(rehearsed))
    return Upgraded(names, made, changes)


def _facts(told: dict[str, Any]) -> Facts:
    return Facts(**told["facts"])


def _rehearsed(folder: Path, made: Made, opener: Opener, rehearse_on: str, tell: Tell) -> dict[str, Any]:
    """Lay the backup out as a copy and migrate it there."""
    with unpack.beside(folder.with_name(f"{folder.name}-rehearsal")) as place:  # it holds keys: gone after a crash too
        copy = place / "copy"
        with _database(folder, rehearse_on) as url:
            copy.mkdir(mode=0o700)
            unpack.lay_out(made.path, copy, opener, url=url, tell=tell)
            environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"} | {"YUNWEI_INSTANCE": str(copy)}
            done = subprocess.run(
                program("yunwei.server.keep.rehearse"), env=environment, capture_output=True, text=True, check=False
            )  # fmt: skip
            if url:
                postgres.clear(url)
    try:
        told = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None
    except (ValueError, IndexError):
        told = None
    if told is None:
        last = done.stderr.strip().splitlines()[-1:] or [""]
        raise KeepError(_("演练失败，没有升级"), where=str(made.path), hint=last[0][:300])
    return dict(told)


@contextmanager
def _database(folder: Path, rehearse_on: str) -> Iterator[str]:
    """Where the rehearsal's database lies: nowhere for SQLite (a file), else a database of its own on the same server."""
    url = instance.database_url(folder)
    if not url:
        yield ""
    elif rehearse_on:
        yield rehearse_on
    else:
        with postgres.scratch(url) as scratch:
            yield scratch


def _for_real(made: Made, wanted: Facts) -> None:
    """Migrate the instance, and hold the result against the rehearsal's. Raises KeepError with the way back."""
    from django.db import connections

    way_back = _("退路：重新装回旧版本，然后 yunwei restore {file} 新目录").format(file=made.path)
    try:
        migrate()
    except Exception as error:
        raise KeepError(
            _("升级中断：{why}").format(why=str(error)[:200]), where=str(instance.folder()), hint=way_back
        ) from error
    finally:
        connections.close_all()
    if found := facts.differences(wanted, here(), but=("sqlite_sequence",)):
        raise KeepError(
            _("升级之后与演练不同：{what}").format(what="；".join(found[:5])),
            where=str(instance.folder()),
            hint=way_back,
        )


def entered(done: Upgraded, *, now: datetime) -> int:
    """Enter the upgrade and its backup in the ledger; gives the record's number."""
    from django.db import transaction

    from yunwei.ledger import services as ledger

    if done.backup is not None:
        take.entered(done.backup, now=now, actor="system:upgrade")
    with transaction.atomic():
        data = {"version": facts.program(), "migrations": done.migrations, "changes": done.changes[:50],
                "backup": done.backup.digest if done.backup else ""}  # fmt: skip
        intake = ledger.record(KIND, "instance", data, at=now, actor="system:upgrade")
    return ledger.acknowledge(intake.pk, now)
