"""The frame's own view: the language of this browser."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from yunwei.ui.middleware import open_to_all


@open_to_all
@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Switch between Chinese and English for this browser, and go back to where it was."""
    wanted, target = request.POST.get("language", "zh-hans"), request.META.get("HTTP_REFERER", "/")
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    response = redirect(target if safe else "/")
    if wanted in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, wanted, samesite="Lax", httponly=True, secure=settings.LANGUAGE_COOKIE_SECURE
        )
    return response
