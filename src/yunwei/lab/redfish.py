"""The Redfish side of the farm: what a BMC answers to one request (DSP0266), without any socket.

`Bmc` is one device: its tree, accounts, sessions and faults. `respond` takes a request and gives status, headers and
body; the HTTP around it is in `http.py`.
"""

from __future__ import annotations

import base64
import math
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import orjson

from yunwei.lab.overlay import SESSION_LIMIT
from yunwei.lab.spec import DeviceSpec, derive
from yunwei.lab.tree import Personal, Tree, clean, jitter, set_clock

SESSIONS = "/redfish/v1/SessionService/Sessions"
PUBLIC = frozenset({"/redfish", "/redfish/v1", "/redfish/v1/odata", "/redfish/v1/$metadata"})  # DSP0266 §13.3.1
NORMAL_LIMIT = 64
PAGE = 5  # members per page of an endless collection
LEVELS = re.compile(r"^([.*~])(?:\(\$levels=([0-9]{1,4})\))?$")


@dataclass(frozen=True)
class Request:
    """One HTTP request; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """One HTTP response. `conduct` is empty or "garbage", "half", "endless_body": how the bytes leave."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    conduct: str = ""


@dataclass
class Bmc:
    """One emulated BMC. `now` is given with each request; `frozen_at` is when its values stopped, if they did."""

    spec: DeviceSpec
    tree: Tree
    seed: str
    jitter: bool
    faults: frozenset[str] = frozenset()
    frozen_at: float | None = None
    sessions: dict[str, str] = field(default_factory=dict)  # id → token
    served: int = 0

    @property
    def generation(self) -> int:
        """Which identity it shows: 1 after `identity_changed`."""
        return int("identity_changed" in self.faults)

    # --- one request

    def respond(self, request: Request, now: float) -> Response:
        """The answer of the device in its present state."""
        self.served += 1
        path = clean(request.target)
        conduct = next((fault for fault in ("garbage", "half", "endless_body") if fault in self.faults), "")
        response = self._route(request, path, now)
        if "wrong_encoding" in self.faults:
            response = Response(response.status, _wrong_encoding(response.body), response.headers)
        return Response(response.status, response.body, response.headers, conduct) if conduct else response

    def _route(self, request: Request, path: str, now: float) -> Response:
        own = self.tree.sessions
        if own not in ("/", SESSIONS) and (path == own or path.startswith(f"{own}/")):
            path = SESSIONS + path[len(own) :]  # the model's own place for sessions, as its service root links it
        if path == SESSIONS and request.method == "POST":
            return self._login(request.body)
        if not (path in PUBLIC and request.method in {"GET", "HEAD"}) and not self._allowed(request.headers):
            return _error(401, "NoValidSession", "There is no valid session established with the implementation.")
        if request.method == "DELETE":
            return self._logout(path)
        if request.method not in {"GET", "HEAD"}:
            return _error(405, "ActionNotSupported", "The lab's BMC is read only.")
        if path == SESSIONS or path.startswith(SESSIONS + "/"):
            return self._session_resource(path)
        return self._get(path, request.target.partition("?")[2], now)

    def _allowed(self, headers: Mapping[str, str]) -> bool:
        if "unauthorized" in self.faults or self.spec.login is None:
            return False
        token = headers.get("x-auth-token")
        if token is not None:
            return token in self.sessions.values()
        kind, _space, encoded = headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return False
        try:
            user, _colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:  # no base64, no UTF-8
            return False
        return (user, password) == (self.spec.login.user, self.spec.login.password)

    # --- sessions (DSP0266 §13.3.4)

    def _login(self, body: bytes) -> Response:
        try:
            asked = orjson.loads(body)
            pair = (asked["UserName"], asked["Password"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return _error(400, "MalformedJSON", "UserName and Password are needed.")
        login = self.spec.login
        if "unauthorized" in self.faults or login is None or pair != (login.user, login.password):
            return _error(401, "ResourceAtUriUnauthorized", "The user name or password is wrong.")
        if len(self.sessions) >= self._limit():
            return _error(503, "SessionLimitExceeded", "The number of simultaneous sessions has reached the limit.")
        number, token = secrets.token_hex(4), secrets.token_hex(16)
        self.sessions[number] = token
        uri = f"{SESSIONS}/{number}"
        return Response(201, orjson.dumps(self._session(uri)), (("Location", uri), ("X-Auth-Token", token)))

    def _limit(self) -> int:
        if "sessions_taken" in self.faults:
            return 0
        return SESSION_LIMIT if "session_limit" in self.faults else NORMAL_LIMIT

    def _session(self, uri: str) -> dict[str, Any]:
        user = self.spec.login.user if self.spec.login else ""
        return {
            "@odata.id": uri,
            "@odata.type": "#Session.v1_1_6.Session",
            "Id": uri.rpartition("/")[2],
            "Name": "User Session",
            "UserName": user,
        }

    def _logout(self, path: str) -> Response:
        number = path.removeprefix(SESSIONS + "/")
        if self.sessions.pop(number, None) is None:
            return _error(404, "ResourceMissingAtURI", f"The resource at the URI '{path}' was not found.")
        return Response(204)

    def _session_resource(self, path: str) -> Response:
        if path == SESSIONS:
            members = [{"@odata.id": f"{SESSIONS}/{number}"} for number in self.sessions]
            kind = "#SessionCollection.SessionCollection"
            body = {"@odata.id": SESSIONS, "@odata.type": kind, "Name": "Sessions", "Members": members}
            return Response(200, orjson.dumps({**body, "Members@odata.count": len(members)}))
        if path.removeprefix(SESSIONS + "/") not in self.sessions:
            return _error(404, "ResourceMissingAtURI", f"The resource at the URI '{path}' was not found.")
        return Response(200, orjson.dumps(self._session(path)))

    # --- resources

    def _get(self, path: str, query: str, now: float) -> Response:
        body = self.body(path, now)
        if body is None:
            return _error(404, "ResourceMissingAtURI", f"The resource at the URI '{path}' was not found.")
        asked = parse_qs(query, keep_blank_values=True)
        if "endless" in self.faults and b'"Members"' in body:
            return Response(200, _endless(path, body, asked))
        if "$expand" in asked:
            return self._expanded(body, asked["$expand"][0], now)
        if any(key.startswith("$") for key in asked):  # DSP0266 §7.3.1: what is not supported is refused
            return _error(501, "QueryNotSupported", "Querying is not supported by the implementation.")
        return Response(200, body)

    def body(self, path: str, now: float) -> bytes | None:
        """The JSON of one resource as this device shows it now; None where it has none."""
        if self.frozen_at is not None:
            now = self.frozen_at
        variant = self.tree.variant(self.faults)
        body = variant[path] if path in variant else self.tree.bodies.get(path)
        if body is None:
            return None
        personal = path in self.tree.personal and (self.spec.copy or self.generation)
        sensors = self.jitter and path in self.tree.sensors
        if not (personal or sensors or path in self.tree.clocks):
            return body
        parsed = orjson.loads(body)
        if personal:
            parsed = Personal(self.seed, self.spec.sample, self.spec.copy, self.generation).json(parsed)
        if path in self.tree.clocks:
            set_clock(parsed, now)
        if sensors:
            jitter(parsed, lambda name: self._wave(name, now))
        return orjson.dumps(parsed)

    def _wave(self, name: str, now: float) -> float:
        phase = int.from_bytes(derive(self.seed, self.spec.address, name, size=2))
        return math.sin(now / 600 + phase / 10000)

    def _expanded(self, body: bytes, expression: str, now: float) -> Response:
        found = LEVELS.match(expression)
        allowed = self.tree.expand
        key = {".": "NoLinks", "*": "ExpandAll", "~": "Links"}[found[1]] if found else ""
        if not found or not allowed.get(key) or (found[2] and not allowed.get("Levels")):
            return _error(501, "QueryNotSupported", "The $expand asked for is not supported by the implementation.")
        levels = int(found[2] or 1)
        if not 1 <= levels <= int(allowed.get("MaxLevels") or 1):
            return _error(400, "QueryParameterOutOfRange", "$levels is out of range.")
        return Response(200, orjson.dumps(self._fill(orjson.loads(body), found[1], levels, now, in_links=False)))

    def _fill(self, value: Any, mode: str, levels: int, now: float, *, in_links: bool) -> Any:
        """Replace links by what they point to: `.` outside of Links, `~` inside, `*` both (DSP0266 §7.3.3)."""
        if isinstance(value, list):
            return [self._fill(item, mode, levels, now, in_links=in_links) for item in value]
        if not isinstance(value, dict):
            return value
        if set(value) == {"@odata.id"}:
            wanted = mode == "*" or in_links == (mode == "~")
            uri = str(value["@odata.id"])
            body = self.body(clean(uri), now) if wanted and levels and "#" not in uri else None
            if body is None:
                return value
            return self._fill(orjson.loads(body), mode, levels - 1, now, in_links=False)
        return {
            key: self._fill(item, mode, levels, now, in_links=in_links or key == "Links") for key, item in value.items()
        }


def _endless(path: str, body: bytes, asked: Mapping[str, list[str]]) -> bytes:
    """A page of a collection whose next page is always promised (DSP0266 §7.3.2 Members@odata.nextLink)."""
    parsed = orjson.loads(body)
    skip = asked.get("$skip", ["0"])[0]
    start = int(skip) if skip.isdecimal() and len(skip) < 10 else 0
    if start:  # the first page is as it was: only who follows the pages can know
        parsed["Members"] = [{"@odata.id": f"{path}/more-{start + i}"} for i in range(PAGE)]
    parsed["Members@odata.count"] = start + 2 * PAGE
    parsed["Members@odata.nextLink"] = f"{path}?$skip={start + PAGE}"
    return orjson.dumps(parsed)


def _wrong_encoding(body: bytes) -> bytes:
    """The body with a name in a broken multi-byte code: GB18030 bytes with the tail of a character missing."""
    return re.sub(rb'("Name":")[^"]*"', lambda found: found[1] + "服务器机".encode("gb18030")[:-1] + b'"', body)


def _error(status: int, message_id: str, message: str) -> Response:
    info = [{"MessageId": f"Base.1.8.{message_id}", "Message": message, "Severity": "Critical"}]
    error = {"code": f"Base.1.8.{message_id}", "message": message, "@Message.ExtendedInfo": info}
    more = (("WWW-Authenticate", 'Basic realm="redfish"'),) if status == 401 else ()
    return Response(status, orjson.dumps({"error": error}), more)
