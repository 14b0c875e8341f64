"""`yunwei restore`: a backup becomes an instance again, elsewhere, whole or not at all; what it lacks is declared (ADR 13)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yunwei.kernel.i18n import _
from yunwei.server import instance
from yunwei.server.keep import facts, postgres, unpack
from yunwei.server.keep.errors import KeepError
from yunwei.server.keep.sealed import Opener
from yunwei.server.keep.take import Tell, _silent
from yunwei.server.keep.unpack import Laid

if TYPE_CHECKING:
    from yunwei.accounts.models import Account
    from yunwei.ledger.models import Restored

KIND = "instance.restored"
#: roles that may say for their side that a ledger was restored: who runs the machine, and who answers for 乙方
MAY = frozenset({"sysadmin", "b_manager", "a_manager"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What the one who restores says: where heads are that others hold (`no_heads`: nobody holds any), why, and who."""

    heads: Sequence[Path]
    no_heads: bool
    why: str
    who: Callable[[], Account]  # asked only when something must be declared


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it. `restored` is None when nothing is lacking that is known outside."""

    folder: Path
    manifest: dict[str, Any]
    migrated: int
    restored: Restored | None


def restore(archive: Path, folder: Path, opener: Opener, asked: Asked, *, url: str = "", tell: Tell = _silent) -> Done:
    """Make the instance `folder` of a backup. Raises KeepError or LedgerError; then there is no such folder and the database
    is as empty as it was.

    This process becomes one of the new instance's; it must not be one of another's.
    """
    unpack.require_empty(folder)
    with unpack.beside(folder) as temporary, _whole_or_empty() as filled:
        laid = unpack.lay_out(archive, temporary, opener, url=url, tell=tell)
        if laid.url:
            filled.append(laid.url)
        instance.setup(temporary)
        migrated = bring_up_to_date()
        told = _declare(laid, archive, asked)
        _close()
        for database in filled:
            postgres.release(database)
        filled.clear()
        unpack.appear(temporary, folder)
    return Done(folder, laid.manifest, migrated, told)


@contextmanager
def _whole_or_empty() -> Iterator[list[str]]:
    """Empty again what was filled when something goes wrong; a crash leaves our mark in it, and the next try begins there."""
    filled: list[str] = []
    try:
        yield filled
    except BaseException:
        _close()
        for database in filled:
            postgres.clear(database)
        raise


def _close() -> None:
    """Give the connections back, so that SQLite's side files go and PostgreSQL's sessions end."""
    from django.conf import settings

    if settings.configured:
        from django.db import connections

        connections.close_all()


def bring_up_to_date() -> int:
    """Run the migrations that this program has and the backup has not; returns how many.

    Raises KeepError for a backup of a newer program: it holds what this one does not know.
    """
    from django.core.management import call_command

    from yunwei.runs import dbos_engine

    newer, lacking = instance.migrations()
    if newer:
        raise KeepError(
            _("备份出自更新的版本：本程序不认识 {names}").format(names="、".join(newer[:3])),
            hint=_("安装做备份时的版本（清单里有）再恢复；本程序是 {version}").format(version=facts.program()),
        )
    if lacking:
        call_command("migrate", verbosity=0, interactive=False)
        dbos_engine.migrate(instance.engine_url())
    return len(lacking)


def _declare(laid: Laid, archive: Path, asked: Asked) -> Restored | None:
    """Say in the ledger that it was restored, and what it lacks of what is known outside."""
    from django.contrib.sessions.models import Session

    from yunwei.ledger import restored

    Session.objects.all().delete()  # logins of that day: whoever had one since lost it, or was put to sleep
    now = instance.clock().now()
    old = _outside(laid, asked)
    backup = {"file": archive.name, "at": laid.manifest["at"], "version": laid.manifest["version"]}
    if old is not None and not restored.behind(old):
        _enter(backup, now)
        return None
    if not asked.why.strip():
        raise KeepError(_("恢复缺少了外面已知的记录，须写明原因"), hint="--why")
    by = asked.who()
    if by.role not in MAY:
        raise KeepError(_("由系统管理员或双方的项目负责人说明恢复"), where=by.username)
    return restored.declare(old, why=asked.why, by=by, now=now, backup=backup)


def _outside(laid: Laid, asked: Asked) -> Any:
    """The newest head known outside. Raises KeepError when it was not said where to look."""
    from yunwei.ledger import heads, restored

    if missing := [str(path) for path in asked.heads if not path.exists()]:  # mistyped: none was looked at
        raise KeepError(_("没有这个目录或文件"), where="、".join(missing), hint="--head")
    inside = laid.folder.resolve()
    pushed = [Path(a) for a in heads.addresses() if Path(a).is_absolute() and Path(a).is_dir()]
    places = [*asked.heads, *(p for p in pushed if not p.resolve().is_relative_to(inside))]
    old = restored.outside(places)
    if old is None and not asked.no_heads:
        raise KeepError(
            _("不知道甲方手里最新的签名头，无法说明丢了多少"), where="、".join(map(str, places)),
            hint=_("用 --head 给出甲方留存签名头的目录或文件；确实没有人留存时用 --no-heads"),
        )  # fmt: skip
    if old is not None and asked.no_heads:
        raise KeepError(_("说没有人留存签名头，但这里有一个"), where=f"{old.number}@{old.size}")
    return old


def _enter(backup: dict[str, Any], now: datetime) -> None:
    from django.db import transaction

    from yunwei.ledger import services as ledger

    with transaction.atomic():
        ledger.record(KIND, "instance", {"backup": backup}, at=now, actor="system:restore")
    ledger.sequence(now)
