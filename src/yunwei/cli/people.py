"""`yunwei account password` and `activate`: what the owner of an account and the officer of its side do."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from yunwei.cli import common
from yunwei.kernel.i18n import _

Json = Annotated[bool, typer.Option("--json", help="输出 JSON")]
#: GB/T 22239 asks for complexity; length is what helps (NIST SP 800-63B), and the first password is never kept
LEAST = 12


def register(account: typer.Typer) -> None:
    """Add the commands to `yunwei account`."""
    account.command("password")(password)
    account.command("activate")(activate)


def password(username: Annotated[str, typer.Argument(help="账号 (account)")], as_json: Json = False) -> None:
    """更改自己的口令：先问现口令，再问新口令；标准输入时各占一行。首批账号的口令人人知道，请各自更改。"""
    common.open_instance()
    from yunwei.accounts import services

    account = common.sign_in(username)
    new = _new(username)
    if len(new) < LEAST or new == username or account.check_password(new):
        raise services.AccountError(_("新口令至少 {n} 个字符，且不同于现口令和账号名").format(n=LEAST), where=username)
    services.set_password(account, new, by=username, now=common.now())
    common.tell({"username": username}, _("{name} 的口令已更改").format(name=username), as_json=as_json)


def _new(username: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    new = getpass.getpass(_("{name} 的新口令：").format(name=username))
    return new if new == getpass.getpass(_("再输一次：")) else ""


def activate(
    username: Annotated[str, typer.Argument(help="账号 (account)")],
    by: Annotated[str, typer.Option(help="该方的安全管理员 (security officer of its side)")],
    as_json: Json = False,
) -> None:
    """启用由另一方系统管理员建立的账号；由该账号所属一方的安全管理员办理。"""
    common.open_instance()
    from yunwei.accounts import services
    from yunwei.accounts.models import Account

    officer = common.sign_in(by)
    account = Account.objects.select_related("organisation").filter(username=username).first()
    if account is None:
        raise services.AccountError(_("没有账号“{name}”").format(name=username), where=username)
    services.activate(account, by=officer, now=common.now())
    common.tell({"username": username, "active": True}, _("{name} 已启用").format(name=username), as_json=as_json)
