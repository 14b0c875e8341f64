"""`yunwei doctor`: what works here, what is missing, and what to do about it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import ssl
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import DatabaseError
from django.utils import timezone

from yunwei.kernel.errors import YunweiError, first_line
from yunwei.kernel.i18n import _
from yunwei.server import instance

Finding = dict[str, Any]
#: a backup older than this is told: once a day, and an hour's grace
BACKUP_AGE = timedelta(hours=25)
#: writes a row and changes nothing
_SAME_ROW = "UPDATE django_migrations SET name = name WHERE id = (SELECT min(id) FROM django_migrations)"


def examine() -> list[Finding]:
    """Everything that can be said, best effort: a check that breaks is a fault with its own words, and keeps none of the others
    from being made."""
    found = [*_made(_("本机"), _machine()), *_made(_("密码算法"), _crypto())]
    if not os.environ.get("YUNWEI_INSTANCE"):
        return [*found, _f(_("实例"), "note", _("没有指定"), "--instance / YUNWEI_INSTANCE")]
    found += _made(_("实例"), _instance())
    if found[-1]["state"] == "fault":
        return found
    for name, check in INSIDE:
        found += _made(name, check(instance.folder()))
    return found


def _made(name: str, check: Iterator[Finding]) -> Iterator[Finding]:
    """What a check finds; what breaks it is a fault under its name."""
    try:
        yield from check
    except YunweiError as error:
        yield _f(name, "fault", error.message, "　".join(filter(None, (error.where, error.hint))))
    except (DatabaseError, OSError) as error:
        yield _f(name, "fault", first_line(error))


def _f(what: str, state: str, found: str, hint: str = "") -> Finding:
    """`state` is ok, note (works, and somebody should know) or fault."""
    return {"what": what, "state": state, "found": found, "hint": hint}


def _machine() -> Iterator[Finding]:
    yield _f("Python", "ok", sys.version.split()[0])
    yield _f("SQLite", "ok", sqlite3.sqlite_version)
    yield _f("OpenSSL", "ok", ssl.OPENSSL_VERSION)
    for program, use in (("snmpd", _("实验用真实 SNMP 代理")), ("sshd", _("实验用真实 SSH 服务"))):
        path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin")
        yield _f(program, "ok" if path else "note", path or _("未安装"), "" if path else use)


def _crypto() -> Iterator[Finding]:
    from yunwei.gm import selftest

    selftest.require()
    yield _f("SM2 / SM3 / SM4", "ok", _("标准示例全部通过；软件实现，不是经认证的密码产品"))


def _instance() -> Iterator[Finding]:
    instance.setup()
    yield _f(_("实例"), "ok", str(instance.folder()))


def _keys(folder: Path) -> Iterator[Finding]:
    for name in sorted(p.name for p in (folder / "keys").iterdir()):
        mode = (folder / "keys" / name).stat().st_mode & 0o777
        good = mode & 0o077 == 0 or name.endswith(".pub")
        yield _f(
            f"keys/{name}", "ok" if good else "fault", f"{mode:o}", "" if good else f"chmod 600 {folder}/keys/{name}"
        )


def _database(_folder: Path) -> Iterator[Finding]:
    from django.db import connection, transaction

    yield _f(_("数据库"), "ok", connection.vendor)
    instance.require_current()
    try:
        # a row is written: without one a full disk would pass
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_SAME_ROW)
    except DatabaseError as error:
        hint = _(
            "检查文件与目录的权限、磁盘余量；PostgreSQL 还要看是否连到了只读的备机；database is locked 表示另有写入占用，稍后再试"
        )
        yield _f(_("数据库"), "fault", _("不能写入：{why}").format(why=first_line(error)), hint)


def _contract(folder: Path) -> Iterator[Finding]:
    from yunwei.contract import openitems
    from yunwei.contract.check import check
    from yunwei.contract.folder import load

    problems = [problem for problem in check(folder / "contract") if not problem.warning]
    if problems:
        yield _f(
            _("合同"), "fault", _("{n} 处问题").format(n=len(problems)), f"yunwei contract check {folder}/contract"
        )
        return
    still = openitems.still_open(load(folder / "contract"))
    yield _f(_("合同"), "note" if still else "ok", _("{n} 个未决事项").format(n=len(still)), _("见合同的未决事项登记"))


def _fonts(folder: Path) -> Iterator[Finding]:
    """Which face each font role of documents got, and which characters of names have no glyph in it."""
    from yunwei.reports import fonts, names
    from yunwei.reports.errors import ReportError

    for path in fonts.unreadable(folder):
        yield _f(_("字体"), "note", str(path), _("不是可用的字体：损坏、可变字体，或不许嵌入文件"))
    try:
        chosen = fonts.choose(fonts.faces(folder))
    except ReportError as error:
        yield _f(_("字体"), "fault", error.message, error.hint)
        return
    texts = names.all_of(folder)
    for role, choice in chosen.items():
        gone = fonts.missing(choice.face, texts)
        said = f"{choice.family}（{choice.face.file}）"
        if not choice.first_choice:
            said += _("，代用")
        if gone:
            said += _("，名称中缺 {n} 字：{chars}").format(n=len(gone), chars="".join(gone[:20]))
        hint = _("把缺字的字体换成字符全的一款，放进实例的 fonts/ 目录") if gone else ""
        stand_in = "" if choice.first_choice else _("需要该字体本身时，把获得授权的字体文件放进实例的 fonts/ 目录")
        yield _f(
            _("字体 {role}").format(role=names.role(role)),
            "ok" if choice.first_choice and not gone else "note",
            said,
            hint or stand_in,
        )


def _ledger(_folder: Path) -> Iterator[Finding]:
    from yunwei.ledger import audit, heads, keys
    from yunwei.ledger import services as ledger
    from yunwei.ledger.models import Waiting
    from yunwei.runs.services import workers_alive

    now = instance.clock().now()
    newest = ledger.head()
    yield _f(_("台账"), "ok" if newest else "fault", f"№ {newest.size if newest else 0}，{keys.fingerprint()}")
    for late in heads.overdue(now):
        yield _f(_("链头送达"), "fault", f"{late.address}：{late.since:%Y-%m-%d %H:%M}", late.problem)
    lies = audit.audit()
    told = _("{n} 处与台账不符").format(n=len(lies)) if lies else _("库中各行与台账一致")
    yield _f(_("台账对照"), "fault" if lies else "ok", told, "yunwei evidence audit" if lies else "")
    first = _first_passwords()
    if first:
        yield _f(
            _("口令"), "note", _("仍用初始口令：{names}").format(names="、".join(first)), "yunwei account password"
        )
    waiting = Waiting.objects.count()
    alive = workers_alive(now)
    yield _f(_("工作进程"), "ok" if alive else "note", str(alive), "" if alive else "yunwei serve")
    if waiting and not alive:
        yield _f(_("待编号"), "fault", str(waiting), "yunwei serve")


def _backup(_folder: Path) -> Iterator[Finding]:
    """When the last backup was made; whether its file is still somewhere, only people know."""
    from yunwei.ledger.checking import body_of
    from yunwei.ledger.models import Intake

    last = Intake.objects.filter(kind="instance.backed_up").order_by("-id").first()
    if last is None:
        yield _f(_("备份"), "note", _("从未做过"), _("yunwei backup 目录 --passphrase-file 文件，每天一次"))
        return
    data = body_of(last).get("data", {})
    old = instance.clock().now() - last.at > BACKUP_AGE
    found = _("{at}，{file}").format(at=f"{timezone.localtime(last.at):%Y-%m-%d %H:%M}", file=data.get("file", "—"))
    yield _f(_("备份"), "note" if old else "ok", found, _("已超过一天，请检查定时任务") if old else "")


def _first_passwords() -> list[str]:
    """Accounts that still have the password somebody else gave them; in a demo that is how it is meant."""
    from yunwei.accounts.models import Account
    from yunwei.ledger.models import Intake

    if instance.settings().get("demo"):
        return []
    changed = Intake.objects.filter(kind="accounts.password.changed").values_list("subject", flat=True)
    return sorted(
        Account.objects.filter(is_active=True).exclude(username__in=changed).values_list("username", flat=True)
    )


#: what is looked at once it is known that there is an instance
INSIDE: tuple[tuple[str, Callable[[Path], Iterator[Finding]]], ...] = (
    (_("密钥"), _keys), (_("数据库"), _database), (_("合同"), _contract), (_("字体"), _fonts), (_("台账"), _ledger), (_("备份"), _backup),
)  # fmt: skip
