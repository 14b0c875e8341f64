"""`yunwei backup`, `restore`, `upgrade`, `move`: the platform's own operation (docs/recipes/back-up-and-restore.md)."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from yunwei.cli import common
from yunwei.kernel.children import program
from yunwei.kernel.i18n import _

if TYPE_CHECKING:
    from yunwei.server.keep.sealed import Locks, Opener

Json = Annotated[bool, typer.Option("--json", help="输出 JSON")]
Passphrase = Annotated[
    Path | None, typer.Option("--passphrase-file", help="口令文件：第一行为备份口令，权限 600 (passphrase file)")
]
Key = Annotated[Path | None, typer.Option("--key", help="接收人的 SM2 私钥（PEM）(recipient's private key)")]
#: tries at a password that a terminal gives
TRIES = 3


def register(app: typer.Typer) -> None:
    """Add this file's commands to the main command."""
    app.command(help="备份运行中的实例：一个加密文件，写完读回核对并记入台账；证据文件有缺失时退出码为 1。")(backup)
    app.command(help="从备份恢复到新目录（PostgreSQL 另给空库）；缺少外面已知的记录时写下签名的恢复记录。")(restore)
    app.command(help="装上新版本之后升级数据：先备份、在副本上演练并比对，再升级；先停下实例。")(upgrade)
    app.command(help="把 SQLite 上的实例迁移到空的 PostgreSQL 库，逐表比对；先停下实例。")(move)


def backup(
    target: Annotated[Path, typer.Argument(help="备份放在哪个目录，不能在实例目录里 (folder for backups)")],
    passphrase_file: Passphrase = None,
    to_key: Annotated[
        list[Path] | None, typer.Option("--to-key", help="接收人的 SM2 公钥（PEM），可多个 (recipients' public keys)")
    ] = None,
    as_json: Json = False,
) -> None:
    """Back up the instance while it runs."""
    from yunwei.server import instance
    from yunwei.server.keep import take

    locks = _locks(passphrase_file, to_key or [])
    common.open_instance()
    now = common.now()
    with common.telling(_("备份（MB）"), quiet=as_json) as tell:
        made = take.backup(instance.folder(), target, locks, now=now, tell=tell)
    if locks.passphrase:  # a file that was never read is no backup yet; without its private key it cannot be read here
        from yunwei.server.keep.sealed import Opener

        with common.telling(_("读回核对（MB）"), quiet=as_json) as tell:
            take.checked(made.path, Opener(locks.passphrase), tell)
    record = take.entered(made, now=now, actor="system:backup")
    head = made.manifest["head"] or {"number": 0, "size": 0}
    facts = {
        "file": str(made.path), "sm3": made.digest, "bytes": made.size, "records": head["size"], "head": head["number"],
        "artifacts": made.manifest["artifacts"], "missing": len(made.missing), "read_back": bool(locks.passphrase), "record": record,
    }  # fmt: skip
    common.summary(facts, as_json=as_json)
    if made.missing:
        common.err.print(
            Text(_("有 {n} 个证据文件不在盘上，备份里没有它们").format(n=len(made.missing)), style="yellow")
        )
        raise typer.Exit(common.FINDING)


def restore(
    archive: Annotated[Path, typer.Argument(help="备份文件 (backup)")],
    folder: Annotated[Path | None, typer.Argument(help="恢复到这个新目录 (a new folder)")] = None,
    passphrase_file: Passphrase = None,
    key: Key = None,
    key_passphrase_file: Annotated[
        Path | None, typer.Option("--key-passphrase-file", help="私钥自己的口令文件 (passphrase of the private key)")
    ] = None,
    database: Annotated[str, typer.Option(help="postgres://… 空库；缺省为备份里写的那个 (an empty database)")] = "",
    head: Annotated[
        list[Path] | None,
        typer.Option("--head", help="甲方留存签名头的目录或文件，可多个 (heads that the client holds)"),
    ] = None,
    no_heads: Annotated[bool, typer.Option("--no-heads", help="确实没有人留存签名头 (nobody holds any)")] = False,
    why: Annotated[str, typer.Option(help="恢复的原因，甲方可见 (shown to the client)")] = "",
    by: Annotated[str, typer.Option(help="说明恢复的账号，以其口令证明 (account that declares it)")] = "",
    check: Annotated[bool, typer.Option("--check", help="只读一遍核对，不恢复 (only read it)")] = False,
    as_json: Json = False,
) -> None:
    """Make an instance of a backup; or with --check only read it to its end."""
    from yunwei.server.keep import restore as restoring
    from yunwei.server.keep import take
    from yunwei.server.keep.errors import KeepError

    opener = _opener(passphrase_file, key, key_passphrase_file)
    if check:
        with common.telling(_("核对备份（MB）"), quiet=as_json) as tell:
            manifest = take.checked(archive, opener, tell)
        _told(manifest, as_json=as_json)
        return
    if folder is None:
        raise KeepError(_("没有说恢复到哪里"), hint=_("yunwei restore 备份文件 新目录"))
    os.environ.pop("DATABASE_URL", None)  # of some other instance: the restored one says its own
    asked = restoring.Asked([p.absolute() for p in head or []], no_heads, why, lambda: _who(by))
    with common.telling(_("恢复（MB）"), quiet=as_json) as tell:
        done = restoring.restore(archive, folder, opener, asked, url=database, tell=tell)
    gap = done.restored
    facts: dict[str, Any] = {
        "instance": str(done.folder), "backup_of": done.manifest["at"], "migrations": done.migrated,
        "lost": gap.lost if gap else 0, "restored_record": gap.seq if gap else None,
    }  # fmt: skip
    common.summary(facts, as_json=as_json)
    if gap is not None and not as_json:
        common.out.print(
            _("已写下恢复记录 {n}；启动后签名头送达甲方，由甲方核对确认：/evidence/restored").format(n=gap.seq)
        )


def upgrade(
    target: Annotated[Path, typer.Option("--to", help="升级前的备份放在哪个目录 (folder for the backup)")],
    passphrase_file: Annotated[
        Path, typer.Option("--passphrase-file", help="口令文件：第一行为备份口令，权限 600 (passphrase file)")
    ],
    accept: Annotated[
        bool, typer.Option("--accept", help="接受演练显示的差异 (accept what the rehearsal showed)")
    ] = False,
    rehearse_on: Annotated[
        str, typer.Option("--rehearse-on", help="演练用的空 PostgreSQL 库 (an empty database)")
    ] = "",
    as_json: Json = False,
) -> None:
    """Bring the instance's data up to the installed program."""
    from yunwei.server.keep import sealed
    from yunwei.server.keep import upgrade as upgrading

    passphrase = sealed.passphrase_of(passphrase_file)
    common.open_instance()
    now = common.now()
    with common.telling(_("备份与演练（MB）"), quiet=as_json) as tell:
        done = upgrading.upgrade(target, passphrase, now=now, accept=accept, rehearse_on=rehearse_on, tell=tell)
    if done.backup is None:
        common.tell({"migrations": []}, _("数据已是本程序的版本，没有要做的"), as_json=as_json)
        return
    record = upgrading.entered(done, now=now)
    facts = {"migrations": done.migrations, "changes": done.changes, "backup": str(done.backup.path), "record": record}
    common.summary(facts, as_json=as_json)


def move(
    database: Annotated[str, typer.Option("--to", help="postgres://…，空库 (an empty database)")],
    again: Annotated[
        bool, typer.Option("--again", help="没有结束的工作由新引擎从第一步重新执行 (unfinished work begins again)")
    ] = False,
    as_json: Json = False,
) -> None:
    """Move the embedded instance to PostgreSQL."""
    import subprocess

    from yunwei.server import instance
    from yunwei.server.keep import move as moving

    os.environ.pop("DATABASE_URL", None)
    common.open_instance()
    with common.telling(_("迁移（行）"), quiet=as_json) as tell:
        done = moving.move(database, again=again, tell=tell)
    # this process still speaks to SQLite: the record is written by one that starts on the instance as it is now
    command = program("yunwei.server.keep.moved", str(done.again))
    subprocess.run(command, env={**os.environ, "YUNWEI_INSTANCE": str(instance.folder())}, check=True)
    head = done.head or {"number": 0, "size": 0}
    facts = {
        "tables": len(done.tables),
        "rows": sum(done.tables.values()),
        "head": head["number"],
        "records": head["size"],
        "again": done.again,
    }
    common.summary(facts, as_json=as_json)
    if not as_json:
        common.out.print(_("SQLite 文件已改名为 *.sqlite3{suffix}，核对之后再删").format(suffix=moving.ASIDE))


def _locks(passphrase_file: Path | None, to_key: list[Path]) -> Locks:
    from yunwei.server.keep import sealed

    passphrase = sealed.passphrase_of(passphrase_file) if passphrase_file else ""
    return sealed.Locks(passphrase, [sealed.public_key(path) for path in to_key])


def _opener(passphrase_file: Path | None, key: Path | None, key_passphrase_file: Path | None) -> Opener:
    from yunwei.server.keep import sealed
    from yunwei.server.keep.errors import KeepError

    if passphrase_file is None and key is None:
        raise KeepError(_("打开备份要口令文件或私钥"), hint="--passphrase-file / --key")
    passphrase = sealed.passphrase_of(passphrase_file) if passphrase_file else ""
    own = sealed.passphrase_of(key_passphrase_file) if key_passphrase_file else ""
    return sealed.Opener(passphrase, sealed.private_key(key, own) if key else None)


def _who(by: str) -> Any:
    """The account that declares a restore, by its password of the day of the backup; a terminal may try three times."""
    from yunwei.accounts.errors import AccountError
    from yunwei.server.keep.errors import KeepError

    if not by:
        raise KeepError(_("恢复缺少了外面已知的记录，须有人说明"), hint=_("--by 账号；口令是备份那天的"))
    for left in range(TRIES - 1, -1, -1):
        try:
            return common.sign_in(by)
        except AccountError as error:
            if not left or not sys.stdin.isatty():
                raise
            common.err.print(Text(str(error), style="yellow"))
    raise AssertionError  # the loop returns or raises


def _told(manifest: dict[str, Any], *, as_json: bool) -> None:
    head = manifest["head"] or {"number": 0, "size": 0}
    facts = {
        "whole": True, "at": manifest["at"], "instance": manifest["instance"], "version": manifest["version"],
        "database": manifest["database"], "records": head["size"], "head": head["number"], "artifacts": manifest["artifacts"],
        "tables": len(manifest["tables"]), "unfinished_work": manifest["unended"],
    }  # fmt: skip
    common.summary(facts, as_json=as_json)
