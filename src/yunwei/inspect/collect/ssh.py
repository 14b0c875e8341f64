"""SSH: ALL checks of a host in one exec (`sh -s`, the bundle on stdin).

The host key is the identity: it is checked before we log in, so a machine that stands in another's place never gets
the password. `known_hosts` of the machine and its agent are not used: who a host is, is pinned with the client.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import asyncssh

from yunwei.inspect.collect.base import Look, Trouble, check_pinned
from yunwei.inspect.collect.bundle import MAX_OUTPUT, Bundle, bundle, control_failed, parse
from yunwei.inspect.collect.own import is_ours
from yunwei.inspect.observation import DeviceResult
from yunwei.inspect.vendor import CheckOutput, apply_ssh
from yunwei.kernel.i18n import _
from yunwei.kernel.verdict import Reason

#: seconds for the connection with key exchange, inside the device's budget
CONNECT_S = 10.0
#: the fast half of what asyncssh offers first: key exchange is most of the cost of a host (notes: hardware §5)
KEX = ("curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "diffie-hellman-group14-sha256",
       "diffie-hellman-group16-sha512")  # fmt: skip


class _Client(asyncssh.SSHClient):
    """Judges the host key before any credential is sent."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.changed: Trouble | None = None

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        try:
            check_pinned(self.look, "ssh_host_key", key.get_fingerprint("sha256"))
        except Trouble as error:
            self.changed = error
            return False
        return True


async def collect(look: Look) -> DeviceResult:
    """Run the bundle on one host. A host that answers and gives an unfinished bundle keeps what it gave."""
    credential = look.credential()
    client = _Client(look)
    asked = bundle("linux")
    started = time.time()
    try:
        async with asyncio.timeout(look.left()):
            connection = await _connect(look, credential, client)
            async with connection:
                started = time.time()
                output, ended = await _run(connection, asked, look)
    except TimeoutError:
        raise Trouble(Reason.BUDGET, _("主机的时间预算已用完")) from None
    sections, partial = parse(output, asked)
    return judge(look, sections, partial, (started, ended), truncated=len(output) >= MAX_OUTPUT)


async def _connect(look: Look, credential: dict[str, Any], client: _Client) -> asyncssh.SSHClientConnection:
    target = look.target
    options: dict[str, Any] = {"username": str(credential.get("user", credential.get("username", "")))}
    if credential.get("private_key"):
        try:
            key = asyncssh.import_private_key(credential["private_key"], credential.get("passphrase"))
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
            raise Trouble(Reason.AUTH, _("凭据里的私钥无法读取")) from None
        options["client_keys"] = [key]
    else:
        options["client_keys"] = None
    if credential.get("password"):
        options["password"] = str(credential["password"])
    try:
        return await asyncssh.connect(
            target.address, target.port or 22, client_factory=lambda: client, config=None, agent_path=None,
            known_hosts=([], [], []), kex_algs=KEX, connect_timeout=min(CONNECT_S, look.left()),
            login_timeout=min(CONNECT_S, look.left()), keepalive_interval=0, **options,
        )  # fmt: skip
    except asyncssh.HostKeyNotVerifiable:
        raise client.changed or Trouble(Reason.IDENTITY_CHANGED, _("主机密钥无法核对")) from None
    except asyncssh.PermissionDenied:
        raise Trouble(Reason.AUTH, _("主机拒绝了我们的凭据")) from None
    except OSError as error:  # TimeoutError and ConnectionRefusedError among them
        if is_ours(error):
            raise
        raise Trouble(Reason.NOT_REACHED, _("主机没有应答 SSH")) from None
    except asyncssh.ConnectionLost:
        raise Trouble(Reason.NOT_REACHED, _("主机中断了 SSH 连接")) from None
    except (asyncssh.Error, ValueError, UnicodeError) as error:
        raise Trouble(Reason.GARBAGE, _("应答不是可用的 SSH（{kind}）").format(kind=type(error).__name__)) from None


async def _run(connection: asyncssh.SSHClientConnection, asked: Bundle, look: Look) -> tuple[bytes, float]:
    """The bundle's output (bounded) and the time when it ended; the budget's end keeps what came so far."""
    chunks: list[bytes] = []
    size = 0
    try:
        process = await connection.create_process("sh -s", encoding=None, stderr=asyncssh.DEVNULL)
    except (asyncssh.Error, OSError) as error:
        raise Trouble(
            Reason.NOT_SUPPORTED, _("主机不能执行检查脚本（{kind}）").format(kind=type(error).__name__)
        ) from None
    try:
        async with asyncio.timeout(max(0.0, look.left() - 0.5)):
            with contextlib.suppress(asyncssh.Error, OSError):  # a shell that ends early has still said something
                process.stdin.write(asked.script)
                process.stdin.write_eof()
            while size < MAX_OUTPUT and (chunk := await process.stdout.read(65536)):
                chunks.append(chunk)
                size += len(chunk)
    except TimeoutError:
        look.trace.count("cut")
    except (asyncssh.Error, OSError):
        look.trace.count("lost")
    look.trace.count("execs")
    look.trace.count("bytes_in", size)
    return b"".join(chunks)[:MAX_OUTPUT], time.time()


def judge(
    look: Look,
    sections: dict[str, CheckOutput],
    partial: list[str],
    span: tuple[float, float],
    *,
    truncated: bool = False,
) -> DeviceResult:
    """Turn sections into a result; shared with `local`. Where the control did not fail, the bundle proves nothing."""
    if not sections:
        reason = Reason.BUDGET if look.trace.counts.get("cut") else Reason.GARBAGE
        return look.result(problem=reason, detail=_("主机没有给出任何一项检查的结果"), partial=partial)
    _offset(sections, span)
    vendor = look.vendor(look.tools.catalogue.for_ssh)
    reading = apply_ssh(vendor, sections, look.target, look.terms)
    if not control_failed(sections):
        return look.result(
            reading, problem=Reason.CONTROL_SILENT, detail=_("必须失败的对照检查没有失败"), partial=partial
        )
    if truncated:
        return look.result(reading, problem=Reason.GARBAGE, detail=_("主机的输出没有尽头"), partial=partial)
    if partial:
        reason = Reason.BUDGET if look.trace.counts.get("cut") else Reason.PARTIAL
        detail = _("没有结果的检查：{names}").format(names="、".join(partial))
        return look.result(reading, problem=reason, detail=detail, partial=partial)
    return look.result(reading)


def _offset(sections: dict[str, CheckOutput], span: tuple[float, float]) -> None:
    """Add the host's clock offset against the collector's to the clock section, in seconds.

    The host's clock was read at some moment between sending and the end; within that span no offset can be claimed.
    """
    clock = sections.get("clock")
    if clock is None:
        return
    for line in clock.stdout.splitlines():
        if line.startswith("epoch_s="):
            try:
                host = float(line.partition("=")[2])
            except ValueError:
                return
            start, end = span
            offset = host - start if host < start else host - end if host > end else 0.0
            sections["clock"] = CheckOutput(clock.rc, f"{clock.stdout}\noffset_s={offset:.3f}")
            return
