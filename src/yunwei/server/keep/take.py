"""`yunwei backup`: one encrypted file of a running instance, read back after it was written, entered in the ledger.

What goes in: the settings, keys, contract folder and whatever else lies in the instance's folder; the artifacts that the
moment's rows name; the heads of addresses inside of the folder up to the moment's; both databases. What stays out: logs, locks,
half-written files, what lies behind a symbolic link. The keys are in it, so it is never written in clear.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from yunwei.gm import sm3
from yunwei.kernel.i18n import _
from yunwei.server import instance
from yunwei.server.keep import facts, snapshot
from yunwei.server.keep.errors import KeepError
from yunwei.server.keep.parcel import MANIFEST, Packer, Parcel
from yunwei.server.keep.sealed import Locks, Opener
from yunwei.server.keep.snapshot import Moment

SUFFIX = ".ywb"
KIND = "instance.backed_up"
Tell = Callable[[int, int], None]
#: a redaction in the middle of a backup takes a file away that the moment still names: begin anew so often
TRIES = 3


class MovedOnError(KeepError):
    """The instance changed in a way that makes this attempt worthless."""


@dataclass
class Made:
    """A backup that was written: its file, its SM3, what is in it, and the artifacts that were not there."""

    path: Path
    digest: str = ""
    size: int = 0
    manifest: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def _silent(_done: int, _total: int) -> None:
    """Nobody watches."""


def backup(folder: Path, target: Path, locks: Locks, *, now: datetime, tell: Tell = _silent) -> Made:
    """Write a backup of the instance in `folder` as a new file in the folder `target`. Raises KeepError.

    The file has its name when it is whole, on disk and was read back; otherwise nothing is there. `tell` hears megabytes.
    """
    if target.resolve().is_relative_to(folder.resolve()):
        raise KeepError(_("备份不能放在实例目录里"), where=str(target), hint=_("放到另一块盘或另一台机器的挂载目录"))
    if target.exists() and not target.is_dir():
        raise KeepError(_("备份的去处须是目录"), where=str(target))
    target.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        for attempt in range(TRIES):
            try:
                return _write(folder, target, locks, now, tell)
            except MovedOnError:
                if attempt == TRIES - 1:
                    raise
    raise AssertionError  # the loop returns or raises


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One backup at a time: they share the workplace."""
    with (folder / "data" / "backup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise KeepError(_("另一个备份正在进行"), where=str(folder)) from None
        yield


def _write(folder: Path, target: Path, locks: Locks, now: datetime, tell: Tell) -> Made:
    stamp = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    made = Made(target / f"yunwei-{folder.resolve().name}-{stamp}{SUFFIX}")
    if made.path.exists():
        raise KeepError(_("同名的备份已经存在，不会覆盖"), where=str(made.path))
    draft = target / f".{made.path.name}.{secrets.token_hex(4)}.part"
    try:
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with snapshot.of(folder, instance.database_url(folder)) as moment:
                packer = Packer(file, locks)
                _fill(packer, folder, moment, made, now, tell)
            packer.close()
            file.flush()
            os.fsync(file.fileno())
        made.size, made.digest = draft.stat().st_size, sm3.digest_file(draft).hex()
        _appear(draft, made.path)
    finally:
        draft.unlink(missing_ok=True)
    return made


def _appear(draft: Path, path: Path) -> None:
    """Give the finished file its name, unless the name was taken meanwhile: a hard link does not overwrite, a rename would."""
    from yunwei.ledger.artifacts import sync_folder

    try:
        os.link(draft, path)
    except FileExistsError:
        raise KeepError(_("同名的备份已经存在，不会覆盖"), where=str(path)) from None
    except OSError:  # a file system without hard links
        draft.rename(path)
    sync_folder(path.parent)


def _fill(packer: Packer, folder: Path, moment: Moment, made: Made, now: datetime, tell: Tell) -> None:
    contents = {str(name): int(size) for name, size in moment.ask(
        "SELECT content_hash, size FROM ledger_artifact WHERE redacted_at IS NULL AND content_hash <> ''"
    )}  # fmt: skip
    total = moment.size + sum(contents.values())
    made.manifest.update(_manifest(folder, moment, now, artifacts=len(contents)))

    def told(_more: int) -> None:
        tell(packer.bytes >> 20, max(total, packer.bytes) >> 20)

    packer.add(MANIFEST, io.BytesIO(json.dumps(made.manifest, ensure_ascii=False, indent=1).encode()))
    newest = moment.facts.head["number"] if moment.facts.head else 0
    for path in _files(folder, newest):
        try:
            opened = path.open("rb")
        except (
            FileNotFoundError
        ):  # a file of the moment before; whatever matters is named by a row or was there at the start
            continue
        with opened:
            mode = os.fstat(opened.fileno()).st_mode & 0o777
            packer.add(str(path.relative_to(folder)), opened, mode, told)
    for name in sorted(contents):
        _artifact(packer, folder, name, made, told)
    if made.missing and _redacted(folder, made.missing):
        raise MovedOnError(_("备份期间有证据文件被依法删除，请重做一次"))
    for name, stream in moment.dumps():
        packer.add(name, stream, tell=told)
    tell(1, 1)


def _artifact(packer: Packer, folder: Path, name: str, made: Made, told: Callable[[int], None]) -> None:
    """One artifact. One that is not there is told, not hidden: a damaged instance needs its backup most."""
    from yunwei.ledger.artifacts import is_digest

    path = folder / "data" / "artifacts" / name[:2] / name
    try:
        if not is_digest(name):
            raise FileNotFoundError
        opened = path.open("rb")
    except FileNotFoundError:
        made.missing.append(name)
        return
    with opened:
        packer.add(str(path.relative_to(folder)), opened, tell=told)


def _redacted(folder: Path, names: list[str]) -> bool:
    """Whether any of these is redacted by now."""
    rows = snapshot.asked(
        folder, instance.database_url(folder), "SELECT content_hash FROM ledger_artifact WHERE redacted_at IS NULL"
    )
    return bool(set(names) - {str(name) for (name,) in rows})


def _manifest(folder: Path, moment: Moment, now: datetime, *, artifacts: int) -> dict[str, Any]:
    settings = instance.settings_in(folder)
    return {
        "format": facts.FORMAT,
        "version": facts.program(),
        "at": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "instance": folder.resolve().name,
        "demo": bool(settings.get("demo")),
        "database": moment.kind,
        "tables": moment.facts.tables,
        "head": moment.facts.head,
        "waiting": moment.facts.waiting,
        "migrations": moment.facts.migrations,
        "engine": moment.engine,
        "unended": moment.unended,
        "artifacts": artifacts,
    }


def _files(folder: Path, newest: int) -> Iterator[Path]:
    """The instance's own files, settings first, in an order that is always the same; heads up to the moment's newest."""
    yield folder / instance.SETTINGS
    for place, folders, names in os.walk(folder):  # a link to a folder is not followed
        here = Path(place)
        folders[:] = sorted(name for name in folders if not _left_out((here / name).relative_to(folder)))
        for path in (here / name for name in sorted(names)):
            inside = path.relative_to(folder)
            if path.is_symlink() or not path.is_file() or str(inside) == instance.SETTINGS or _left_out(inside):
                continue
            if path.name.startswith("head-") and _head_number(path) > newest:
                continue
            yield path


def _left_out(inside: Path) -> bool:
    """Logs, locks, databases (which are copied by their own means), artifacts (by their rows), half-written files."""
    if inside.parts[0] == "data" and len(inside.parts) > 1:
        second = inside.parts[1]
        if second in ("log", "artifacts") or second.startswith(("yunwei.sqlite3", "engine.sqlite3")):
            return True
    return inside.suffix in (".lock", ".part", ".log") or inside.name.startswith(".")


def _head_number(path: Path) -> int:
    digits = path.stem.rpartition("-")[2]
    return int(digits) if digits.isdigit() else 0


def checked(path: Path, opener: Opener, tell: Tell = _silent) -> dict[str, Any]:
    """Read a backup to its end without unpacking it, and give its manifest. Raises KeepError for whatever is wrong with it."""
    manifest: dict[str, Any] = {}
    done, total = 0, path.stat().st_size
    with path.open("rb") as file:
        for item, pieces in Parcel(file, opener, str(path)):
            content = bytearray()
            for piece in pieces:
                done += len(piece)
                if item.name == MANIFEST:
                    content += piece
                tell(file.tell() >> 20, max(total >> 20, 1))
            if item.name == MANIFEST:
                manifest = manifest_of(bytes(content), str(path))
    if not manifest:
        raise KeepError(_("备份里没有清单"), where=str(path))
    return manifest


def manifest_of(content: bytes, where: str) -> dict[str, Any]:
    """The manifest. Raises KeepError for one that this program does not understand."""
    try:
        said = json.loads(content)
        if said["format"] != facts.FORMAT:
            raise ValueError(said["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise KeepError(_("备份的清单读不懂"), where=where, hint=str(error)[:80]) from None
    return dict(said)


def entered(made: Made, *, now: datetime, actor: str) -> int:
    """Enter the backup in the ledger and give the record's number: who took all data away is evidence too."""
    from django.db import transaction

    from yunwei.ledger import services as ledger

    with transaction.atomic():
        data = {"file": made.path.name, "digest": made.digest, "size": made.size, **_said(made.manifest)}
        intake = ledger.record(KIND, "instance", data, at=now, actor=actor)
    return ledger.acknowledge(intake.pk, now)


def _said(manifest: Mapping[str, Any]) -> dict[str, Any]:
    head = manifest["head"] or {"number": 0, "size": 0}
    return {
        "database": manifest["database"],
        "head": head["number"],
        "records": head["size"],
        "artifacts": manifest["artifacts"],
    }
