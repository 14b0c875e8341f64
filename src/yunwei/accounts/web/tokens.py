"""One's own tokens: made with a scope and an end, shown once, revoked."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from yunwei.accounts import tokens
from yunwei.accounts.models import Account, Token
from yunwei.accounts.tokens import Scope, TokenError
from yunwei.ui.context import now, page

SCOPES = {
    Scope.READ: gettext_lazy("读取：本角色能看的，不含证据"),
    Scope.EVIDENCE: gettext_lazy("证据：读取与导出记录（会留下记录）"),
    Scope.TICKETS: gettext_lazy("工单：新建、补充、办理"),
}
TERMS = (7, 30, 90, 365)


@never_cache
@require_http_methods(["GET", "POST"])
def mine(request: HttpRequest) -> HttpResponse:
    """The list, and the form for a new one; a new secret is shown on the answer to the form and never again."""
    account = request.user
    if not isinstance(account, Account):
        raise PermissionDenied
    context: dict[str, Any] = {"problem": "", "secret": ""}
    if request.method == "POST":
        try:
            if "revoke" in request.POST:
                tokens.revoke(account, _number(request.POST["revoke"]), now=now())
                return redirect("tokens")
            days = _number(request.POST.get("days", ""))
            _token, secret = tokens.make(
                account, request.POST.get("name", ""), request.POST.getlist("scope"), days, now=now()
            )
            context["secret"] = secret
        except TokenError as error:
            context["problem"] = str(error)
    at = now()
    rows = list(Token.objects.filter(account=account).order_by("-made_at", "-id")[:100])
    live = [t for t in rows if t.revoked_at is None and t.expires_at > at]
    title = _("{n} 个令牌有效").format(n=len(live)) if live else _("没有有效的令牌")
    context |= {"rows": rows, "live": {t.pk for t in live}, "scopes": SCOPES, "terms": TERMS}
    response = page(request, "accounts/tokens.jinja", context, here="me", title=title)
    response.status_code = 400 if context["problem"] else 200
    return response


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise TokenError(_("请选择有效期")) from None
