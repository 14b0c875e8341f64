"""In and out: password, second factor, OpenID provider, logging out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from yunwei.accounts import addresses, oidc, sessions, totp, wall
from yunwei.accounts import login as door
from yunwei.accounts.errors import AccountError
from yunwei.accounts.models import Account, Ended
from yunwei.accounts.policy import policy
from yunwei.accounts.web import gate
from yunwei.ui.context import contract_names, now
from yunwei.ui.pages import home_of

#: seconds between a right password and the code
CODE_S = 300
#: what the session keeps between two steps
PENDING, OIDC = "login_pending", "login_oidc"


def inside(request: HttpRequest, target: str) -> str:
    """The page to go to afterwards; an address outside of this site is not followed ("" is the account's first page)."""
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if safe else ""


def _render(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    frame = {"language": translation.get_language(), "sentence": ""}
    return render(request, template, frame | contract_names() | context, status=status)


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    """Ask for name and password; wrong ones say the same whatever was wrong."""
    target = inside(request, request.POST.get("next") or request.GET.get("next") or "")
    context: dict[str, Any] = {"next": target, "username": "", "problem": "", "told": _why(request)}
    status = 200
    if request.method == "POST":
        name = request.POST.get("username", "").strip()
        answer = door.by_password(
            name, request.POST.get("password", ""), address=addresses.of(request), now=now()
        )  # fmt: skip
        if answer.account is not None:
            return _go_on(request, answer.account, how="password", before=answer.failed_before, target=target)
        context |= {"problem": told(answer), "username": name, "told": ""}
        status = 429 if answer.refused == door.Refused.SLOWED else 403
    provider = oidc.provider()
    context |= {"oidc": provider.title if provider else "", "oidc_query": urlencode({"next": target} if target else {})}
    return _render(request, "login.jinja", context, status)


def _why(request: HttpRequest) -> str:
    """Why this browser's session ended, for who comes back to the login page. It is told until somebody logs in (or a few
    minutes pass): a page that follows live may have fetched this one before its reader sees it."""
    rules = policy()
    return {
        Ended.REPLACED.value: _(
            "同一账号在别处登录，这里的会话已结束。如果不是您本人，请立即更改口令并告知安全管理员。"
        ),
        Ended.IDLE.value: _("长时间没有操作，会话已按安全策略结束。"),
        Ended.TERM.value: _("会话已满 {n} 小时，请重新登录。").format(n=rules.session_hours),
        Ended.CLOSED.value: _("会话已由安全管理员的操作结束，请重新登录。"),
        Ended.PASSWORD.value: _("口令已更改，请用新口令登录。"),
        Ended.ELSEWHERE.value: _("这个会话已由本人在别处结束。"),
    }.get(request.COOKIES.get(gate.WHY, ""), "")


def told(answer: door.Answer) -> str:
    """What a refused person reads; it depends on what was typed, never on whether anybody has that name."""
    rules = policy()
    if answer.refused == door.Refused.LOCKED:
        return _("连续 {n} 次失败，这个账号名已锁定，{minutes} 分钟后再试，或请安全管理员解锁").format(
            n=rules.failures, minutes=_minutes(answer.until)
        )
    if answer.refused == door.Refused.SLOWED:
        return _("这个地址失败次数过多，请在 {seconds} 秒后再试").format(seconds=_seconds(answer.until))
    return _("账号或口令不对；连续 {n} 次失败将锁定 {minutes} 分钟").format(
        n=rules.failures, minutes=rules.lock_minutes
    )


def _seconds(until: datetime | None) -> int:
    return max(1, round((until - wall.now()).total_seconds())) if until else 1


def _minutes(until: datetime | None) -> int:
    return -(-_seconds(until) // 60)


def _go_on(request: HttpRequest, account: Account, *, how: str, before: int, target: str) -> HttpResponse:
    """After the first factor: the second one where the account has it, else in."""
    if not totp.has(account):
        return _enter(request, account, how=how, second="", before=before, target=target)
    request.session.flush()  # whatever this browser was before, it is somebody half known now, under a new key
    request.session[PENDING] = {
        "account": account.pk, "how": how, "before": before, "next": target, "at": wall.now().timestamp(),
    }  # fmt: skip
    return redirect("login-code")


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    """Ask for the one-time code of who gave the right password a moment ago."""
    pending = request.session.get(PENDING)
    if not pending or wall.now().timestamp() - pending["at"] > CODE_S:
        request.session.pop(PENDING, None)
        return redirect("login")
    account = Account.objects.select_related("organisation").filter(pk=pending["account"]).first()
    if account is None:
        return redirect("login")
    if request.method != "POST":
        return _render(request, "login_code.jinja", {"problem": ""})
    answer = door.by_code(account, request.POST.get("code", ""), address=addresses.of(request), now=now())
    if answer.account is not None:
        return _enter(
            request, answer.account, how=pending["how"], second=answer.second, before=pending["before"],
            target=pending["next"],
        )  # fmt: skip
    problem = told(answer)
    if answer.refused == door.Refused.WRONG:
        problem = _("动态口令不对，或已经用过；请等下一个 6 位数字")
    return _render(request, "login_code.jinja", {"problem": problem}, 403)


def _enter(
    request: HttpRequest, account: Account, *, how: str, second: str, before: int, target: str
) -> HttpResponse:  # fmt: skip
    """In: a new session under a new key, the account's other sessions ended, a record of it."""
    request.session.flush()
    login(request, account, backend="yunwei.accounts.backend.AccountBackend")
    key = request.session.session_key or ""
    door.entered(account, how=how, second=second, failed_before=before, key=key, now=now())
    response = redirect(target or home(account))
    response.delete_cookie(gate.WHY, samesite="Lax")
    return response


def home(account: Account) -> str:
    """The address of the page that answers this account's day."""
    name = home_of(account)
    return "/" if name == "today" else reverse(name)


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    if isinstance(request.user, Account):
        sessions.end(request.session.session_key or "", Ended.LOGOUT, now=now(), actor=request.user.username)
    logout(request)
    return redirect("login")


@never_cache
@require_GET
def oidc_start(request: HttpRequest) -> HttpResponse:
    """Off to the OpenID provider, with a state, a nonce and a PKCE verifier that only this browser's session knows."""
    provider = oidc.provider()
    if provider is None:
        return redirect("login")
    try:
        url, kept = oidc.start(provider, request.build_absolute_uri(reverse("login-oidc-back")))
    except AccountError as error:
        return _oidc_refused(request, error)
    request.session[OIDC] = {**kept, "next": inside(request, request.GET.get("next", ""))}
    return redirect(url)


@never_cache
@require_GET
def oidc_back(request: HttpRequest) -> HttpResponse:
    """Back from the provider: an account of that name must be here already, and awake; nothing is made or changed."""
    provider, kept = oidc.provider(), request.session.pop(OIDC, None)
    if provider is None or kept is None:
        return redirect("login")
    back = request.build_absolute_uri(reverse("login-oidc-back"))
    try:
        name = oidc.finish(provider, kept, back, request.GET.dict())
    except AccountError as error:
        return _oidc_refused(request, error)
    account = Account.objects.select_related("organisation").filter(username=name, is_active=True).first()
    if account is None:
        return _oidc_refused(request, AccountError(_("统一认证通过，但这里没有对应的、已启用的账号"), where=name))
    return _go_on(request, account, how="oidc", before=0, target=kept["next"])


def _oidc_refused(request: HttpRequest, error: AccountError) -> HttpResponse:
    provider = oidc.provider()
    context = {
        "next": "", "username": "", "told": "", "problem": f"{error.message}" + (f"（{error.hint}）" if error.hint else ""),
        "oidc": provider.title if provider else "", "oidc_query": "",
    }  # fmt: skip
    return _render(request, "login.jinja", context, 403)


def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 - Django's call
    """A form without the right token: an old page, or another site trying. Nothing was done."""
    return _render(request, "login_stale.jinja", {"inside": isinstance(request.user, Account)}, 403)
