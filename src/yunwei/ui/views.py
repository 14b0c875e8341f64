"""Login, logout, language: the frame's own views."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from yunwei.accounts.models import Account
from yunwei.ui.context import contract_names
from yunwei.ui.middleware import open_to_all

#: 等保三级 8.1.4.1: limit failed logins; our default until the site sets its own
MAX_FAILED, LOCK_FOR = 5, timedelta(minutes=15)


def _inside(request: HttpRequest, target: str) -> str:
    """The page to go to after login; an address outside of this site is not followed."""
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if safe else "/"


@open_to_all
@require_http_methods(["GET", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    """Ask for name and password; wrong ones say the same whatever was wrong."""
    target = _inside(request, request.POST.get("next") or request.GET.get("next") or "/")
    context: dict[str, Any] = {"next": target, "problem": "", "username": "", "language": translation.get_language()}
    if request.method == "POST":
        name = request.POST.get("username", "").strip()
        if _try(request, name, request.POST.get("password", "")):
            return redirect(target)
        context |= {"problem": _("账号或口令不对，或账号已被锁定"), "username": name}
    return render(request, "login.jinja", context | contract_names(), status=403 if context["problem"] else 200)


def _try(request: HttpRequest, name: str, password: str) -> bool:
    """Log in unless the account is locked; count failures, lock at the fifth. Session time is wall time (law 3's list)."""
    known = Account.objects.filter(username=name).first()
    if known and known.locked_until and known.locked_until > timezone.now():
        return False
    account = authenticate(request, username=name, password=password)
    if account is None:
        if known:
            known.failed_logins += 1
            if known.failed_logins >= MAX_FAILED:
                known.failed_logins, known.locked_until = 0, timezone.now() + LOCK_FOR
            known.save(update_fields=["failed_logins", "locked_until"])
        return False
    login(request, account)
    Account.objects.filter(pk=account.pk).update(failed_logins=0, locked_until=None)
    return True


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return redirect("/login")


@open_to_all
@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Switch between Chinese and English for this browser."""
    wanted = request.POST.get("language", "zh-hans")
    response = redirect(_inside(request, request.META.get("HTTP_REFERER", "/")))
    if wanted in dict(settings.LANGUAGES):
        response.set_cookie(settings.LANGUAGE_COOKIE_NAME, wanted, samesite="Lax", httponly=True)
    return response
