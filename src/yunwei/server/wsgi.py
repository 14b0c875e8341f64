"""The WSGI application of one instance."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.utils.http import parse_header_parameters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yunwei.server.settings")
_pages = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Our pages, asked in UTF-8 or not at all. Django decodes a request by the character set that it says it is in, before
    anything of ours runs: one that is none ("hex") would be an error without an answer."""
    if _readable(str(environ.get("CONTENT_TYPE", ""))):
        return _pages(environ, start_response)
    start_response("400 Bad Request", [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")])
    return [b"400 Bad Request\n"]


def _readable(kind: str) -> bool:
    try:
        return parse_header_parameters(kind)[1].get("charset", "utf-8").lower() in ("utf-8", "utf8")
    except (LookupError, ValueError):  # a parameter in a character set of its own (RFC 2231)
        return False
