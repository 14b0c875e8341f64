"""The farm's switch: faults that come and go while it runs, told over a loopback socket with a token.

One JSON object a line: `{"token", "do": "set" | "clear" | "status", "address", "fault", "protocol"?}`, `{"token", "do":
"clock", "ahead_s"}` or `{"token", "do": "sessions"}` (how many each BMC holds), answered by one line `{"ok": true, ...}`
or `{"ok": false, "error": ...}`.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from typing import TYPE_CHECKING, Any

from yunwei.kernel.i18n import _
from yunwei.lab.errors import LabError
from yunwei.lab.process import LINE_LIMIT

if TYPE_CHECKING:
    from yunwei.lab.farm import Farm


class Switch:
    """The listening side, inside the farm."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._server: asyncio.Server | None = None
        self.token = secrets.token_urlsafe(18)
        self.port = 0

    async def start(self, port: int) -> None:
        """Listen on 127.0.0.1."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=LINE_LIMIT)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readline(), 10)
            writer.write(json.dumps(self._do(line), ensure_ascii=False).encode() + b"\n")
            await writer.drain()
        except (TimeoutError, OSError, ValueError):
            pass
        finally:
            writer.close()

    def _do(self, line: bytes) -> dict[str, Any]:
        try:
            asked = json.loads(line)
            if not hmac.compare_digest(str(asked["token"]), self.token):
                return {"ok": False, "error": _("口令不对")}
            address, protocol = str(asked.get("address", "")), str(asked.get("protocol", ""))
            if asked["do"] in {"set", "clear"}:
                on = asked["do"] == "set"
                self._farm.set_fault(address, str(asked["fault"]), on=on, protocol=protocol)
            if asked["do"] == "clock":
                self._farm.set_clock(float(asked["ahead_s"]))
            if asked["do"] == "sessions":
                return {"ok": True, "sessions": self._farm.sessions()}
            return {"ok": True, "devices": self._status(address)}
        except LabError as error:
            return {"ok": False, "error": str(error)}
        except (ValueError, KeyError, TypeError):
            return {"ok": False, "error": _("指令读不懂")}

    def _status(self, address: str) -> list[dict[str, Any]]:
        devices = self._farm.spec.devices
        return [
            {
                "address": device.address,
                "protocol": device.protocol,
                "faults": sorted(self._farm.faults(device.protocol, device.address)),
            }
            for device in devices
            if (device.address == address if address else self._farm.faults(device.protocol, device.address))
        ]
