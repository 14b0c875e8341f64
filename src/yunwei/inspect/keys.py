"""Keys of the job exchange: the platform signs jobs, each zone's collector signs results and opens credentials.

`keys/platform.pem` is the platform's. A collector on this machine has `keys/collector-<zone>.pem`; a collector elsewhere
keeps its own key and hands over `keys/collector-<zone>.pub`, whose presence makes the zone an exchange by file.
"""

from __future__ import annotations

import os
import secrets
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from django.db import transaction

from yunwei.assets.models import Zone
from yunwei.gm import sm2
from yunwei.inspect.collect.job import JobError, Keyring
from yunwei.kernel.i18n import _
from yunwei.ledger import services as ledger
from yunwei.ledger.keys import instance


def folder() -> Path:
    """The folder of keys of this instance."""
    return instance() / "keys"


def make(path: Path) -> sm2.PrivateKey:
    """The private key at a path, made at first use (0600). Raises JobError when others may read it."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as f:
            f.write(sm2.generate().to_pem())
            f.flush()
            os.fsync(f.fileno())
        try:
            os.link(new, path)  # fails when another process was faster: theirs counts
        except FileExistsError:
            pass
        finally:
            new.unlink()
    facts = path.stat()
    if facts.st_mode & 0o077:
        raise JobError(_("采集密钥的权限过宽"), where=str(path), hint="chmod 600")
    return _read(path, facts.st_mtime_ns)


@lru_cache(maxsize=32)
def _read(path: Path, mtime: int) -> sm2.PrivateKey:  # noqa: ARG001 - a changed file is read again
    return sm2.PrivateKey.from_pem(path.read_bytes())


def platform() -> sm2.PrivateKey:
    """The key that signs jobs."""
    return make(folder() / "platform.pem")


def is_remote(zone: str) -> bool:
    """Whether the zone's collector is another installation that exchanges files."""
    return (folder() / f"collector-{_plain(zone)}.pub").exists()


def collector_public(zone: str) -> sm2.PublicKey:
    """The key that a zone's credentials are sealed to and that its results are signed with."""
    path = folder() / f"collector-{_plain(zone)}.pub"
    return sm2.PublicKey.from_pem(path.read_bytes()) if path.exists() else collector(zone).public


def collector(zone: str) -> sm2.PrivateKey:
    """The private key of the collector on this machine."""
    return make(folder() / f"collector-{_plain(zone)}.pem")


@lru_cache(maxsize=32)
def _ring(path: Path, fingerprint: str) -> Keyring:  # noqa: ARG001 - a changed key makes another ring
    return Keyring(make(path))


def keyring(zone: str) -> Keyring:
    """What opens and seals for the collector on this machine."""
    return _ring(folder() / f"collector-{_plain(zone)}.pem", collector(zone).public.fingerprint)


def trust(zone: str, pem: bytes, *, now: datetime, actor: str = "system:cli") -> str:
    """Note the public key of a zone's collector elsewhere, in the ledger too; returns its fingerprint.

    Raises JobError for a zone that the inventory does not have: its results could never be asked for.
    """
    if not Zone.objects.filter(code=zone).exists():
        raise JobError(_("没有这个区域"), where=zone, hint=_("先导入该区域的资产"))
    public = sm2.PublicKey.from_pem(pem)
    path = folder() / f"collector-{_plain(zone)}.pub"
    with transaction.atomic():
        ledger.record("inspect.collector.trusted", zone, {"key": public.fingerprint}, at=now, actor=actor)
        path.write_bytes(public.to_pem())
    return public.fingerprint


def _plain(zone: str) -> str:
    if not zone or not all(c.isalnum() or c in "-_" for c in zone):
        raise JobError(_("区域代码只能含字母、数字、横线和下划线"), where=zone)
    return zone
