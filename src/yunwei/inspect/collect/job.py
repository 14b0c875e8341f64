"""Jobs and results as files: self-contained, signed with SM2, credentials sealed to the collector with SM2 and SM4.

A job written by one installation runs on a collector that has no database, and its result is brought back: this is
how the two zones that may not share a database exchange them, by one permitted push or by file (house: the way data
goes). On a single machine they go through the same functions.

File: JSON {"kind", "signer" (fingerprint), "body" (base64 of zlib of the JSON), "signature" (hex, over kind and body)}.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from yunwei.gm import sm2, sm4
from yunwei.gm.errors import GmError
from yunwei.inspect.collect.base import Opener, Tools
from yunwei.inspect.collect.redfish_http import delete_session
from yunwei.inspect.collect.sessions import SessionBook
from yunwei.inspect.collect.sweep import Gates, Limits, Progress, sweep
from yunwei.inspect.observation import Job, JobResult
from yunwei.inspect.vendor import Catalogue, shipped
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _
from yunwei.snmp.client import SnmpClient

JSON = Any
KIND_JOB, KIND_RESULT = "yunwei.job.v1", "yunwei.result.v1"
#: bytes of an unpacked body; a chunk of 500 deep BMCs is about 60 MiB
MAX_BODY = 512 << 20
#: how hard a body is packed: 6 would save a fifth of its size for two and a half times the work
PACKING = 3
#: bytes of a file: what such a body packs to, with room
MAX_FILE = 128 << 20


class JobError(YunweiError):
    """A job or result file that cannot be used: not ours, altered, for another collector."""


class Sealer:
    """Seals for one collector: an SM4 key wrapped once with its SM2 public key, then one SM4-GCM box per secret."""

    def __init__(self, public: sm2.PublicKey) -> None:
        self._key = sm4.new_key()
        self._wrapped = base64.b64encode(public.encrypt(self._key)).decode()

    def seal(self, content: Mapping[str, JSON]) -> str:
        """The secret as text that only the owner of the key can open."""
        box = sm4.seal(self._key, msgspec.json.encode(dict(content)))
        return f"{self._wrapped}.{base64.b64encode(box).decode()}"


class Keyring(Sealer):
    """A collector's own key: opens what was sealed to it, seals what only it reads again (an open session)."""

    def __init__(self, private: sm2.PrivateKey) -> None:
        super().__init__(private.public)
        self.private = private
        self._opened: dict[str, bytes] = {self._wrapped: self._key}

    def open(self, sealed: str) -> dict[str, JSON]:
        """The secret in clear; raises JobError when it was sealed to another key or altered."""
        wrapped, _dot, box = sealed.partition(".")
        try:
            key = self._opened.get(wrapped)
            if key is None:
                if len(self._opened) > 64:
                    self._opened.clear()
                key = self._opened[wrapped] = self.private.decrypt(base64.b64decode(wrapped, validate=True))
            content = msgspec.json.decode(sm4.unseal(key, base64.b64decode(box, validate=True)))
        except (GmError, binascii.Error, ValueError, msgspec.DecodeError):
            raise JobError(_("密封的内容不是给本采集器的，或已被改动")) from None
        if not isinstance(content, dict):
            raise JobError(_("密封的内容不是一个对象"))
        return content


def write(kind: str, content: Job | JobResult, signer: sm2.PrivateKey) -> bytes:
    """A job or result as a signed file."""
    body = zlib.compress(msgspec.json.encode(content), PACKING)
    return msgspec.json.encode({
        "kind": kind, "signer": signer.public.fingerprint, "body": base64.b64encode(body).decode(),
        "signature": signer.sign(_signed(kind, body)).hex(),
    })  # fmt: skip


def _signed(kind: str, body: bytes) -> bytes:
    return kind.encode() + b"\n" + body


def write_job(job: Job, platform: sm2.PrivateKey) -> bytes:
    """A job file, signed by the platform."""
    return write(KIND_JOB, job, platform)


def write_result(result: JobResult, collector: sm2.PrivateKey) -> bytes:
    """A result file, signed by the collector."""
    return write(KIND_RESULT, result, collector)


def read_job(data: bytes, signers: Iterable[sm2.PublicKey]) -> Job:
    """The job of a file signed by one of `signers`. Raises JobError."""
    body = _unpack(KIND_JOB, data, signers)
    try:
        return msgspec.json.decode(body, type=Job)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise JobError(_("任务的内容不合格式"), hint=str(error)[:200]) from None


def read_result(data: bytes, signers: Iterable[sm2.PublicKey]) -> JobResult:
    """The result of a file signed by one of `signers`. Raises JobError."""
    body = _unpack(KIND_RESULT, data, signers)
    try:
        return msgspec.json.decode(body, type=JobResult)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise JobError(_("结果的内容不合格式"), hint=str(error)[:200]) from None


def contents(data: bytes) -> JobResult:
    """The result in a file WITHOUT judging its signature: for files that were verified when they were taken in.

    Raises JobError when it is no result file.
    """
    try:
        return msgspec.json.decode(_inflate(_outer(data)[1]), type=JobResult)
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise JobError(_("结果的内容不合格式")) from None


def signer_of(data: bytes) -> str:
    """The fingerprint that a file claims to be signed by. Raises JobError when it is no such file."""
    return _outer(data)[0]["signer"]


def _outer(data: bytes) -> tuple[dict[str, str], bytes, bytes]:
    """A file's fields, packed body and signature."""
    if len(data) > MAX_FILE:
        raise JobError(_("文件过大"), hint=_("上限 {n} MB").format(n=MAX_FILE >> 20))
    try:
        file = msgspec.json.decode(data, type=dict[str, str])
        body = base64.b64decode(file["body"], validate=True)
        signature = bytes.fromhex(file["signature"])
        file["kind"], file["signer"]
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError, ValueError):
        raise JobError(_("不是任务或结果文件")) from None
    return file, body, signature


def _unpack(kind: str, data: bytes, signers: Iterable[sm2.PublicKey]) -> bytes:
    """The body of a file: signature first, then decompression within a bound (a bomb stays small)."""
    file, body, signature = _outer(data)
    if file["kind"] != kind:
        raise JobError(_("文件的种类是“{found}”，需要“{kind}”").format(found=file["kind"][:40], kind=kind))
    key = next((k for k in signers if k.fingerprint == file["signer"]), None)
    if key is None:
        raise JobError(_("签名者不是已登记的密钥"), where=file["signer"][:64], hint=_("核对采集器或平台的密钥指纹"))
    if not key.verify(_signed(kind, body), signature):
        raise JobError(_("签名不符：文件被改动过"), where=file["signer"][:64])
    return _inflate(body)


def _inflate(body: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(body, MAX_BODY)
    except zlib.error:
        raise JobError(_("文件的内容无法解压")) from None
    if not unpacker.eof:
        raise JobError(_("文件的内容过大或不完整"))
    return content


def run_job(
    job: Job,
    opener: Opener,
    progress: Progress | None = None,
    *,
    collector: str = "local",
    state: Path | None = None,
    catalogue: Catalogue | None = None,
    limits: Limits | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    wall: Callable[[], float] = time.time,
) -> JobResult:
    """Do a job and give its result: every target is in it, reached or not. Blocks; runs its own event loop.

    `state` is the collector's folder for what must survive a crash (open sessions). Needs no database. The clock
    is the collector's wall clock by default: what it says about observation times is part of the signed result.
    """
    catalogue = catalogue or shipped()  # two seconds of compiling that the loop must not wait for
    given: list[JobResult] = []

    async def main() -> None:
        given.append(await run_job_async(job, opener, progress, collector=collector, state=state,
                                         catalogue=catalogue, limits=limits, clock=clock, wall=wall))  # fmt: skip

    # Not the task's own result: giving SIGINT back, asyncio's runner writes that out as text twice (signal asks whether its
    # handler, which holds the task, is one of an enum), and that grows with the job.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    return given[0]


async def run_job_async(
    job: Job,
    opener: Opener,
    progress: Progress | None = None,
    *,
    collector: str = "local",
    state: Path | None = None,
    catalogue: Catalogue | None = None,
    limits: Limits | None = None,
    gates: Gates | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    wall: Callable[[], float] = time.time,
    stop: asyncio.Event | None = None,
) -> JobResult:
    """`run_job` inside a running event loop; `stop` ends it early with a result for every target, `gates` are those of
    other jobs in the same loop."""
    started = clock()
    sessions = SessionBook(state / "sessions") if state else None
    if sessions:
        await delete_left(sessions, opener)
    try:
        async with SnmpClient() as client:
            tools = Tools(catalogue or shipped(), opener, clock, client, sessions, wall)
            devices = await sweep(job, tools, progress=progress, limits=limits, gates=gates, stop=stop)
    finally:
        if sessions:
            sessions.close()
    return JobResult(
        job_id=job.id, run_id=job.run_id, zone=job.zone, collector=collector, started_at=started, ended_at=clock(),
        devices=devices, software=f"yunwei {version('yunwei')}",
    )  # fmt: skip


async def delete_left(sessions: SessionBook, opener: Opener) -> int:
    """Delete every session that a crash left, shortly and all at once; returns how many are gone now."""

    async def one(path: Path, sealed: str) -> int:
        try:
            left = opener.open(sealed)
        except YunweiError:
            return 0
        if not await delete_session(left):
            return 0
        path.unlink(missing_ok=True)
        return 1

    return sum(await asyncio.gather(*(one(path, sealed) for path, sealed in list(sessions.left()))))
