"""What all commands share: the instance, output for people or as JSON, errors and exit codes.

Exit codes: 0 ok, 1 a finding (something is wrong out there), 2 usage or bad input, 3 unreachable.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from yunwei.kernel.i18n import _

out = Console()
err = Console(stderr=True)

OK, FINDING, USAGE, UNREACHABLE = 0, 1, 2, 3


def open_instance(folder: Path | None = None) -> None:
    """Set up Django for the instance that --instance or YUNWEI_INSTANCE names; commands that need the database call it."""
    from django.utils import translation

    from yunwei.kernel import i18n
    from yunwei.server import instance

    instance.setup(folder)
    translation.activate(i18n.chosen())  # rooms with Django speak the command's language too


def print_json(data: Any) -> None:
    """One JSON value on stdout, nothing else: dataclasses, structs, datetimes and decimals are understood."""
    sys.stdout.write(json.dumps(msgspec.to_builtins(data), ensure_ascii=False, indent=1) + "\n")


def progress(*, quiet: bool = False) -> Progress:
    """The one look of long work; on stderr, so that stdout stays clean."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        disable=quiet,
        transient=False,
    )


@contextmanager
def telling(title: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A bar for work that says by `tell(done, total)` how far it is."""
    with progress(quiet=quiet) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """A table for people."""
    from rich.table import Table

    grid = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(shown(cell) for cell in row))
    out.print(grid)


def here(at: datetime) -> datetime:
    """A moment in the instance's zone."""
    from django.conf import settings

    return at.astimezone(ZoneInfo(settings.TIME_ZONE) if settings.configured else None)


def shown(value: object) -> str:
    """A value as people read it: moments in the instance's zone, by the minute."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{here(value):%Y-%m-%d %H:%M}"
    if isinstance(value, list | tuple):
        return "、".join(shown(item) for item in value)
    if isinstance(value, dict):
        return "，".join(f"{key} {shown(item)}" for key, item in value.items())
    return str(value)


def tell(data: Mapping[str, Any], sentence: str, *, as_json: bool) -> None:
    """What a command did: one sentence for people, or one JSON object."""
    if as_json:
        print_json(dict(data))
    else:
        out.print(sentence, markup=False, highlight=False, soft_wrap=True)


def actor_account(username: str) -> Any:
    """The account that a command acts for; raises AccountError when there is none."""
    from yunwei.accounts.models import Account
    from yunwei.accounts.services import AccountError

    account = Account.objects.select_related("organisation").filter(username=username, is_active=True).first()
    if account is None:
        raise AccountError(_("没有账号“{name}”").format(name=username), hint=_("用 yunwei account list 查看账号"))
    return account


def sign_in(username: str, *, first: bool = False) -> Any:
    """The account that a command acts for, proven by its password (and its one-time code, where it has a second factor):
    from the terminal without echo, or a line of stdin each.

    What a person states or confirms is evidence, so a name alone is not enough; and nobody acts with a password that
    somebody else chose (`first`: but for changing it). Raises AccountError; failures are counted as at the login page.
    """
    from django.conf import settings

    from yunwei.accounts import login, passwords, throttle, totp
    from yunwei.accounts.errors import AccountError
    from yunwei.accounts.policy import policy
    from yunwei.kernel.clock import OffsetClock

    offset = settings.YUNWEI.get("clock", {}).get("offset_s", 0)
    at = OffsetClock(timedelta(seconds=offset)).now()
    answer = login.by_password(username, hidden(_("{name} 的口令：").format(name=username)), address="", now=at)
    if answer.account is not None and totp.has(answer.account):
        code = hidden(_("{name} 的动态口令：").format(name=username))
        answer = login.by_code(answer.account, code, address="", now=at)
    if answer.account is None:
        locked = answer.refused == login.Refused.LOCKED
        hint = _("由安全管理员解锁，或过一会再试") if locked else ""
        raise AccountError(_("账号已被锁定") if locked else _("账号或口令不对"), where=username, hint=hint)
    throttle.clear(username)
    if not first and passwords.must_change(answer.account, policy(), at):
        raise AccountError(_("请先更改口令"), where=username, hint=f"yunwei account password {username}")
    if not first and policy().needs_totp(answer.account.role) and not totp.has(answer.account):
        raise AccountError(_("请先在网页上绑定动态口令"), where=username)
    return answer.account


def hidden(prompt: str) -> str:
    """What must not be seen: from the terminal without echo, or one line of standard input."""
    import getpass

    return getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")


def now() -> Any:
    """The instance's present moment."""
    from yunwei.server import instance

    return instance.clock().now()


def summary(data: Mapping[str, Any], *, as_json: bool) -> None:
    """Key and value lines for people, or one JSON object."""
    if as_json:
        print_json(dict(data))
        return
    for key, value in data.items():
        out.print(Text(key, style="dim") + Text(f"  {shown(value)}"), soft_wrap=True)
