"""A letter to the other party in the layout of GB/T 9704-2012: 整改通知回复, 验收申请, 报送函.

The writer gives plain text; the layout is the standard's: margins, 22 lines of 28 characters, fonts by the level of a
heading, 主送 flush left, 附件 below the body, 落款 and 成文日期 at the right, page numbers between 一字线.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import yaml
from django.conf import settings
from django.utils.translation import gettext as _

from yunwei.reports import fonts, typeset
from yunwei.reports.errors import ReportError
from yunwei.reports.typeset import Press, breakable, mapped

JSON = Any
MAX_BYTES = 1_000_000
_FIRST = re.compile(r"[一二三四五六七八九十百]+、[^。！？；]{1,60}")
_SECOND = re.compile(r"（[一二三四五六七八九十百]+）")
AUTHOR = "云维"


class Letter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a letter says. `body` are its paragraphs; "一、…" and "（一）…" at their beginning make headings.

    `letterhead` is the red 发文机关标志 (left out for a plain letter), `number` the 发文字号 with 〔year〕.
    """

    title: str
    to: list[str]
    body: list[str]
    sender: str
    date: date
    attachments: list[str] = []
    number: str = ""
    letterhead: str = ""


def load(path: Path) -> Letter:
    """The letter of a YAML file. Raises ReportError that names the field and what it should be."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ReportError(_("文件太大，上限 1 MB"), where=str(path))
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ReportError(_("读不懂这个文件"), where=where, hint=_("YAML，UTF-8 编码")) from None
    try:
        return checked(msgspec.convert(told, Letter))
    except msgspec.ValidationError as error:
        hint = _("字段：{names}").format(names="、".join(Letter.__struct_fields__))
        raise ReportError(_("信函的内容不合格式：{why}").format(why=error), where=str(path), hint=hint) from None


def checked(letter: Letter) -> Letter:
    """The letter, if everything that the layout needs is there. Raises ReportError."""
    needed = {"title": letter.title, "sender": letter.sender, "to": "".join(letter.to), "body": "".join(letter.body)}
    for name, text in needed.items():
        if not text.strip():
            raise ReportError(_("信函缺少内容"), where=name)
    if letter.number and not re.search(r"〔\d{4}〕", letter.number):
        raise ReportError(_("发文字号的年份用六角括号括全称"), where=letter.number[:40], hint="〔2026〕")
    return letter


def content(letter: Letter, press: Press) -> dict[str, JSON]:
    """What the template is given: paragraphs with their level, everything printable."""
    told: dict[str, JSON] = {
        "title": letter.title.strip().split("\n"),
        "to": "，".join(t.strip() for t in letter.to),
        "body": [_paragraph(p) for p in letter.body if p.strip()],
        "attachments": [a.strip() for a in letter.attachments],
        "sender": letter.sender.strip(),
        "date": f"{letter.date.year}年{letter.date.month}月{letter.date.day}日",
        "number": letter.number.strip(),
        "letterhead": letter.letterhead.strip(),
        "mark": _("演示") if settings.YUNWEI.get("demo", False) else "",
        "author": letter.sender.strip(),
    }
    made: dict[str, JSON] = mapped(told, lambda text: breakable(press.text(text)))
    return made


def _paragraph(text: str) -> dict[str, JSON]:
    """A paragraph and which part of it is set as a heading: 一、 in 黑体, （一） in 楷体, the rest in 仿宋."""
    plain = " ".join(text.split())
    if _FIRST.fullmatch(plain):
        return {"role": "hei", "head": plain, "text": ""}
    if _SECOND.match(plain):
        head, stop, rest = plain.partition("。")
        return {"role": "kai", "head": head + stop, "text": rest}
    return {"role": "", "head": "", "text": plain}


def pdf(letter: Letter) -> bytes:
    """The letter as an archival, tagged PDF. Raises ReportError when there is no Chinese font."""
    chosen = fonts.choose(fonts.faces(settings.INSTANCE))
    at = datetime.combine(letter.date, time(), ZoneInfo(settings.TIME_ZONE)).astimezone(UTC)
    with typeset.Press(chosen) as press:
        return press.pdf("letter.typ", content(letter, press), at=at)


def fields() -> Mapping[str, str]:
    """The fields of a letter and their types, for the documentation's test."""
    return {f.name: str(f.type) for f in msgspec.structs.fields(Letter)}
