"""A zip archive that a stranger sent: is it safe to unpack? Pure function over bytes (docx and xlsx are zips)."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from dataclasses import dataclass

from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _


class ArchiveError(YunweiError):
    """An archive that is broken, encrypted or built to exhaust the machine."""


_HEAD = 4096
#: an XML file that comes to its root element without a DTD (NULs of UTF-16 taken out before)
_ROOT = re.compile(rb"[^<]{0,16}(?:<\?[^>]*>\s*|<!--(?:[^-]|-[^-])*-->\s*)*<[A-Za-z_]")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for one archive, in bytes; `ratio` is unpacked/packed for members over a megabyte."""

    packed: int = 32 * 2**20
    unpacked: int = 128 * 2**20
    entries: int = 2000
    ratio: int = 150


def check(content: bytes, *, where: str = "", limits: Limits | None = None) -> list[str]:
    """Refuse an archive that is broken or over the limits, else give the names in it. Nothing is unpacked.

    The declared sizes can be trusted as an upper bound: `zipfile` never gives more bytes than a member declares.
    """
    bounds = limits or Limits()
    if len(content) > bounds.packed:
        raise ArchiveError(_("文件过大"), where=where, hint=_("上限 {n} MB").format(n=bounds.packed >> 20))
    if content[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        hint = _("请用办公软件去掉密码，另存为 .docx 或 .xlsx")
        raise ArchiveError(_("这是加密文件或旧格式（.doc、.xls）"), where=where, hint=hint)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError, IndexError, UnicodeError) as e:
        raise ArchiveError(_("文件损坏或不完整"), where=where, hint=_("请重新导出或重新传送该文件")) from e
    if len(members) > bounds.entries:
        raise ArchiveError(_("压缩包内的文件过多"), where=where, hint=_("上限 {n} 个").format(n=bounds.entries))
    if any(m.flag_bits & 1 for m in members):
        raise ArchiveError(_("文件已加密"), where=where, hint=_("请去掉密码后重新保存"))
    bomb = any(m.file_size > 2**20 and m.file_size > bounds.ratio * max(m.compress_size, 1) for m in members)
    if bomb or sum(m.file_size for m in members) > bounds.unpacked:
        raise ArchiveError(_("压缩比异常，疑似压缩炸弹，已拒绝打开"), where=where, hint=_("请核实文件来源"))
    return [m.filename for m in members]


def refuse_doctype(content: bytes, *, where: str = "") -> None:
    """Refuse an archive with an XML member that begins with a DTD: office formats have none, attacks do."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            if not member.filename.endswith((".xml", ".rels", ".vml")):
                continue
            try:
                with archive.open(member) as f:
                    head = f.read(_HEAD)
            except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError, zlib.error) as e:
                raise ArchiveError(_("文件损坏或不完整"), where=where, hint=_("请重新导出或重新传送该文件")) from e
            if _ROOT.match(head.replace(b"\0", b"")) is None and head.strip():
                raise ArchiveError(_("内含文档类型声明，已拒绝打开"), where=where, hint=_("请核实文件来源"))
