"""What the client decides on an asset's page: whose identity it is, and that a part is another one. The services decide."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from yunwei.accounts.models import Account
from yunwei.assets import identity
from yunwei.assets.models import IdentityPin
from yunwei.assets.web import asset as one
from yunwei.inspect import parts
from yunwei.inspect.models import PartRow
from yunwei.kernel.errors import YunweiError
from yunwei.ui.context import now as now_of_instance


def _account(request: HttpRequest) -> Account:
    if not isinstance(request.user, Account):
        raise Http404
    return request.user


@require_POST
def identify(request: HttpRequest, pin_id: int) -> HttpResponse:
    """甲方 says whether the device that answers is theirs."""
    pin = get_object_or_404(IdentityPin.objects.select_related("endpoint__asset"), pk=pin_id)
    decide = {"confirm": identity.confirm, "refuse": identity.refuse}.get(request.POST.get("answer", ""))
    if decide is None:
        raise Http404
    now, found = now_of_instance(), one.find(pin.endpoint.asset.code)
    try:
        decide(pin, by=_account(request), now=now)
    except YunweiError as error:
        return one.shown(request, found, now, str(error))
    return redirect("asset", found.code)


@require_POST
def accept(request: HttpRequest, part_id: int) -> HttpResponse:
    """甲方 accepts that a part is another one, has other firmware, or is gone."""
    row = get_object_or_404(PartRow.objects.select_related("asset"), pk=part_id)
    now, found = now_of_instance(), one.find(row.asset.code)
    reason = request.POST.get("reason", "").strip()[:300]
    try:
        parts.accept(row, by=_account(request), now=now, reason=reason)
    except YunweiError as error:
        return one.shown(request, found, now, str(error))
    return redirect("asset", found.code)
