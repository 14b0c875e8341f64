"""Logins for equipment, sealed with SM4 under keys that lie beside the database and never in it (合同 8.1.1).

`keys/credentials.keys` holds one key a line (id, 32 hex digits, mode 0600); the newest one, the last, seals. A key's
id is the head of its SM3, so a damaged line is noticed. The row's name is bound into the seal: a sealed text that was
moved to another row does not open. Whoever holds both database and key file holds the secrets: see the threat model.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import NoReturn, Protocol

import msgspec
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from yunwei.assets.errors import CredentialError
from yunwei.assets.models import Credential
from yunwei.gm import sm3, sm4
from yunwei.gm.errors import GmError
from yunwei.ledger import services as ledger
from yunwei.ledger.artifacts import sync_folder
from yunwei.snmp.errors import SnmpError
from yunwei.snmp.usm import V3

KEY_FILE = "credentials.keys"
_SNMP3 = ("user", "auth_proto", "auth_password", "priv_proto", "priv_password")
#: per kind: the fields it may have, and which of them must not be empty
FIELDS: dict[str, tuple[str, ...]] = {
    "snmp2c": ("community",),
    "snmp3": _SNMP3,
    "redfish": ("user", "password"),
    "ssh": ("user", "password", "private_key", "passphrase"),
}
REQUIRED: dict[str, tuple[str, ...]] = {
    "snmp2c": ("community",),
    "snmp3": ("user",),
    "redfish": ("user", "password"),
    "ssh": ("user",),
}
#: fields that people may see; everything else is hidden while it is typed
OPEN_FIELDS = frozenset({"user", "auth_proto", "priv_proto"})
#: the protocols a kind of credential serves
PROTOCOL_OF = {"snmp2c": "snmp", "snmp3": "snmp", "redfish": "redfish", "ssh": "ssh"}
MAX_FIELD = 16384
_NAME = re.compile(r"[\w.-]{1,60}")


class Secret(Mapping[str, str]):
    """A credential in clear. Reads like a mapping; shows, prints, formats and pickles nothing of it."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = dict(fields)

    def __getitem__(self, name: str) -> str:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


class Sealer(Protocol):
    """Something that seals for one collector."""

    def seal(self, content: Mapping[str, str]) -> str: ...


def create_key(folder: Path) -> str:
    """Make the key file of a new instance in its `keys` folder; gives the key's id. Refuses to overwrite one."""
    path = folder / KEY_FILE
    if path.exists():
        raise CredentialError(_("凭据密钥已经存在，不会覆盖"), where=str(path))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = sm4.new_key()
    _write(path, {_id(key): key})
    return _id(key)


def put(
    name: str, kind: str, content: Mapping[str, object], *, now: datetime, actor: str = "system:assets"
) -> Credential:
    """Store a credential under a name, replacing the one there. The ledger says that it was set, not what it is.

    Raises CredentialError for an unknown kind or field, a missing one, or SNMPv3 parameters that cannot work.
    """
    if not _NAME.fullmatch(name):
        raise CredentialError(_("凭据名称只能用字母、数字、汉字和 . _ -，最多 60 个字"), where=name[:60])
    fields = checked(kind, content, where=name)
    key_id, key = current()
    with transaction.atomic():
        row = Credential.objects.select_for_update().filter(name=name).first() or Credential(name=name)
        if row.pk and row.kind == kind and row.key_id in _keys(key_path()) and dict(open_(row)) == fields:
            return row
        row.kind, row.key_id, row.changed_at = kind, key_id, now
        row.sealed = sm4.seal(key, msgspec.json.encode(fields), _bound(name))
        row.save()
        ledger.record("assets.credential.set", name, {"kind": kind, "key": key_id}, at=now, actor=actor)
    return row


def checked(kind: str, content: Mapping[str, object], *, where: str = "") -> dict[str, str]:
    """The fields of a credential of this kind, empty ones left out. Raises CredentialError, naming fields only."""
    if kind not in FIELDS:
        raise CredentialError(_("没有这种凭据：{kind}").format(kind=kind), where=where, hint="、".join(FIELDS))
    fields = {("user" if k == "username" else k): v for k, v in content.items() if k != "kind" and v not in (None, "")}
    unknown = sorted(set(fields) - set(FIELDS[kind]))
    if unknown:
        text = _("不认识的字段：{names}").format(names="、".join(unknown))
        raise CredentialError(text, where=where, hint="、".join(FIELDS[kind]))
    missing = [name for name in REQUIRED[kind] if name not in fields]
    if kind == "ssh" and not {"password", "private_key"} & set(fields):
        missing.append("password / private_key")
    if missing:
        raise CredentialError(_("缺少字段：{names}").format(names="、".join(missing)), where=where)
    wrong = sorted(k for k, v in fields.items() if not isinstance(v, str) or len(v) > MAX_FIELD or "\0" in v)
    if wrong:
        raise CredentialError(_("字段的值不可用：{names}").format(names="、".join(wrong)), where=where)
    texts = {k: str(v) for k, v in fields.items()}
    if kind == "snmp3":
        try:
            V3(**texts).check()
        except SnmpError as e:
            raise CredentialError(e.message, where=where, hint=e.hint) from None
    return texts


def open_(credential: Credential) -> Secret:
    """The credential in clear. Raises CredentialError when its key is not here or the seal is broken."""
    key = _keys(key_path()).get(credential.key_id)
    if key is None:
        hint = _("恢复密钥文件，或重新登记该凭据")
        raise CredentialError(_("没有密封该凭据的密钥"), where=credential.name, hint=hint)
    try:
        fields = msgspec.json.decode(sm4.unseal(key, bytes(credential.sealed), _bound(credential.name)))
    except (GmError, msgspec.DecodeError):
        hint = _("重新登记该凭据，并查明数据库是否被改动")
        raise CredentialError(_("密封的凭据打不开：已被改动"), where=credential.name, hint=hint) from None
    return Secret(fields)


def reseal(credential: Credential, sealer: Sealer) -> str:
    """The credential sealed to one collector, for a job; the clear text stays inside this call."""
    return sealer.seal(open_(credential))


def rotate(*, now: datetime, actor: str) -> tuple[str, int]:
    """Seal every credential under a new key; gives its id and how many rows. The old keys stay until `drop_unused`.

    The new key is on disk before any row uses it, so a crash in between leaves everything readable. A row that does
    not open stops the rotation and nothing is changed.
    """
    key = sm4.new_key()
    path = key_path()
    _write(path, {**_keys(path), _id(key): key})
    with transaction.atomic():
        rows = list(Credential.objects.select_for_update().order_by("pk"))
        for row in rows:
            secret = open_(row)
            row.sealed = sm4.seal(key, msgspec.json.encode(dict(secret)), _bound(row.name))
            row.key_id = _id(key)
        Credential.objects.bulk_update(rows, ["sealed", "key_id"], batch_size=500)
        ledger.record("assets.credential.rotated", _id(key), {"rows": len(rows)}, at=now, actor=actor)
    return _id(key), len(rows)


def drop_unused() -> int:
    """Forget keys that seal no row any more (a database backup older than the rotation can then not be opened)."""
    path = key_path()
    keys = _keys(path)
    newest = list(keys)[-1]
    used = set(Credential.objects.values_list("key_id", flat=True)) | {newest}
    _write(path, {ident: key for ident, key in keys.items() if ident in used})
    return len(keys.keys() - used)


def key_path() -> Path:
    """Where this instance's keys lie. Raises CredentialError when the process has no instance."""
    root = getattr(settings, "INSTANCE", None)
    if root is None:
        raise CredentialError(_("没有指定实例目录"), hint=_("请设置 YUNWEI_INSTANCE 或用 --instance"))
    return Path(root) / "keys" / KEY_FILE


def current() -> tuple[str, bytes]:
    """The id and the key that seal now."""
    return list(_keys(key_path()).items())[-1]


def _bound(name: str) -> bytes:
    return b"credential:" + name.encode()


def _id(key: bytes) -> str:
    return sm3.digest(b"yunwei credential key" + key).hex()[:16]


def _keys(path: Path) -> dict[str, bytes]:
    try:
        status = path.stat()
    except OSError:
        hint = _("从备份恢复 keys 目录；没有备份则须重新登记全部凭据")
        raise CredentialError(_("找不到凭据密钥文件"), where=str(path), hint=hint) from None
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise CredentialError(_("凭据密钥文件可被他人读取"), where=str(path), hint=f"chmod 600 {path}")
    return _parse(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _parse(path: Path, mtime: int, size: int) -> dict[str, bytes]:  # noqa: ARG001 - a changed file is read again
    keys: dict[str, bytes] = {}
    try:
        for line in path.read_text(encoding="ascii").split("\n"):
            if line:
                ident, _space, digits = line.partition(" ")
                keys[ident] = bytes.fromhex(digits)
    except (OSError, ValueError):
        keys = {"": b""}
    if not keys or any(_id(key) != ident for ident, key in keys.items()):
        raise CredentialError(_("凭据密钥文件损坏"), where=str(path), hint=_("从备份恢复该文件"))
    return keys


def _write(path: Path, keys: Mapping[str, bytes]) -> None:
    """Replace the key file in one step: either the old or the new one is there, whole, whatever happens."""
    temporary = path.with_suffix(".new")
    try:
        temporary.unlink(missing_ok=True)
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as f:
                f.writelines(f"{ident} {key.hex()}\n" for ident, key in keys.items())
                f.flush()
                os.fsync(f.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as e:
        text = _("凭据密钥写不下去：{why}").format(why=e.strerror or e)
        raise CredentialError(text, where=str(path), hint=_("请检查磁盘空间与权限")) from e
