"""The artifact store: files named by the SM3 of their content, under `data/artifacts` of the instance."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from yunwei.gm import sm3
from yunwei.ledger.errors import LedgerError
from yunwei.ledger.keys import instance
from yunwei.ledger.models import Artifact

SALT = 32
_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_digest(text: object) -> bool:
    """Whether this is a digest as we write it: what names a file is never anything else."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def folder() -> Path:
    """Where the artifacts lie."""
    return instance() / "data" / "artifacts"


def path_of(content_hash: str) -> Path:
    """The file of a content hash; two letters of fan-out keep folders small."""
    return folder() / content_hash[:2] / content_hash


def store(content: bytes, media_type: str) -> Artifact:
    """Keep `content` and return its row; the same content again returns the same row.

    The file is whole and on disk before the row is made, so a crash leaves at worst a file that nobody names. Safe
    before and inside a transaction. Raises LedgerError when the disk does not take it; nothing half-written stays.
    """
    content_hash = sm3.hexdigest(content)
    write_whole(path_of(content_hash), content)
    known = Artifact.objects.filter(content_hash=content_hash, redacted_at__isnull=True).first()
    if known is not None:
        return known
    salt = secrets.token_bytes(SALT)
    try:
        with transaction.atomic():
            return Artifact.objects.create(
                content_hash=content_hash,
                salt=salt,
                commitment=sm3.digest_parts([salt, content]).hex(),
                media_type=media_type,
                size=len(content),
            )
    except IntegrityError:  # another process stored the same content between our look and our insert
        return Artifact.objects.get(content_hash=content_hash, redacted_at__isnull=True)


def read(artifact: Artifact) -> bytes:
    """The content, checked against its commitment. Raises LedgerError when it is redacted, missing or altered."""
    if artifact.redacted_at is not None:
        raise LedgerError(_("该证据文件已依法删除，只留存根"), where=artifact.commitment)
    try:
        if not is_digest(artifact.content_hash):  # a path out of the store, put into the database by hand
            raise FileNotFoundError
        content = path_of(artifact.content_hash).read_bytes()
    except OSError:
        raise LedgerError(_("证据文件缺失"), where=artifact.commitment) from None
    if sm3.digest_parts([bytes(artifact.salt), content]).hex() != artifact.commitment:
        raise LedgerError(_("证据文件被改动"), where=artifact.commitment)
    return content


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole and on disk, or not at all. An identical file is left as it is."""
    try:
        if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        try:
            with temporary.open("xb") as f:
                f.write(content)
                f.flush()
                os.fsync(f.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as e:
        raise LedgerError(
            _("证据文件写入失败：%(why)s") % {"why": e.strerror or e}, where=str(path), hint=_("请检查磁盘空间与权限")
        ) from e


def sync_folder(path: Path) -> None:
    """Put a folder's own list of names on disk: a rename alone may be lost at a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
