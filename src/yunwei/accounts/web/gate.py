"""What the policy asks of every request of somebody who is logged in: the session is not over, the password is the owner's
own, the second factor is there where it must be. Nothing else opens before that."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve, reverse

from yunwei.accounts import passwords, sessions, totp, wall
from yunwei.accounts.models import Account
from yunwei.accounts.policy import policy
from yunwei.ui.context import now
from yunwei.ui.live import FOLLOWS

Handler = Callable[[HttpRequest], HttpResponse]
#: tells the login page why the session of this browser ended
WHY = "yw_ended"
#: what is open to who still has to choose a password or to set up the second factor
_ALWAYS = frozenset({"logout", "language", "me-password", "me-totp", "me-totp-codes"})


class Sessions:
    """Ends sessions that are over and holds back accounts that have something to do first."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def __call__(self, request: HttpRequest) -> HttpResponse:
        key = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
        account = request.user
        if isinstance(account, Account):
            at, rules = wall.now(), policy()
            why = sessions.overdue(request.session, account, rules, at)
            if why is not None:
                sessions.end(request.session.session_key or "", why, now=now())
                logout(request)
            else:
                if not _by_itself(request):
                    sessions.touch(request.session, at)
                first = _first(request, account)
                if first:
                    return first
        response = self._handler(request)
        if key and not request.user.is_authenticated and response.status_code in (302, 401):
            _tell(response, key)
        return response


def _by_itself(request: HttpRequest) -> bool:
    """A page that fetches its own fragments again, and the stream of events, are nobody doing something."""
    return FOLLOWS in request.headers or request.path == reverse("events")


def _first(request: HttpRequest, account: Account) -> HttpResponse | None:
    """The page that the account has to pass first, if there is one."""
    rules = policy()
    if passwords.must_change(account, rules, now()):
        where = "me-password"
    elif rules.needs_totp(account.role) and not totp.has(account):
        where = "me-totp"
    else:
        return None
    try:
        if resolve(request.path_info).url_name in _ALWAYS:
            return None
    except Resolver404:
        pass
    target = reverse(where)
    if request.headers.get("HX-Request"):
        return HttpResponse(status=403, headers={"HX-Redirect": target})
    return HttpResponse(status=302, headers={"Location": target})


def _tell(response: HttpResponse, key: str) -> None:
    why = sessions.why_ended(key)
    if why:
        response.set_cookie(
            WHY, why, max_age=300, httponly=True, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE
        )  # fmt: skip
