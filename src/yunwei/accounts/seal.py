"""Seals the few secrets that accounts have (seeds of one-time codes) with SM4 under a key beside the database.

`keys/accounts.key` holds one key (32 hex digits, mode 0600); it is made when first needed. It is not the key of the
equipment's credentials: who restores one has not the other. Without it the seeds do not open, and second factors are
set up anew after the security officer took the old ones away.
"""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from yunwei.accounts.errors import AccountError
from yunwei.gm import sm4
from yunwei.gm.errors import GmError

KEY_FILE = "accounts.key"


def seal(username: str, secret: bytes) -> bytes:
    """The secret, sealed; the account's name is bound in, so it does not open in another row."""
    return sm4.seal(_key(make=True), secret, _bound(username))


def open_(username: str, sealed: bytes) -> bytes:
    """The secret. Raises AccountError when the key is another one or the row was changed."""
    try:
        return sm4.unseal(_key(make=False), sealed, _bound(username))
    except GmError:
        hint = _("由安全管理员取消后重新绑定")
        raise AccountError(_("密封的动态口令种子打不开"), where=username, hint=hint) from None


def _bound(username: str) -> bytes:
    return b"totp:" + username.encode()


def _key(*, make: bool) -> bytes:
    root = getattr(settings, "INSTANCE", None)
    if root is None:
        raise AccountError(_("没有指定实例目录"), hint=_("请设置 YUNWEI_INSTANCE 或用 --instance"))
    path = Path(root) / "keys" / KEY_FILE
    if make and not path.exists():
        _make(path)
    try:
        if path.stat().st_mode & 0o077:
            raise AccountError(_("账号密钥文件可被他人读取"), where=str(path), hint=f"chmod 600 {path}")
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError:
        raise AccountError(_("找不到账号密钥文件"), where=str(path), hint=_("从备份恢复该文件")) from None
    except ValueError:
        key = b""
    if len(key) != sm4.KEY_SIZE:
        raise AccountError(_("账号密钥文件损坏"), where=str(path), hint=_("从备份恢复该文件"))
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{KEY_FILE}.{os.getpid()}.{os.urandom(4).hex()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as f:
            f.write(sm4.new_key().hex() + "\n")
            f.flush()
            os.fsync(f.fileno())
        try:
            os.link(draft, path)  # whole or not at all, and the first one stays
        except FileExistsError:
            return
    finally:
        draft.unlink()
