"""The instance's signing key and folders.

The key lies in `keys/ledger.pem` with mode 0600, readable by the sequencer only; who holds the box holds the key,
which is why heads go to the client (law 2): a signature alone stops nobody who is graded.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from yunwei.gm import sm2
from yunwei.ledger.errors import LedgerError


def instance() -> Path:
    """The folder of the instance. Raises LedgerError when this process has none."""
    root = getattr(settings, "INSTANCE", None)
    if root is None:
        raise LedgerError(_("没有指定实例目录"), hint=_("请设置 YUNWEI_INSTANCE 或用 --instance"))
    return Path(root)


def key_file() -> Path:
    """Where the signing key lies."""
    return instance() / "keys" / "ledger.pem"


def create(folder: Path | None = None) -> str:
    """Make the signing key of a new instance and return its fingerprint. Raises LedgerError if there is one already.

    `folder` is the instance that `init` is making; by default the one of this process.
    """
    path = (folder / "keys" / "ledger.pem") if folder else key_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = sm2.generate()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise LedgerError(_("台账签名密钥已经存在，不会覆盖"), where=str(path)) from None
    with os.fdopen(handle, "wb") as f:
        f.write(key.to_pem())
        f.flush()
        os.fsync(f.fileno())
    return key.public.fingerprint


@lru_cache(maxsize=4)
def _load(path: Path, mtime: int) -> sm2.PrivateKey:  # noqa: ARG001 - a changed file is read again
    return sm2.PrivateKey.from_pem(path.read_bytes())


def signer(folder: Path | None = None) -> sm2.PrivateKey:
    """The signing key, of this process's instance or in another keys folder.

    Raises LedgerError when it is missing or others may read it.
    """
    path = folder / "ledger.pem" if folder else key_file()
    try:
        facts = path.stat()
    except OSError:
        raise LedgerError(_("找不到台账签名密钥"), where=str(path), hint=_("由 yunwei init 生成")) from None
    if facts.st_mode & 0o077:
        raise LedgerError(_("台账签名密钥的权限过宽"), where=str(path), hint="chmod 600")
    return _load(path, facts.st_mtime_ns)


def fingerprint(folder: Path | None = None) -> str:
    """SM3 of the public key, to be handed to the client once, apart from the bundles. `folder`: as for `signer`."""
    return signer(folder).public.fingerprint
