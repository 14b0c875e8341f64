"""核对: anybody with a digest in hand learns whether the ledger holds it, and nothing else. No login.

The file itself never comes here: the browser computes its SM3 (static yw/verify.js) and asks by the digest.
"""

from __future__ import annotations

import ipaddress
import time
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from yunwei.accounts import addresses
from yunwei.ledger import artifacts, lookup
from yunwei.ledger.web.evidence import fingerprint
from yunwei.ledger.web.pace import Pace
from yunwei.ui.context import page

#: questions a minute: a person with a stack of paper needs fewer, and what can be asked cannot be guessed anyway
PACE = Pace(each=20, all=300, seconds=60.0)


def _from(request: HttpRequest) -> str:
    """Who asks, for counting: of IPv6 the /64 that one subscriber has."""
    found = addresses.of(request)
    try:
        ip = ipaddress.ip_address(found)
    except ValueError:
        return found
    return str(int(ip) >> 64) if isinstance(ip, ipaddress.IPv6Address) else found


@require_safe
def verify(request: HttpRequest) -> HttpResponse:
    """The form, and the answer for `?h=`."""
    asked = "".join(request.GET.get("h", "").split()).replace(":", "").lower()[:200]
    context: dict[str, Any] = {"asked": asked, "found": None, "problem": "", "fingerprint": fingerprint()}
    status, title = 200, _("核对一份文件的摘要")
    if asked and not artifacts.is_digest(asked):
        status, context["problem"] = 400, _("摘要是 64 位十六进制数（SM3）")
        title = context["problem"]
    elif asked and not PACE.allow(_from(request), time.monotonic()):
        status, context["problem"] = 429, _("查询过于频繁，请一分钟后再试")
        title = context["problem"]
    elif asked:
        context["found"] = found = lookup.find(asked)
        context["answered"] = True
        title = _say(found)
    response = page(request, "ledger/verify.jinja", {"answered": False, **context}, title=title)
    response.status_code = status
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"  # the digest stands in the address
    if status == 429:
        response["Retry-After"] = "60"
    return response


def _say(found: lookup.Found | None) -> str:
    if found is None:
        return _("台账里查不到这个摘要")
    if found.holds is False:
        return _("台账里有这个摘要，但本机核验不成立")
    if found.what is lookup.What.HEAD:
        return _("这是第 {n} 号签名头").format(n=found.head)
    if found.seq is None:
        return _("台账已登记这个摘要，等待编号")
    at = f"{timezone.localtime(found.at):%Y-%m-%d %H:%M}" if found.at else "—"
    return _("台账第 {n} 号记录含有这个摘要，登记于 {at}").format(n=found.seq, at=at)
