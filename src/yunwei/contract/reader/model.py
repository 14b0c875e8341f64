"""What the reader gives: plain data, JSON-able with msgspec; ids are stable as long as the text's numbering is."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

import msgspec

from yunwei.kernel.errors import YunweiError


class ReaderError(YunweiError):
    """A file the reader cannot or will not read; `where` is the file, `hint` what to do."""


class Style(StrEnum):
    """How a clause is numbered in the text; it decides the shape of the id."""

    PART = "part"  # 第一部分
    CHAPTER = "chapter"  # 第一章
    SECTION = "section"  # 第一节
    ANNEX = "annex"  # 附件一
    ARTICLE = "article"  # 第一条
    CHINESE = "chinese"  # 一、
    CHINESE_PAREN = "chinese_paren"  # （一）
    ARABIC = "arabic"  # 1. 1、
    DOTTED = "dotted"  # 1.1, 1.1.1
    PAREN = "paren"  # （1）
    HALF_PAREN = "half_paren"  # 1)
    LETTER = "letter"  # a.
    CIRCLE = "circle"  # ①
    NONE = "none"  # no number: a synthetic id


class Role(StrEnum):
    """What a clause is in the tree."""

    PREAMBLE = "preamble"  # PRE: all before the first article
    GROUP = "group"  # part, chapter, section, annex
    CLAUSE = "clause"  # something with a number
    PARAGRAPH = "paragraph"  # 12¶1: a paragraph without a number, where a clause has several
    LEAD = "lead"  # 10-lead: a paragraph before a list
    TAIL = "tail"  # 3-tail: a paragraph after a list
    SIGNATURE = "signature"  # SIG


class Clause(msgspec.Struct, frozen=True, omit_defaults=True):
    """One node of the clause tree. `line` is the first line in the source (docx: paragraph number), from 1."""

    id: str
    role: Role
    style: Style
    parent: str
    line: int
    number: str = ""  # as printed: "8、", "4.1.3", "a."
    title: str = ""
    text: str = ""  # the clause's own words without the number; lines re-joined

    @property
    def words(self) -> str:
        """Title and text together."""
        return f"{self.title} {self.text}".strip()


class Stray(msgspec.Struct, frozen=True):
    """A line that belongs to no clause, with the reason: a page number, a lonely date, a table of contents."""

    line: int
    text: str
    why: str


class Party(msgspec.Struct, frozen=True, omit_defaults=True):
    """One party as the text names it; `fields` holds what stands under it (地址, 电话 …), empty ones too."""

    role: str  # A | B | X
    label: str  # the word the text uses: 甲方, 采购人
    name: str
    line: int
    fields: dict[str, str] = msgspec.field(default_factory=dict)


class Amount(msgspec.Struct, frozen=True, omit_defaults=True):
    """A sum in yuan. `agrees` is None when only one of figures and capitals is given."""

    clause: str
    text: str
    value: Decimal | None = None
    capitals: str = ""
    capitals_value: Decimal | None = None

    @property
    def agrees(self) -> bool | None:
        """Whether figures and capitals say the same."""
        if self.value is None or self.capitals_value is None:
            return None
        return self.value == self.capitals_value


class Share(msgspec.Struct, frozen=True, omit_defaults=True):
    """One instalment. `share` in per cent; None with `rest` False means that the text does not say."""

    clause: str
    text: str
    share: Decimal | None = None
    rest: bool = False  # 尾款, 余款: what is left; the share is then derived
    days: int | None = None
    unit: str = ""  # working_day | calendar_day | month


class Term(msgspec.Struct, frozen=True, omit_defaults=True):
    """A time limit in the text, e.g. 10 个工作日内."""

    clause: str
    text: str
    n: int
    unit: str  # working_day | calendar_day | hour | minute | month | year | always (7×24)


class Period(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the text says about the service period; `blank` when the dates were left open."""

    clause: str
    text: str
    start: date | None = None
    end: date | None = None
    months: int | None = None
    anchor: str = ""  # what it runs from, in the text's words
    blank: bool = False


class Signature(msgspec.Struct, frozen=True, omit_defaults=True):
    role: str  # A | B | X
    line: int
    signer: str = ""
    date: date | None = None


class Blank(msgspec.Struct, frozen=True):
    """A place the text leaves open. `kind`: underline, label, colon, date, placeholder."""

    clause: str
    line: int
    kind: str
    near: str


class Duty(msgspec.Struct, frozen=True, omit_defaults=True):
    """A sentence that looks like a duty or a right. A guess by its words: people decide.

    `kind`: duty, ban, right, liability. `who`: A, B, AB, X (a third party or bidder), "" when the words do not tell.
    """

    clause: str
    kind: str
    who: str
    cue: str
    text: str


class Reading(msgspec.Struct, frozen=True, omit_defaults=True):
    """A whole text, read."""

    source: str
    encoding: str
    kind: str  # contract | tender | other
    title: str
    number: str
    clauses: list[Clause]
    parties: list[Party]
    amounts: list[Amount]
    instalments: list[Share]
    terms: list[Term]
    periods: list[Period]
    signatures: list[Signature]
    blanks: list[Blank]
    duties: list[Duty]
    strays: list[Stray]
    notes: list[str]  # what the reader noticed: gaps in the numbering, tracked changes
