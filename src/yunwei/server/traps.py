"""The trap process: listens where `[traps] listen` of yunwei.toml says, and hands over what it hears."""

from __future__ import annotations

import hashlib
import logging
import selectors
import socket
import time

from yunwei.kernel.i18n import _
from yunwei.server import instance
from yunwei.server.worker import Stop

log = logging.getLogger(__name__)
#: seconds after which new credentials are read
RENEW_S = 60.0


def address(text: str) -> tuple[str, int]:
    """`host:port` as a pair. Raises InstanceError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit():
        raise instance.InstanceError(_("监听地址应为 地址:端口"), where=f"[traps] listen = {text}")
    return host, int(port)


def listen(stop: Stop, *, ready: socket.socket | None = None) -> None:
    """Receive until told to stop. `ready` is a bound socket that a test hands in; otherwise the setting is bound."""
    from django.db import connections

    from yunwei.inspect import notices
    from yunwei.snmp.errors import SnmpError

    clock = instance.clock()
    sock = ready or _bound(str(instance.settings()["traps"]["listen"]))
    engine_id = b"\x80\x00\x1f\x88\x05" + hashlib.sha256(str(instance.folder()).encode()).digest()[:12]
    started, renewed = time.monotonic(), time.monotonic()
    receiver = notices.receiver(engine_id, int(time.time()) & 0x7FFFFFFF)
    with selectors.DefaultSelector() as selector, sock:
        selector.register(sock, selectors.EVENT_READ)
        while not stop.wait(0):
            if time.monotonic() - renewed > RENEW_S:
                fresh = notices.receiver(engine_id, receiver.boots)
                receiver.communities, receiver.users, renewed = fresh.communities, fresh.users, time.monotonic()
            if not selector.select(timeout=0.5):
                continue
            datagram, sender = sock.recvfrom(65535)
            try:
                note, back = receiver.take(datagram, int(time.monotonic() - started))
                if back is not None:
                    sock.sendto(back, sender)
                if note is not None:
                    notices.heard(note, sender[0], terms(), now=clock.now())
            except SnmpError as error:
                log.warning("no notification from %s: %s", sender[0], error.message)
            except Exception:
                log.exception("a notification of %s was lost", sender[0])
            finally:
                connections.close_all()


def _bound(text: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(address(text))
    return sock


def terms() -> dict[str, object]:
    """The limits of the approved plan, as a look is given them."""
    import msgspec

    from yunwei.contract import plans

    approved = plans.plan_at(instance.clock().now())
    limits = approved.plan.limits if approved else []
    return {"limits": [{k: v for k, v in msgspec.to_builtins(limit).items() if v is not None} for limit in limits]}


if __name__ == "__main__":
    import signal

    instance.setup()
    stopping = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stopping)
    listen(stopping)
