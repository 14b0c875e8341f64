"""The address that a request came from: the peer's, or what a proxy that the policy names says of it."""

from __future__ import annotations

import ipaddress

from django.http import HttpRequest

from yunwei.accounts.policy import policy


def of(request: HttpRequest) -> str:
    """The address, "" when the request came over no network.

    Only the last entry of X-Forwarded-For counts: the proxy wrote it, the entries before it are the sender's own words.
    """
    peer = str(request.META.get("REMOTE_ADDR", ""))
    if peer in policy().proxies:
        peer = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip() or peer
    try:
        return str(ipaddress.ip_address(peer))
    except ValueError:
        return ""
