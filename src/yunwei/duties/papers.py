"""What people say and bring, whole or not at all: one place for every room that takes a statement or a file as evidence.

What was said is evidence, so it is never cut to fit; what was brought is kept under a name that cannot mislead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.utils.translation import gettext as _

from yunwei.duties.errors import DutyError
from yunwei.kernel.errors import YunweiError
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Artifact

#: characters of a statement or an answer, of a note, of a file's name
MOST, NOTE, NAME = 1000, 300, 120
UNKNOWN = "application/octet-stream"
_KIND = re.compile(r"[\w.+-]+/[\w.+-]+(; charset=[\w-]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class File:
    """A file that somebody brings: name, content, media type."""

    name: str
    content: bytes
    media_type: str = UNKNOWN

    @property
    def shown(self) -> str:
        """Its name as it is kept beside the evidence: no path, no control or direction mark (it reads as what it is), the
        end (which tells its kind) always there."""
        name = "".join(c for c in self.name if c.isprintable()).replace("\\", "/").rpartition("/")[2]
        return name if len(name) <= NAME else f"{name[: NAME - 21]}…{name[-20:]}"

    @property
    def kind(self) -> str:
        """Its media type as the browser said it, where that is one; nothing here acts on it."""
        return self.media_type if len(self.media_type) <= 100 and _KIND.fullmatch(self.media_type) else UNKNOWN


def stored(file: File | None, where: str, error: type[YunweiError] = DutyError) -> Artifact:
    """Keep the file that an act must bring. Raises `error` when there is none, or an empty one."""
    if file is None or not file.content:
        raise error(_("需要附上文件作为证明"), where=where)
    return ledger.store(file.content, file.kind)


def said(text: str, where: str, error: type[YunweiError] = DutyError, most: int = MOST) -> str:
    """A statement or a reason that must be given, without the blanks around it. Raises `error` when it is empty or too
    long."""
    if not text.strip():
        raise error(_("需要写明情况或理由"), where=where)
    return bounded(text.strip(), where, error, most)


def bounded(text: str, where: str, error: type[YunweiError] = DutyError, most: int = MOST) -> str:
    """The text, whole or not at all. Raises `error` when it is longer than `most`, or holds what no database keeps."""
    if len(text) > most or "\x00" in text:
        raise error(_("文字过长或含有不可记录的字符；至多 {n} 字，更多请写入附件").format(n=most), where=where)
    return text
