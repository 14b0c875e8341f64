"""设置: what this instance runs with, to read. It is changed in yunwei.toml by who runs the machine; no secret is shown."""

from __future__ import annotations

import platform
import ssl
from datetime import date, datetime, timedelta
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from yunwei.accounts import oidc
from yunwei.accounts.policy import Policy, policy
from yunwei.duties import sources
from yunwei.kernel.calendar import BUILT_IN, Calendar
from yunwei.kernel.errors import YunweiError
from yunwei.ledger import heads, keys
from yunwei.ledger.models import HeadPush
from yunwei.ui import cells, words
from yunwei.ui.context import now, page

#: days before the calendar runs out from which on it is said
WARN_DAYS = 60
Facts = list[tuple[Any, Any]]


def instance(request: HttpRequest) -> HttpResponse:
    """Policy, channels, calendar, versions, database, key."""
    at = now()
    left, until = _calendar_left(sources.calendar(), timezone.localtime(at).date())
    groups: list[tuple[str, Facts, str]] = [
        (_("口令与登录"), _passwords(policy()), "[accounts]"),
        (_("会话与第二因素"), _sessions(policy()), "[accounts]"),
        (_("工作日历"), _calendar(sources.calendar(), until), "yunwei duty calendar"),
        (_("链头送达"), _heads(at), "[ledger] push"),
        (_("通道"), _channels(), "[web] [traps]"),
        (_("版本与数据库"), _versions(), ""),
    ]
    warning = ""
    if left <= WARN_DAYS:
        warning = _(
            "放假安排只到 {year} 年底，还剩 {n} 天；请在下一年度通知公布后导入，之前的到期日按法定节假日暂定"
        ).format(year=until.year, n=max(0, left))
    title = (
        _("放假安排还剩 {n} 天").format(n=max(0, left))
        if warning
        else _("本实例的设置，只读；由系统管理员在 yunwei.toml 中更改")
    )
    return page(
        request, "accounts/instance.jinja", {"groups": groups, "warning": warning}, here="settings", title=title
    )


def _yes(value: object) -> str:
    return _("是") if value else _("否")


def _passwords(rules: Policy) -> Facts:
    hashers = {"argon2": "Argon2", "sm3": "PBKDF2-HMAC-SM3"}
    return [
        (_("口令散列"), hashers[rules.hasher]),
        (_("最短长度"), _("{n} 个字符").format(n=rules.min_length)),
        (_("字符种类"), _("四类中至少 {n} 类").format(n=rules.classes)),
        (_("不得重复"), _("最近 {n} 次").format(n=rules.history)),
        (_("有效期"), _("{n} 天").format(n=rules.max_age_days) if rules.max_age_days else _("不限")),
        (_("首次登录必须更改"), _yes(rules.change_first)),
        (_("失败锁定"), _("{n} 次失败，锁定 {minutes} 分钟").format(n=rules.failures, minutes=rules.lock_minutes)),
        (_("同一地址"), _("{n} 次失败后逐次加倍等待").format(n=rules.address_failures)),
    ]


def _sessions(rules: Policy) -> Facts:
    provider = oidc.provider()
    idle = _("{n} 分钟；甲方与需求单位 {client} 分钟").format(n=rules.idle_minutes, client=rules.idle_minutes_client)
    needed = words.listed(rules.totp_roles)
    return [
        (_("无操作退出"), idle),
        (_("单次会话最长"), _("{n} 小时").format(n=rules.session_hours)),
        (_("一个账号一个会话"), _yes(rules.one_session)),
        (_("动态口令"), _("必须") if rules.totp == "required" else needed or _("可选")),
        (_("统一认证"), f"{provider.title}（{provider.issuer}）" if provider else _("未启用")),
    ]


def _calendar_left(calendar: Calendar, today: date) -> tuple[int, date]:
    """Days for which the schedule is known from today on, and the last of them; whole years, as they are published."""
    year = today.year - 1
    while calendar.published(year + 1):
        year += 1
    last = date(year, 12, 31)
    return (last - today).days, last


def _calendar(calendar: Calendar, until: date) -> Facts:
    facts: Facts = [
        (_("随软件提供"), f"{BUILT_IN.start}–{BUILT_IN.stop - 1}"),
        (_("已知到"), cells.text(until.isoformat())),
    ]
    return facts + [(str(s.year), s.notice) for s in calendar.imported()]


def _heads(at: datetime) -> Facts:
    facts: Facts = []
    for address in heads.addresses():
        last = HeadPush.objects.filter(address=address, ok=True).order_by("-pk").first()
        late = last is None or at - last.at > heads.HOURLY + timedelta(minutes=1)
        tone, word = ("bad", _("逾期")) if late else ("ok", _("按时"))
        facts.append((_shown(address), cells.state(tone, word) + " " + cells.stamp(last.at if last else None)))
    try:
        print_ = keys.fingerprint()
    except YunweiError as error:
        print_ = error.message
    return [*facts, (_("签名公钥指纹 (SM3)"), cells.name(print_))]


def _shown(address: str) -> str:
    """An address without what may be a password in it."""
    parts = urlsplit(address)
    if parts.username is None and parts.password is None:
        return address
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _channels() -> Facts:
    told = settings.YUNWEI
    web, traps = told.get("web", {}), told.get("traps", {})
    offset = told.get("clock", {}).get("offset_s", 0)
    return [
        (_("网页"), _("只应答：{hosts}").format(hosts=words.listed(settings.ALLOWED_HOSTS))),
        ("HTTPS", _yes(web.get("https", False))),
        (_("SNMP 陷阱"), str(traps.get("listen", "")) or _("未启用")),
        (_("短信与微信"), _("未启用：须先取得甲方的书面同意")),
        (_("时区"), settings.TIME_ZONE),
        (_("时钟偏移"), _("{n} 秒").format(n=offset) if offset else _("无")),
        (_("演示实例"), _yes(told.get("demo", False))),
    ]


def _versions() -> Facts:
    return [
        (_("云维"), version("yunwei")),
        ("Python", platform.python_version()),
        ("Django", version("django")),
        ("OpenSSL", ssl.OPENSSL_VERSION),
        (_("数据库"), _database()),
        (_("操作系统"), platform.platform()),
    ]


def _database() -> str:
    name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}.get(connection.vendor, connection.vendor)
    with connection.cursor() as cursor:
        cursor.execute("SELECT sqlite_version()" if connection.vendor == "sqlite" else "SHOW server_version")
        return f"{name} {cursor.fetchone()[0]}"
