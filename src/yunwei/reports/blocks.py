"""A document as data: numbered sections of few kinds of blocks. PDF, DOCX and page draw the same tree. Pure.

Texts are plain text, never markup: whoever draws them escapes them. A figure stands beside its evidence number, or
beside the words that say that it has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

#: the colour classes of charts and pages; "" is plain ink
TONES = ("", "ok", "info", "warn", "bad", "unp", "mut")


class Cell(msgspec.Struct, frozen=True, omit_defaults=True):
    """One cell of a table."""

    text: str
    tone: str = ""


class Para(msgspec.Struct, frozen=True, tag="para"):
    """A paragraph."""

    text: str
    tone: str = ""


class Note(msgspec.Struct, frozen=True, tag="note"):
    """Something the reader must not miss: what is missing, what is not agreed."""

    text: str
    tone: str = ""


class Fact(msgspec.Struct, frozen=True):
    """A name and what is known of it; `evidence` "" where the fact is the contract's own."""

    name: str
    value: str
    evidence: str = ""
    tone: str = ""


class Facts(msgspec.Struct, frozen=True, tag="facts"):
    """Facts in lines."""

    rows: list[Fact]


class Tile(msgspec.Struct, frozen=True):
    """One key figure: the number large, what it counts below it, `under` says out of how many or why."""

    value: str
    name: str
    tone: str = ""
    under: str = ""


class Tiles(msgspec.Struct, frozen=True, tag="tiles"):
    """Key figures beside each other."""

    rows: list[Tile]


class Column(msgspec.Struct, frozen=True):
    """A column: `width` is its share of the line (0: as wide as its widest word), `align` left, center or right."""

    title: str
    width: float = 1.0
    align: str = "left"


class Table(msgspec.Struct, frozen=True, tag="table"):
    """A table; without rows `empty` is said instead. The last `totals` rows are sums."""

    title: str
    columns: list[Column]
    rows: list[list[Cell]]
    empty: str = ""
    totals: int = 0


class Chart(msgspec.Struct, frozen=True, tag="chart"):
    """A drawing of `charts/`, as wide as the line, and what it shows in words."""

    svg: str
    alt: str
    title: str = ""
    height: float = 0.0  # millimetres; 0: in proportion to its width


Block = Para | Note | Facts | Tiles | Table | Chart


class Section(msgspec.Struct, frozen=True):
    """A section; `number` is given by `numbered` so that all formats print the same one."""

    title: str
    blocks: list[Block] = []
    sections: list[Section] = []
    number: str = ""


class Document(msgspec.Struct, frozen=True):
    """A whole document. `title` is what it is of (the project), `name` what it is (运维月报), `cover` are the facts of its
    first page; `mark` stands there and `footer` on every page."""

    title: str
    name: str
    subtitle: str
    answer: str
    cover: list[Fact]
    sections: list[Section]
    mark: str = ""
    footer: str = ""
    toc: bool = True


_DIGITS = "零一二三四五六七八九"


def chinese(number: int) -> str:
    """1…99 in Chinese figures, as headings count."""
    tens, ones = divmod(number, 10)
    if not tens:
        return _DIGITS[ones]
    return ("" if tens == 1 else _DIGITS[tens]) + "十" + (_DIGITS[ones] if ones else "")


def numbered(sections: Sequence[Section], level: int = 1) -> list[Section]:
    """The sections with their numbers as documents of the administration have them: 一、 then （一） then 1．"""

    def form(n: int) -> str:
        return f"{chinese(n)}、" if level == 1 else f"（{chinese(n)}）" if level == 2 else f"{n}．"

    return [
        msgspec.structs.replace(s, number=s.number or form(i), sections=numbered(s.sections, level + 1))
        for i, s in enumerate(sections, 1)
    ]


def walk(sections: Sequence[Section], level: int = 1) -> Iterator[tuple[int, Section]]:
    """Every section with its level, in reading order."""
    for section in sections:
        yield level, section
        yield from walk(section.sections, level + 1)


def captioned(sections: Sequence[Section], forms: tuple[str, str], counts: list[int] | None = None) -> list[Section]:
    """The sections with their tables and charts numbered through the document; `forms` are "表 {n}" and "图 {n}".

    What has no title of its own (one table under a heading that names it) gets no number.
    """
    counts = counts if counts is not None else [0, 0]
    out = []
    for section in sections:
        blocks: list[Block] = []
        for block in section.blocks:
            if isinstance(block, Table | Chart) and block.title:
                which = 0 if isinstance(block, Table) else 1
                counts[which] += 1
                title = f"{forms[which].format(n=counts[which])}　{block.title}"
                blocks.append(msgspec.structs.replace(block, title=title))
            else:
                blocks.append(block)
        out.append(msgspec.structs.replace(section, blocks=blocks, sections=captioned(section.sections, forms, counts)))
    return out
