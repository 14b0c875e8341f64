"""Which addresses an instance may look at. The lab answers on loopback, so in a real instance nothing there counts.

The one setting that lifts it is `demo = true`, which marks the instance's ledger and pages 演示. The product's own
positive controls do run on loopback; they are no assets and do not pass here.
"""

from __future__ import annotations

import ipaddress
import re
import socket

from django.conf import settings
from django.utils.translation import gettext as _

from yunwei.assets.errors import AssetError

_HOST = re.compile(r"(?=.{1,64}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})?)*\.?")
#: RFC 5737 and RFC 3849: addresses of documentation, where no device can be
_EXAMPLES = [ipaddress.ip_network(n) for n in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]


def literal(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that a text stands for, None for a host name.

    Also in the forms that resolvers take for one (127.1, 0x7f000001, 2130706433): they must not slip past.
    """
    try:
        found: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        if not re.fullmatch(r"[0-9a-fA-FxX.]{1,32}", address) or not address[:1].isdigit():
            return None
        try:
            found = ipaddress.IPv4Address(socket.inet_aton(address))
        except OSError:
            return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found


def is_demo() -> bool:
    """Whether this instance is marked as a demo."""
    return bool(getattr(settings, "YUNWEI", {}).get("demo", False))


def refusal(protocol: str, address: str, *, demo: bool | None = None) -> str:
    """Why an endpoint may not be looked at, "" if it may. `local` looks at the collector's own machine by design."""
    if protocol == "local":
        return "" if not address else _("本机采集不填地址")
    if not address:
        return _("缺少地址")
    lifted = is_demo() if demo is None else demo
    found = literal(address)
    return _name(protocol, address, demo=lifted) if found is None else _ip(found, demo=lifted)


def _ip(found: ipaddress.IPv4Address | ipaddress.IPv6Address, *, demo: bool) -> str:
    if found.is_multicast or found.is_unspecified or str(found) == "255.255.255.255":
        return _("不是一台设备的地址")
    if any(found in network for network in _EXAMPLES):
        return _("文档示例网段，不会有真实设备")
    return _("环回地址只用于实验设备，正式实例不接受") if found.is_loopback and not demo else ""


def _name(protocol: str, address: str, *, demo: bool) -> str:
    if not _HOST.fullmatch(address):
        return _("不是 IP 地址，也不是主机名")
    if protocol == "snmp":
        return _("SNMP 设备须填 IP 地址")  # one UDP socket serves all devices: answers are matched by address
    local = address.rstrip(".").lower()
    if not demo and (local in {"localhost", "localhost.localdomain", "ip6-localhost"} or local.endswith(".localhost")):
        return _("环回地址只用于实验设备，正式实例不接受")
    return ""


def check(protocol: str, address: str, *, where: str = "", demo: bool | None = None) -> None:
    """Raise AssetError when an endpoint may not be looked at."""
    reason = refusal(protocol, address, demo=demo)
    if reason:
        raise AssetError(reason, where=f"{where} {protocol}://{address}".strip(), hint=_("填设备的管理地址"))
