"""`yunwei asset …`: inventory, credentials, pinned identities. A door: services decide."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from yunwei.cli.common import FINDING, hidden, now, open_instance, out, print_json, sign_in, summary, table, telling
from yunwei.kernel.i18n import _

if TYPE_CHECKING:
    from yunwei.assets.models import IdentityPin
    from yunwei.assets.tables import Report

app = typer.Typer(no_args_is_help=True)
credential = typer.Typer(no_args_is_help=True)
app.add_typer(credential, name="credential", help="采集凭据（SM4 密封） (credentials)")

Json = Annotated[bool, typer.Option("--json", help="输出 JSON")]
Actor = Annotated[str, typer.Option("--by", help="经办账号，口令从终端或标准输入首行读取 (account)")]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="资产表：.csv 或 .xlsx")],
    actor: Actor,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只检查，不导入")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="跳过有错的资产，导入其余")] = False,
    retire_missing: Annotated[bool, typer.Option("--retire-missing", help="表中没有的资产转为退役")] = False,
    as_json: Json = False,
) -> None:
    """导入资产表。有一行错误就什么都不导入，并逐行说明；退出码 1。"""
    from yunwei.assets.errors import TableError

    try:
        content = file.read_bytes()
    except OSError as e:
        raise TableError(_("打不开文件"), where=str(file), hint=_("请检查路径和权限")) from e
    open_instance()
    from yunwei.assets import tables

    account = sign_in(actor).username
    with telling(_("读入资产表"), quiet=as_json) as tell:
        report = tables.import_table(
            content,
            file.name,
            actor=account,
            now=now(),
            dry_run=dry_run,
            skip_bad=skip_bad,
            retire_missing=retire_missing,
            tell=tell,
        )
    if as_json:
        print_json(report)
    else:
        _show(report, dry_run=dry_run)
    if report.problems:
        raise typer.Exit(FINDING)


def _show(report: Report, *, dry_run: bool) -> None:
    if report.problems:
        table(
            _("有错的行"),
            (_("行"), _("列"), _("内容"), _("原因"), _("怎么办")),
            ((p.row, p.column, p.value, p.why, p.what_to_do) for p in report.problems),
        )
    names = {
        "zone": "区域",
        "place": "机房",
        "owner": "部门",
        "system": "系统",
        "asset": "资产",
        "endpoint": "采集端点",
    }
    rows = [(_(names[k]), report.created.get(k, 0), report.updated.get(k, 0)) for k in names]
    table("", ("", _("新增"), _("更新")), (row for row in rows if row[1] or row[2]))
    for title, codes in ((_("退役"), report.retired), (_("恢复"), report.restored), (_("跳过"), report.skipped)):
        if codes:
            more = " …" if len(codes) > 20 else ""
            out.print(Text(f"{title} {len(codes)}：{'、'.join(codes[:20])}{more}"))
    if report.applied:
        out.print(Text("✓ " + _("已导入 {n} 行").format(n=report.rows), style="green"))
    elif dry_run and not report.problems:
        out.print(Text(_("检查通过，没有导入（--dry-run）")))
    else:
        out.print(Text("✗ " + _("什么都没有导入"), style="red"))


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="写到哪里：.csv 或 .xlsx")],
    retired: Annotated[bool, typer.Option("--retired", help="连同退役资产")] = False,
    force: Annotated[bool, typer.Option("--force", help="覆盖已有文件")] = False,
    as_json: Json = False,
) -> None:
    """导出资产表；不含任何口令，原样导入不改变任何内容。"""
    from yunwei.assets.errors import TableError

    if file.suffix not in {".csv", ".xlsx"}:
        raise TableError(_("文件名须以 .csv 或 .xlsx 结尾"), where=str(file))
    if file.exists() and not force:
        raise TableError(_("文件已存在"), where=str(file), hint="--force")
    open_instance()
    from yunwei.assets import tables
    from yunwei.ledger.artifacts import write_whole

    content = tables.export_xlsx(retired=retired) if file.suffix == ".xlsx" else tables.export_csv(retired=retired)
    write_whole(file, content)
    summary({"file": str(file), "bytes": len(content)}, as_json=as_json)


@app.command("list")
def list_(
    zone: Annotated[str, typer.Option("--zone", help="只看一个区域")] = "",
    retired: Annotated[bool, typer.Option("--retired", help="连同退役资产")] = False,
    as_json: Json = False,
) -> None:
    """列出资产及其采集端点与身份状态。"""
    open_instance()
    from yunwei.assets.identity import pins_of
    from yunwei.assets.models import Asset

    assets = Asset.objects.select_related("zone", "place").prefetch_related("endpoints")
    if zone:
        assets = assets.filter(zone__code=zone)
    if not retired:
        assets = assets.filter(retired_at__isnull=True)
    found = list(assets)
    pins = pins_of([e.pk for a in found for e in a.endpoints.all()])
    rows: list[dict[str, Any]] = [
        {
            "code": a.code,
            "name": a.name,
            "kind": a.kind,
            "zone": a.zone.code,
            "place": a.place.code if a.place else "",
            "model": f"{a.vendor} {a.model}".strip(),
            "retired_at": a.retired_at,
            "endpoints": [{"endpoint": str(e), "identity": _standing(pins.get(e.pk))} for e in a.endpoints.all()],
        }
        for a in found
    ]
    if as_json:
        print_json(rows)
        return
    shown = {"confirmed": _("已确认"), "waiting": _("待确认"), "changed": _("变更待确认"), "none": _("未登记")}
    table(
        "",
        (_("编号"), _("名称"), _("类型"), _("区域"), _("机房"), _("型号"), _("端点")),
        (
            (
                *(r[k] for k in ("code", "name", "kind", "zone", "place", "model")),
                "\n".join(f"{e['endpoint']} {shown[e['identity']]}" for e in r["endpoints"]),
            )
            for r in rows
        ),
    )


def _standing(pins: tuple[IdentityPin | None, IdentityPin | None] | None) -> str:
    confirmed, waiting = pins or (None, None)
    if waiting is not None:
        return "changed" if confirmed else "waiting"
    return "confirmed" if confirmed else "none"


@app.command("identities")
def identities(as_json: Json = False) -> None:
    """列出等待甲方确认的设备身份，以及应答为同一台设备的资产。"""
    open_instance()
    from yunwei.assets import identity

    waiting = [_pin(pin) for pin in identity.waiting()]
    twins = identity.duplicate_pins()
    if as_json:
        print_json({"waiting": waiting, "duplicates": twins})
    else:
        table(
            _("待甲方确认"),
            (_("资产"), _("端点"), _("首次应答"), _("强度"), _("身份")),
            (
                (
                    p["asset"],
                    p["endpoint"],
                    p["pinned_at"],
                    _("弱") if p["weak"] else _("强"),
                    "\n".join(f"{k}={v}" for k, v in p["fields"].items()),
                )
                for p in waiting
            ),
        )
        for code, others in twins.items():
            out.print(
                Text(
                    "✗ " + _("{code} 与 {others} 应答为同一台设备").format(code=code, others="、".join(others)),
                    style="red",
                )
            )
    if twins:
        raise typer.Exit(FINDING)


def _pin(pin: IdentityPin) -> dict[str, Any]:
    return {
        "pin": pin.pk,
        "asset": pin.endpoint.asset.code,
        "endpoint": str(pin.endpoint),
        "pinned_at": pin.pinned_at,
        "pinned_by": pin.pinned_by,
        "weak": pin.weak,
        "fields": pin.fields,
    }


@app.command("confirm-identity")
def confirm_identity(
    code: Annotated[str, typer.Argument(help="资产编号")],
    actor: Actor,
    protocol: Annotated[str, typer.Option("--protocol", help="只处理一个协议")] = "",
    refuse: Annotated[bool, typer.Option("--refuse", help="不是我们的设备：拒绝")] = False,
    as_json: Json = False,
) -> None:
    """甲方确认（或拒绝）一台设备的身份，须输入该账号的口令；登记它的人不能自己确认。"""
    open_instance()
    from django.db import transaction

    from yunwei.assets import identity
    from yunwei.assets.errors import IdentityError

    found = [
        pin for pin in identity.waiting() if pin.endpoint.asset.code == code and protocol in {"", pin.endpoint.protocol}
    ]
    if not found:
        raise IdentityError(_("没有待确认的身份"), where=code, hint="yunwei asset identities")
    account = sign_in(actor)
    decide = identity.refuse if refuse else identity.confirm
    with transaction.atomic():
        done = [_pin(decide(pin, by=account, now=now())) for pin in found]
    if as_json:
        print_json({"refused" if refuse else "confirmed": done})
        return
    for pin in done:
        verb = _("已拒绝") if refuse else _("已确认")
        out.print(Text(f"✓ {verb} {pin['asset']} {pin['endpoint']}", style="green"))


@credential.command("add")
def credential_add(
    name: Annotated[str, typer.Argument(help="凭据名称")],
    kind: Annotated[str, typer.Option("--kind", help="snmp2c | snmp3 | redfish | ssh")],
    actor: Actor,
    stdin: Annotated[bool, typer.Option("--stdin", help="从标准输入读一个 JSON 对象")] = False,
    key_file: Annotated[Path | None, typer.Option("--private-key", help="SSH 私钥文件")] = None,
    as_json: Json = False,
) -> None:
    """登记或更换一个凭据。口令只从提示或标准输入读取，不能写在命令行上。"""
    open_instance()
    from yunwei.assets import credentials

    account = sign_in(actor)
    fields = _from_stdin(name) if stdin else _ask(kind, name, key_file)
    row = credentials.put(name, kind, fields, now=now(), actor=account.username)
    summary({"credential": row.name, "kind": row.kind, "key": row.key_id}, as_json=as_json)


def _from_stdin(name: str) -> dict[str, Any]:
    from yunwei.assets.errors import CredentialError

    try:
        fields = json.loads(sys.stdin.read(1 << 20))
    except ValueError:
        fields = None  # the parser's message would quote what it read
    if not isinstance(fields, dict):
        raise CredentialError(_("标准输入不是一个 JSON 对象"), where=name, hint='{"user": …, "password": …}')
    return fields


def _ask(kind: str, name: str, key_file: Path | None) -> dict[str, str]:
    from yunwei.assets.credentials import FIELDS, OPEN_FIELDS
    from yunwei.assets.errors import CredentialError

    fields: dict[str, str] = {}
    if key_file is not None:
        try:
            fields["private_key"] = key_file.read_text(encoding="ascii")
        except (OSError, UnicodeError):
            raise CredentialError(
                _("读不了私钥文件"), where=str(key_file), hint=_("须为 PEM 或 OpenSSH 格式")
            ) from None
    for asked in FIELDS.get(kind, ()):
        if (
            asked == "private_key"
            or asked in fields
            or (asked == "password" and key_file)
            or (asked == "passphrase" and not key_file)
        ):
            continue
        prompt = f"{name} {asked}: "
        if asked in OPEN_FIELDS and sys.stdin.isatty():
            fields[asked] = typer.prompt(f"{name} {asked}", default="", show_default=False, err=True)
        else:
            fields[asked] = hidden(prompt)
    return fields


@credential.command("list")
def credential_list(as_json: Json = False) -> None:
    """列出凭据的名称与新旧；从不显示内容。"""
    open_instance()
    from django.db.models import Count

    from yunwei.assets.models import Credential

    rows = [
        {"name": c.name, "kind": c.kind, "changed_at": c.changed_at, "key": c.key_id, "endpoints": c.uses}
        for c in Credential.objects.annotate(uses=Count("endpoint")).order_by("name")
    ]
    if as_json:
        print_json(rows)
        return
    columns = (_("名称"), _("类型"), _("更换于"), _("密钥"), _("端点"))
    table("", columns, (tuple(row.values()) for row in rows))


@credential.command("rotate")
def credential_rotate(
    actor: Actor,
    drop_old: Annotated[bool, typer.Option("--drop-old", help="删除不再使用的旧密钥（旧备份将打不开）")] = False,
    as_json: Json = False,
) -> None:
    """换一把密封密钥，全部凭据重新密封。"""
    open_instance()
    from yunwei.assets import credentials

    key_id, count = credentials.rotate(now=now(), actor=sign_in(actor).username)
    dropped = credentials.drop_unused() if drop_old else 0
    summary({"key": key_id, "resealed": count, "dropped": dropped}, as_json=as_json)
