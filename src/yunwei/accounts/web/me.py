"""本人: one's own password, second factor and sessions, and who looked at records that one stands in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST
from markupsafe import Markup

from yunwei.accounts import addresses, passwords, sessions, throttle, totp, wall
from yunwei.accounts import login as door
from yunwei.accounts.errors import AccountError
from yunwei.accounts.models import Account, SecondFactor, Sitting
from yunwei.accounts.policy import Policy, policy
from yunwei.accounts.web.entry import home, told
from yunwei.accounts.web.people import who
from yunwei.ledger import reading
from yunwei.ledger.models import Intake
from yunwei.ui import cells, words
from yunwei.ui.context import now, page

SITTINGS, LOOKS = 10, 30


@never_cache
def me(request: HttpRequest) -> HttpResponse:
    """Everything about oneself that the platform knows and does."""
    account, rules = who(request), policy()
    looks, more = _looks(account, request.GET.get("before", ""))
    second = SecondFactor.objects.filter(account=account, confirmed_at__isnull=False).first()
    context = {
        "facts": _facts(account, rules), "rules": rules, "second": second, "needs": rules.needs_totp(account.role),
        "sittings": _sittings(account, request.session.session_key or ""), "looks": looks, "more": more,
    }  # fmt: skip
    since = now() - timedelta(days=30)
    seen = reading.looks_at(account.username).filter(at__gte=since).count()
    title = (
        _("近 30 天，与您有关的记录被查看或导出 {n} 次").format(n=seen)
        if seen
        else _("近 30 天，没有人查看或导出与您有关的记录")
    )
    return page(request, "accounts/me.jinja", context, here="me", title=title)


def _facts(account: Account, rules: Policy) -> list[tuple[Any, Any]]:
    age = _("没有记录")
    if account.password_changed_at is not None:
        days = max(0, (now() - account.password_changed_at).days)
        age = _("{n} 天前设定").format(n=days) if days else _("今天设定")
        if rules.max_age_days:
            age += _("，{n} 天后到期").format(n=max(0, rules.max_age_days - days))
    return [
        (_("账号"), Markup('<span translate="no">{}</span>').format(account.username)),
        (_("姓名"), cells.name(account.display_name)),
        (_("角色"), account.get_role_display()),
        (
            _("单位"),
            _("{name}（{party}）").format(
                name=account.organisation.name, party=account.organisation.get_party_display()
            ),
        ),
        (_("口令"), age),
    ]


def _sittings(account: Account, here: str) -> list[dict[str, Any]]:
    """The newest sessions; their times are the machine's, shown as the instance's clock had them."""
    shift = now() - wall.now()
    rows = Sitting.objects.filter(account=account).order_by("-started_at", "-pk")[:SITTINGS]
    return [
        {
            "id": row.pk, "here": row.key == here and not row.ended, "open": not row.ended,
            "started": row.started_at + shift, "seen": row.seen_at + shift,
            "ended": row.ended_at + shift if row.ended_at else None,
            "why": row.get_ended_display(), "address": row.address or "", "agent": _browser(row.agent),
        }
        for row in rows
    ]  # fmt: skip


def _browser(agent: str) -> str:
    """The browser's name, as far as its own words go."""
    for mark, name in (("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")):
        if mark in agent:
            return name
    return agent[:30]


def _looks(account: Account, before: str) -> tuple[list[dict[str, Any]], str]:
    """Who read or exported what one stands in, newest first, and where the next page begins."""
    rows = reading.looks_at(account.username)
    if before.isdecimal() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    found = list(rows.select_related("entry")[: LOOKS + 1])
    names = dict(
        Account.objects.filter(username__in={r.actor for r in found}).values_list("username", "display_name")
    )  # fmt: skip
    return [_look(row, names) for row in found[:LOOKS]], str(found[LOOKS - 1].pk) if len(found) > LOOKS else ""


def _look(row: Intake, names: dict[str, str]) -> dict[str, Any]:
    data = reading.told(row)
    first, last = data.get("first"), data.get("last")
    what = (
        _("№ {first} 至 № {last}").format(first=first, last=last)
        if first
        else _("一份 {n} 条的清单").format(n=data["rows"])
        if data.get("rows")
        else ""
    )
    return {
        "at": row.at, "actor": row.actor, "name": names.get(row.actor, ""), "kind": words.event(row.kind),
        "what": what, "record": data.get("seq") or None, "seq": getattr(getattr(row, "entry", None), "seq", None),
    }  # fmt: skip


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    """Change the own password; the old one is asked for, so that an open browser is not enough."""
    account, rules = who(request), policy()
    problem = ""
    if request.method == "POST":
        try:
            _change(request, account)
        except AccountError as error:
            problem = error.message
        else:
            return redirect(home(account))
    forced = passwords.must_change(account, rules, now())
    why = ""
    if forced:
        why = _("这是别人为您设定的口令，请先改成自己的") if account.must_change else _("口令已满 {n} 天，请先更改").format(n=rules.max_age_days)  # fmt: skip
    context = {"problem": problem, "demands": passwords.demands(rules), "forced": forced}
    response = page(request, "accounts/password.jinja", context, here="me", title=why or _("更改口令"))
    response.status_code = 400 if problem else 200
    return response


def _change(request: HttpRequest, account: Account) -> None:
    """Raises AccountError; wrong old passwords are counted like logins."""
    old, new = request.POST.get("old", ""), request.POST.get("new", "")
    answer = door.by_password(account.username, old, address=addresses.of(request), now=now())
    if answer.account is None:
        raise AccountError(_("现口令不对") if answer.refused == door.Refused.WRONG else told(answer))
    if new != request.POST.get("again", ""):
        raise AccountError(_("两次输入的新口令不同"))
    key = request.session.session_key or ""
    passwords.change(account, new, now=now(), keep=key)
    throttle.clear(account.username)
    update_session_auth_hash(request, account)
    sessions.renamed(key, request.session.session_key or "")


@never_cache
@require_http_methods(["GET", "POST"])
def second(request: HttpRequest) -> HttpResponse:
    """Set up the second factor: the QR code, then the first code; the recovery codes are shown on that answer once."""
    account, rules = who(request), policy()
    if totp.has(account):
        return redirect("me")
    context: dict[str, Any] = {"problem": "", "codes": [], "forced": rules.needs_totp(account.role)}
    if request.method == "POST":
        try:
            context["codes"] = totp.confirm(account, request.POST.get("code", ""), wall=wall.now(), now=now())
        except AccountError as error:
            context["problem"] = f"{error.message}" + (f"，{error.hint}" if error.hint else "")
    if not context["codes"]:
        seed = totp.propose(account)
        context |= {
            "seed": " ".join(seed[i : i + 4] for i in range(0, len(seed), 4)),
            "qr": Markup(totp.picture(account, seed)),  # noqa: S704 - our own drawing of our own text
        }
    title = _("动态口令已绑定，请保存恢复码") if context["codes"] else _("用手机验证器扫码，再输入 6 位数字")
    response = page(request, "accounts/totp.jinja", context, here="me", title=title)
    response.status_code = 400 if context["problem"] else 200
    return response


@never_cache
@require_POST
def codes(request: HttpRequest) -> HttpResponse:
    """New recovery codes, or the end of the second factor; both only with a code of it."""
    account, rules = who(request), policy()
    answer = door.by_code(account, request.POST.get("code", ""), address=addresses.of(request), now=now())
    if answer.account is None:
        return _refused(request, _("动态口令不对，或已经用过；请等下一个 6 位数字"))
    throttle.clear(account.username)
    if "remove" in request.POST:
        if rules.needs_totp(account.role):
            return _refused(request, _("您的角色必须使用动态口令"))
        totp.remove(account, by=account.username, now=now())
        return redirect("me")
    context = {"problem": "", "codes": totp.renew_codes(account, now=now()), "forced": False}
    return page(request, "accounts/totp.jinja", context, here="me", title=_("新的恢复码，旧的全部作废"))


def _refused(request: HttpRequest, sentence: str) -> HttpResponse:
    hint = _("没有改动任何内容。")
    response = page(request, "told.jinja", {"status": 403, "hint": hint}, here="me", title=sentence)
    response.status_code = 403
    return response


@require_POST
def end_session(request: HttpRequest) -> HttpResponse:
    """End one of one's own sessions elsewhere."""
    chosen = request.POST.get("session", "")
    if chosen.isdecimal() and len(chosen) < 19:
        sessions.end_own(who(request), int(chosen), now=now())
    return redirect("me")
