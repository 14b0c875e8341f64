"""One BMC over HTTPS: at most two connections, bounded answers, one session that is always deleted.

The certificate's fingerprint is judged when the TLS handshake is through and before a byte is sent, so neither password
nor token is ever sent to a machine that stands in another's place. BMC certificates are self-signed: the pin made with the client is the trust.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import orjson

from yunwei.inspect.collect.base import Look, Trouble, check_pinned
from yunwei.inspect.collect.wire import (
    BrokenError,
    EndlessError,
    NotTlsError,
    Patience,
    UnreachedError,
    Wire,
    WireError,
)
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _
from yunwei.kernel.verdict import Reason

log = logging.getLogger(__name__)
JSON = Any
#: bytes of one resource; the largest honest one known (a whole sensor collection, expanded) is under 1 MiB
MAX_BODY = 4 << 20
#: seconds for one answer; single answers of 3 s are common, 20 s happen on a busy BMC
REQUEST_S = 20.0
#: seconds after which a BMC that does not even complete the handshake counts as not reached
CONNECT_S = 6.0
LOGOUT_S = 2.5
#: seconds for a session that an earlier sweep left
LEFT_S = 5.0
SESSIONS = "/redfish/v1/SessionService/Sessions"
#: answers to a login that say "not this way", where Basic may still work; 401 and 403 say "not you"
NO_SESSION = frozenset({400, 404, 405, 409, 429, 500, 501, 503, 507})


class Answer(NamedTuple):
    """One answer: HTTP status, JSON object (None when there was none or it was no JSON object), headers by lower-case
    name."""

    status: int
    body: dict[str, JSON] | None
    headers: Mapping[str, str]
    size: int


def base_url(address: str, port: int) -> str:
    """The origin of one BMC: always HTTPS, a password is never sent in clear."""
    return f"https://[{address}]:{port or 443}" if ":" in address else f"https://{address}:{port or 443}"


class Bmc:
    """A conversation with one BMC: `async with Bmc(look) as bmc: await bmc.login(credential); await bmc.get(uri)`."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.base = base_url(look.target.address, look.target.port)
        self.headers: dict[str, str] = {}
        self.session_uri = ""
        self._wire: Wire

    async def __aenter__(self) -> Self:
        look, target = self.look, self.look.target
        self._wire = Wire(
            target.address, target.port or 443, lambda seen: check_pinned(look, "certificate", seen),
            most=MAX_BODY, connect_s=CONNECT_S, connecting=look.tools.connecting,
        )  # fmt: skip
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        # Also on cancellation: the session is deleted in a task of its own, which a second cancel cannot take along.
        out = asyncio.ensure_future(self._leave())
        try:
            await asyncio.shield(out)
        except asyncio.CancelledError:
            with suppress(TimeoutError):
                await asyncio.wait_for(out, LOGOUT_S)
            raise

    async def _leave(self) -> None:
        try:
            await self.logout()
        finally:
            await self._wire.close()

    def widen(self) -> None:
        """Much will be asked: over two connections from now on."""
        self._wire.widen()

    async def get(self, uri: str) -> Answer:
        """GET one resource of this BMC. Raises Trouble when the BMC cannot be reached or is another one."""
        return await self._ask("GET", uri)

    async def _ask(
        self, method: str, uri: str, body: Mapping[str, JSON] | None = None, *, again: bool = True
    ) -> Answer:
        data = orjson.dumps(body) if body is not None else None
        try:
            async with Patience(max(0.05, min(REQUEST_S, self.look.left()))):
                answer = await _exchange(self._wire, method, uri, self.headers, data)
        except WireError as error:
            if again and method == "GET" and _may_ask_again(error):
                return await self._ask(method, uri, body, again=False)
            raise _translated(error) from None
        self.look.trace.count("requests")
        self.look.trace.count("bytes_in", answer.size)
        if answer.status == HTTPStatus.SERVICE_UNAVAILABLE and again and method == "GET":
            await asyncio.sleep(min(_retry_after(answer), self.look.left()))
            return await self._ask(method, uri, body, again=False)
        return answer

    async def login(self, credential: Mapping[str, JSON], sessions_uri: str = SESSIONS) -> None:
        """Open one session; where the BMC has no working session service, fall back to Basic.

        Raises Trouble AUTH when it refuses the credential: asked once, a second try could lock the account.
        """
        user, password = (
            str(credential.get("user", credential.get("username", ""))),
            str(credential.get("password", "")),
        )
        if not user:
            return
        answer = await self._ask("POST", sessions_uri, {"UserName": user, "Password": password})
        token, location = answer.headers.get("x-auth-token", ""), answer.headers.get("location", "")
        if answer.status in (HTTPStatus.OK, HTTPStatus.CREATED) and token:
            self.headers = {"X-Auth-Token": token}
            self.session_uri = _path(location) or _path(str((answer.body or {}).get("@odata.id", "")))
            self._remember(token)
            return
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise Trouble(Reason.AUTH, _("BMC 拒绝了我们的凭据（HTTP {status}）").format(status=answer.status))
        if answer.status not in NO_SESSION:
            raise Trouble(Reason.GARBAGE, _("登录得到 HTTP {status}，且没有令牌").format(status=answer.status))
        self.look.trace.count("basic_auth")
        word = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {word}"}

    def _remember(self, token: str) -> None:
        """Seal URI and token, on disk and in the trace, before the session is used.

        A disk that takes no note blinds nobody: should this process die within the look, the BMC's own timeout frees the
        session, as after a power cut.
        """
        if not self.session_uri:
            return
        sealed = self.look.tools.opener.seal({
            "base": self.base, "uri": self.session_uri, "token": token,
            "certificate": self.look.trace.identity.get("certificate", ""),
        })  # fmt: skip
        self.look.trace.session = sealed
        if self.look.tools.sessions:
            try:
                self.look.tools.sessions.keep(self.base, sealed)
            except OSError as error:
                log.warning("the session at %s is not noted: %s", self.look.target.asset, error.strerror)

    async def logout(self) -> None:
        """Delete the session; when that fails, the trace keeps it sealed for the next start."""
        if not self.session_uri:
            return
        with suppress(WireError, TimeoutError, OSError, Trouble):
            async with Patience(LOGOUT_S):
                answer = await _exchange(self._wire, "DELETE", self.session_uri, self.headers, None)
            if answer.status < 300 or answer.status in (401, 404):
                self.look.trace.session = ""
                self.session_uri = ""
                if self.look.tools.sessions:
                    self.look.tools.sessions.forget(self.base)


async def _exchange(wire: Wire, method: str, uri: str, headers: Mapping[str, str], data: bytes | None) -> Answer:
    try:
        raw = await wire.ask(method, uri, headers, data)
    except EndlessError:
        raise Trouble(Reason.GARBAGE, _("应答没有尽头")) from None
    return Answer(raw.status, _object(raw.body), raw.headers, len(raw.body))


def _may_ask_again(error: WireError) -> bool:
    """A BMC closes idle connections when it likes, and refuses one for a moment; who does not answer at all is not asked
    twice."""
    return (isinstance(error, BrokenError) and error.silent) or (isinstance(error, UnreachedError) and not error.waited)


def _object(raw: bytes) -> dict[str, JSON] | None:
    """The JSON object of a body; a byte order mark is forgiven, anything that is no object in UTF-8 is None."""
    try:
        body = orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def _path(location: str) -> str:
    """The path of a session's address; only a path inside the service is kept, so a token goes to no other machine."""
    try:
        path = urlsplit(location).path
    except ValueError:  # "//[": an address that is none
        return ""
    return path if path.startswith("/redfish/") else ""


def _retry_after(answer: Answer) -> float:
    text = answer.headers.get("retry-after", "1")
    return min(float(text[:9]), 5.0) if text.isascii() and text.isdigit() else 1.0  # "²" is a digit too


def _translated(error: WireError) -> Trouble:
    """A failure of the exchange, for people."""
    if isinstance(error, NotTlsError):
        return Trouble(Reason.GARBAGE, _("应答不是可用的 TLS"))
    if isinstance(error, UnreachedError):
        return Trouble(Reason.NOT_REACHED, _("地址没有应答 HTTPS"))
    if isinstance(error, BrokenError):
        return Trouble(Reason.PARTIAL, _("应答中断"))
    return Trouble(Reason.GARBAGE, _("应答不是可用的 HTTP（{kind}）").format(kind=type(error).__name__))


async def delete_session(left: Mapping[str, JSON]) -> bool:
    """Delete a session that an earlier sweep left: {"base", "uri", "token", "certificate"}. True when it is gone.

    The token is only sent to the certificate that it was got from.
    """
    base, uri, token = str(left.get("base", "")), _path(str(left.get("uri", ""))), str(left.get("token", ""))
    wanted = str(left.get("certificate", ""))
    if not (base.startswith("https://") and uri and token):
        return True  # nothing that could be deleted

    def same(seen: str) -> None:
        if wanted and seen != wanted:
            raise Trouble(Reason.IDENTITY_CHANGED, _("证书与会话建立时的不符"))

    place = urlsplit(base)
    wire = Wire(place.hostname or "", place.port or 443, same, most=MAX_BODY, connect_s=CONNECT_S)
    try:
        async with Patience(LEFT_S):
            answer = await _exchange(wire, "DELETE", uri, {"X-Auth-Token": token}, None)
        return answer.status < 300 or answer.status in (401, 404)
    except (WireError, TimeoutError, OSError, YunweiError):
        return False
    finally:
        await wire.close()
