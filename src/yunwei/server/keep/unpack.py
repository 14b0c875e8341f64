"""A backup laid out again: in a folder beside the one that it will be, and in an empty database; checked against its manifest.

No Django here: which instance this process belongs to is decided afterwards.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from yunwei.kernel.i18n import _
from yunwei.server import instance
from yunwei.server.keep import facts, postgres, snapshot
from yunwei.server.keep.errors import KeepError
from yunwei.server.keep.parcel import MANIFEST, Item, Parcel, unpack
from yunwei.server.keep.sealed import Opener
from yunwei.server.keep.take import Tell, _silent, manifest_of

#: the folders of an instance with their modes, as `init` makes them
FOLDERS = (
    ("", 0o755),
    ("keys", 0o700),
    ("data", 0o700),
    ("data/artifacts", 0o700),
    ("heads", 0o755),
    ("contract", 0o755),
)


@dataclass(frozen=True, slots=True)
class Laid:
    """A backup that was laid out: where, in which database ("" embedded), and its manifest."""

    folder: Path
    url: str
    manifest: dict[str, Any]


def require_empty(folder: Path) -> None:
    """Raise KeepError unless this folder is free: a backup is never laid over anything."""
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise KeepError(_("文件夹不是空的，不会覆盖"), where=str(folder), hint=_("恢复到一个新的目录，核对后再换过去"))


@contextmanager
def beside(folder: Path) -> Iterator[Path]:
    """A folder beside the one that will be, closed to others, gone again unless `appear` gave it its name.

    What a crash left of an earlier try is taken away: it holds keys in clear.
    """
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    for old in folder.parent.glob(f".{folder.name}.restoring-*"):
        _forget(old)
    temporary = folder.parent / f".{folder.name}.restoring-{secrets.token_hex(4)}"
    temporary.mkdir(mode=0o700)
    with (temporary / "restoring.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _forget(old: Path) -> None:
    """Remove an unfinished restore, unless it is one that goes on right now."""
    try:
        with (old / "restoring.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(old, ignore_errors=True)
    except OSError:
        return


def appear(temporary: Path, folder: Path) -> None:
    """Give the finished folder its name: whole or not at all. Raises KeepError when something is there by now."""
    from yunwei.ledger.artifacts import sync_folder

    (temporary / "restoring.lock").unlink(missing_ok=True)
    temporary.chmod(0o755)
    os.sync()  # everything that was unpacked is on disk before its name is
    try:
        temporary.rename(folder)  # over nothing, or over an empty folder
    except OSError as error:
        raise KeepError(_("目标目录已经有了内容"), where=str(folder), hint=error.strerror or "") from None
    sync_folder(folder.absolute().parent)


def lay_out(archive: Path, folder: Path, opener: Opener, *, url: str = "", tell: Tell = _silent) -> Laid:
    """Unpack a backup into `folder` and, where it is one of PostgreSQL, into the empty database `url`.

    Raises KeepError for a backup that does not open, is not whole, or does not give what its manifest says.
    """
    for name, mode in FOLDERS:
        (folder / name).mkdir(mode=mode, exist_ok=True)
        (folder / name).chmod(mode)
    manifest: dict[str, Any] = {}
    total = max(archive.stat().st_size >> 20, 1)
    claimed: list[str] = []
    try:
        with archive.open("rb") as file:
            for item, pieces in Parcel(file, opener, str(archive)):
                if item.name == MANIFEST:
                    manifest = manifest_of(b"".join(pieces), str(archive))
                    _fits(manifest, url, str(archive))
                elif not manifest:
                    raise KeepError(_("备份里没有清单"), where=str(archive))
                else:
                    url = _lay(item, pieces, folder, url, claimed)
                tell(file.tell() >> 20, total)
        if not manifest:
            raise KeepError(_("备份里没有清单"), where=str(archive))
        laid = Laid(folder, url if manifest["database"] == "postgresql" else "", manifest)
        instance.set_database(folder, laid.url)
        _compare(laid, str(archive))
    except BaseException:
        for database in claimed:
            postgres.clear(database)
        raise
    return laid


def _fits(manifest: dict[str, Any], url: str, where: str) -> None:
    if manifest["database"] == "sqlite" and url:
        raise KeepError(
            _("这是 SQLite 的备份，不能直接恢复到 PostgreSQL"),
            where=where,
            hint=_("先恢复到目录，再用 yunwei move 迁移"),
        )


def _lay(item: Item, pieces: Iterator[bytes], folder: Path, url: str, claimed: list[str]) -> str:
    """One file to where it belongs; gives the database's URL, which the settings name where no other was given."""
    if item.name == "db/postgres.dump":
        if not url:
            raise KeepError(_("这是 PostgreSQL 的备份"), hint=_("用 --database 给出一个空库"))
        postgres.claim(url)
        claimed.append(url)
        postgres.restore(url, _writer(pieces))
        return url
    name = {"db/yunwei.sqlite3": "data/yunwei.sqlite3", "db/engine.sqlite3": "data/engine.sqlite3"}.get(
        item.name, item.name
    )
    unpack(Item(name, item.mode), pieces, folder)
    path = (folder / name).parent
    if name.startswith("contract/"):
        path.chmod(0o755)
    if name == instance.SETTINGS and not url:
        return str(instance.settings_in(folder).get("database_url", ""))
    return url


def _writer(pieces: Iterator[bytes]) -> Callable[[IO[bytes]], None]:
    def write(stream: IO[bytes]) -> None:
        for piece in pieces:
            stream.write(piece)

    return write


def facts_of(laid: Laid) -> facts.Facts:
    """What lies there now."""
    if laid.url:
        with postgres.connected(laid.url) as connection:
            return facts.postgres(snapshot.ask_of(connection))
    with closing(snapshot.open_lite(laid.folder / "data" / "yunwei.sqlite3")) as lite:
        return facts.lite(snapshot.ask_of(lite))


def as_packed(manifest: dict[str, Any]) -> facts.Facts:
    """What the manifest says."""
    return facts.Facts(
        dict(manifest["tables"]), manifest["head"], int(manifest["waiting"]), list(manifest["migrations"])
    )


def _compare(laid: Laid, where: str) -> None:
    found = facts.differences(as_packed(laid.manifest), facts_of(laid), but=("sqlite_sequence",))
    if found:
        raise KeepError(_("恢复出来的与备份的清单不符"), where=where, hint="；".join(found[:5]))
