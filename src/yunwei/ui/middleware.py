"""What holds for every request: a strict content policy, nothing kept by the way, nothing that cannot be read, and nobody
gets in without a login."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import Resolver404, resolve
from django.utils import translation
from django.utils.http import urlencode

View = TypeVar("View", bound=Callable[..., HttpResponse])
Handler = Callable[[HttpRequest], HttpResponse]

#: where the API lies
API = "/api/v1/"
#: no inline script or style, no eval, nothing from another origin, no frame around us
POLICY = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"


class ContentSecurityPolicy:
    """Sends the policy with every answer."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._handler(request)
        response["Content-Security-Policy"] = POLICY
        return response


class NotKept:
    """What a page shows stays with who was shown it: no proxy and no browser keeps it (a machine that several people use,
    the way back after logging out; GB/T 22239 8.1.4.9 剩余信息保护) unless the view says otherwise."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._handler(request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class Readable:
    """Refuses what no view could read: a form in a character set that is none, and a text with a NUL, which PostgreSQL
    cannot hold. The API says of each of its own parameters what it may hold (ui/api.py)."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(API):
            try:
                posted = request.POST.lists() if request.method == "POST" else ()
            except LookupError as error:  # a part of a form in a character set that is none
                raise BadRequest from error
            texts = [request.path_info, *(t for key, values in (*request.GET.lists(), *posted) for t in (key, *values))]
            if any("\x00" in text for text in texts):
                raise BadRequest("NUL")
        return self._handler(request)


class ChosenLanguage:
    """Chinese first: another language only for who chose it, whatever the browser prefers."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def __call__(self, request: HttpRequest) -> HttpResponse:
        chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
        language = chosen if chosen in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
        with translation.override(language):
            request.LANGUAGE_CODE = language
            response = self._handler(request)
        response["Content-Language"] = language
        return response


class LoginRequired:
    """Denied by default: a view is open only when it says so itself (`@open_to_all`)."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated and not _is_open(request):
            if request.headers.get("HX-Request"):  # a fragment: the whole page goes to the login, and back to itself
                return HttpResponse(status=401, headers={"HX-Refresh": "true"})
            return redirect(f"/login?{urlencode({'next': request.get_full_path()})}")
        return self._handler(request)


def _is_open(request: HttpRequest) -> bool:
    try:
        found = resolve(request.path_info)
    except Resolver404:
        return False
    # the API asks for a token itself, at every operation, and answers 401 as problem+json, not with a login page
    return "api" in found.namespaces or bool(getattr(found.func, "open_to_all", False))


def open_to_all(view: View) -> View:
    """Mark a view that needs no login."""
    view.open_to_all = True  # type: ignore[attr-defined]
    return view
