"""`yunwei account …`: what the owner of an account and the officers do; each proves who it is by its password."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from yunwei.cli import common
from yunwei.kernel.i18n import _

app = typer.Typer(no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="输出 JSON")]
Name = Annotated[str, typer.Argument(help="账号 (account)")]
Officer = Annotated[str, typer.Option(help="经办的安全管理员 (security officer)")]


@app.command("list", help="全部账号及其角色、单位与状态。")
def account_list(as_json: Json = False) -> None:
    """All accounts with role, organisation and state."""
    common.open_instance()
    from yunwei.accounts.models import Account

    rows = [
        {
            "username": a.username,
            "name": a.display_name,
            "role": a.role,
            "role_name": str(a.get_role_display()),
            "organisation": a.organisation.name,
            "active": a.is_active,
        }
        for a in Account.objects.select_related("organisation").order_by("username")
    ]
    if as_json:
        common.print_json(rows)
        return
    common.table(
        "",
        (_("账号"), _("姓名"), _("角色"), _("单位"), _("状态")),
        [
            [r["username"], r["name"], r["role_name"], r["organisation"], _("已启用") if r["active"] else _("未启用")]
            for r in rows
        ],
    )


@app.command("add", help="建立账号：由系统管理员办理；账号未启用、无口令，由另一位安全管理员启用。")
def account_add(
    username: str,
    name: Annotated[str, typer.Option(help="显示名 (display name)")],
    role: Annotated[str, typer.Option(help="角色 (role)")],
    organisation: Annotated[str, typer.Option(help="单位代码 (organisation code)")],
    by: Annotated[str, typer.Option(help="经办账号，须为系统管理员 (acting account)")],
    person: Annotated[str, typer.Option(help="本人在单位的编号，一人一个账号 (staff number)")] = "",
    as_json: Json = False,
) -> None:
    """Add an account, which sleeps: the system officer's password is asked for or read from stdin."""
    common.open_instance()
    from yunwei.accounts.models import Organisation, Role
    from yunwei.accounts.services import AccountError, create_account

    officer = common.sign_in(by)
    if officer.role != Role.SYSADMIN:
        raise AccountError(_("只有系统管理员可以建立账号"), where=by)
    unit = Organisation.objects.filter(code=organisation).first()
    if unit is None:
        known = "、".join(Organisation.objects.values_list("code", flat=True))
        raise AccountError(_("没有单位“{code}”").format(code=organisation), hint=known)
    made = create_account(
        username=username, display_name=name, role=role, organisation=unit, person=person, by=by, now=common.now()
    )
    told = {"username": made.username, "role": made.role, "organisation": organisation, "active": made.is_active}
    sentence = _("已建立账号 {name}，等待安全管理员启用").format(name=username)
    common.tell(told, sentence, as_json=as_json)


@app.command()
def password(username: Name, as_json: Json = False) -> None:
    """更改自己的口令：先问现口令，再问新口令；标准输入时各占一行。首批账号的口令人人知道，请各自更改。"""
    common.open_instance()
    from yunwei.accounts import passwords
    from yunwei.accounts.errors import AccountError

    account = common.sign_in(username, first=True)
    new = common.hidden(_("{name} 的新口令：").format(name=username))
    if sys.stdin.isatty() and new != common.hidden(_("再输一次：")):
        raise AccountError(_("两次输入的口令不同"), where=username)
    passwords.change(account, new, now=common.now())
    common.tell({"username": username}, _("{name} 的口令已更改").format(name=username), as_json=as_json)


@app.command()
def activate(username: Name, by: Officer, as_json: Json = False) -> None:
    """启用账号：由不是建立它的安全管理员办理；另一方建立的账号由其所属一方的安全管理员办理。"""
    account, officer = _both(username, by)
    from yunwei.accounts import services

    first = services.activate(account, by=officer, now=common.now())
    _told(username, _("{name} 已启用").format(name=username), {"active": True}, first, as_json=as_json)


@app.command()
def sleep(username: Name, by: Officer, as_json: Json = False) -> None:
    """停用账号：立即退出、不能再登录；它做过的事不变。"""
    account, officer = _both(username, by)
    from yunwei.accounts import services

    services.put_to_sleep(account, by=officer, now=common.now())
    _told(username, _("{name} 已停用").format(name=username), {"active": False}, as_json=as_json)


@app.command()
def role(username: Name, role: str, by: Officer, as_json: Json = False) -> None:
    """更改账号的角色：同一方之内；三员的角色不能改动。"""
    account, officer = _both(username, by)
    from yunwei.accounts import services

    services.change_role(account, role, by=officer, now=common.now())
    sentence = _("{name} 的角色已改为{role}").format(name=username, role=account.get_role_display())
    _told(username, sentence, {"role": role}, as_json=as_json)


@app.command()
def unlock(username: Name, by: Officer, as_json: Json = False) -> None:
    """解除登录失败造成的锁定。"""
    account, officer = _both(username, by)
    from yunwei.accounts import services

    services.unlock(account, by=officer, now=common.now())
    _told(username, _("{name} 已解锁").format(name=username), {"locked": False}, as_json=as_json)


@app.command("new-password")
def new_password(
    username: Name,
    by: Annotated[str, typer.Option(help="该方的系统管理员或安全管理员 (officer of its side)")],
    as_json: Json = False,
) -> None:
    """发放首个口令，或为忘记口令的人重置；只显示一次，下次登录时须更改。"""
    account, officer = _both(username, by)
    from yunwei.accounts import services

    made = services.new_password(account, by=officer, now=common.now())
    _told(username, _("{name} 的口令已发放").format(name=username), {}, made, as_json=as_json)


@app.command("totp-reset")
def totp_reset(username: Name, by: Officer, as_json: Json = False) -> None:
    """取消账号的动态口令（手机遗失时），由本人重新绑定。"""
    account, officer = _both(username, by)
    from yunwei.accounts import services

    services.reset_totp(account, by=officer, now=common.now())
    _told(username, _("{name} 的动态口令已取消").format(name=username), {"totp": False}, as_json=as_json)


def _both(username: str, by: str) -> tuple[Any, Any]:
    """The account that is meant, and the officer, proven."""
    common.open_instance()
    from yunwei.accounts.models import Account
    from yunwei.accounts.services import AccountError

    officer = common.sign_in(by)
    account = Account.objects.select_related("organisation").filter(username=username).first()
    if account is None:
        raise AccountError(_("没有账号“{name}”").format(name=username), where=username)
    return account, officer


def _told(username: str, sentence: str, facts: dict[str, Any], password: str = "", *, as_json: bool) -> None:
    if password:
        facts = {**facts, "password": password}
        sentence += "\n" + _("口令（只显示这一次，请当面交给本人）：{password}").format(password=password)
    common.tell({"username": username, **facts}, sentence, as_json=as_json)
