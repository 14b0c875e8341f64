"""What the pages of consents, notices and the roster share: who looks, the form's moments, one way to answer a form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account
from yunwei.duties.errors import DutyError
from yunwei.kernel.errors import YunweiError
from yunwei.ui.context import contract_folder


def who(request: HttpRequest) -> Account:
    """The account that is logged in."""
    if not isinstance(request.user, Account):
        raise PermissionDenied
    return request.user


def moment(text: str) -> datetime:
    """A form's local time, in the contract's zone. Raises DutyError for what is none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise DutyError(_("请填写发生的时间"), where=text[:40]) from None
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(contract_folder().contract.timezone))


def day(text: str) -> date:
    """A form's day. Raises DutyError for what is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise DutyError(_("请填写日期"), where=text[:40]) from None


def local(at: datetime) -> str:
    """A moment as a form's field holds it."""
    return f"{at.astimezone(ZoneInfo(contract_folder().contract.timezone)):%Y-%m-%dT%H:%M}"


def problem_of(act: Callable[[], object]) -> str:
    """Do it; what was wrong with it in words, "" when it was done."""
    try:
        act()
    except YunweiError as error:
        return str(error)
    return ""
