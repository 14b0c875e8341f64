"""Which face each font role of a document gets: the instance's `fonts/` folder first, then what the system has.

Roles, not names: a letter asks for 仿宋, and gets the client's licensed 仿宋_GB2312 where somebody dropped it in, else the
nearest face there is. What was taken is recorded with its file's digest, because other fonts give other bytes.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _
from fontTools.ttLib import TTFont, TTLibError, sfnt

from yunwei.gm import sm3
from yunwei.reports.errors import ReportError

DROP_IN = "fonts"
SUFFIXES = frozenset({".ttf", ".otf", ".ttc", ".otc"})
#: what a folder may hold before we stop looking into it
MOST_FILES = 4000
BOLD = 700
#: each role's faces, best first. The last ones cover GB 2312 and names completely and are free (OFL).
STACKS: Mapping[str, tuple[str, ...]] = {
    "fangsong": (
        "仿宋_GB2312", "FangSong_GB2312", "方正仿宋_GBK", "FZFangSong-Z02", "仿宋", "FangSong", "华文仿宋", "STFangsong",
        "FandolFang R", "FandolFang", "Source Han Serif SC", "思源宋体", "Noto Serif CJK SC", "Noto Serif SC",
    ),
    "xiaobiaosong": (
        "方正小标宋简体", "FZXiaoBiaoSong-B05S", "方正小标宋_GBK", "FZXiaoBiaoSong-B05", "华文中宋", "STZhongsong",
        "Source Han Serif SC", "思源宋体", "Noto Serif CJK SC", "Noto Serif SC",
    ),
    "kai": (
        "楷体_GB2312", "KaiTi_GB2312", "方正楷体_GBK", "楷体", "KaiTi", "华文楷体", "STKaiti", "LXGW WenKai GB", "LXGW WenKai",
        "霞鹜文楷", "FandolKai", "Noto Serif CJK SC", "Noto Serif SC", "Source Han Serif SC",
    ),
    "hei": (
        "黑体", "SimHei", "方正黑体_GBK", "华文黑体", "STHeiti", "Source Han Sans SC", "思源黑体", "Noto Sans CJK SC",
        "Noto Sans SC", "WenQuanYi Zen Hei",
    ),
    "song": (
        "宋体", "SimSun", "方正书宋_GBK", "华文宋体", "STSong", "Source Han Serif SC", "思源宋体", "Noto Serif CJK SC",
        "Noto Serif SC", "FandolSong",
    ),
}  # fmt: skip
#: the face made for the role itself: the title's 小标宋 is a bold cut, so a serif that stands in for it is taken bold
HEAVY = frozenset({"xiaobiaosong"})
#: what reading a file that is no font may raise (struct.error and TTLibError are plain Exceptions, caught by name)
BROKEN = (
    OSError,
    LookupError,
    ArithmeticError,
    ValueError,
    AssertionError,
    AttributeError,
    TypeError,
    MemoryError,
    struct.error,
    TTLibError,
)
#: what OS/2 fsType says when a font may not be embedded in documents at all (OpenType, OS/2: bit 1 alone)
RESTRICTED = 0x0002


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a font file: its family names in all languages, weight, index in the file, whose folder it lies in."""

    path: str
    index: int
    names: tuple[str, ...]
    weight: int
    italic: bool
    variable: bool
    restricted: bool
    own: bool  # from the instance's drop-in folder

    @property
    def file(self) -> str:
        return Path(self.path).name


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a role got: the family name to ask the typesetter for, the regular face and the bold one if there is one."""

    role: str
    family: str
    regular: Face
    bold: Face | None
    first_choice: bool  # the role's own design, not a stand-in

    @property
    def face(self) -> Face:
        """The face that most of its text is set in."""
        return self.bold if self.role in HEAVY and self.bold is not None else self.regular


def folders(instance: Path | None) -> list[tuple[Path, bool]]:
    """Where fonts are looked for, in order; True: the instance's own."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    system = [Path("/usr/local/share/fonts"), Path("/usr/share/fonts"), data / "fonts", Path.home() / ".fonts"]
    own = [(instance / DROP_IN, True)] if instance is not None else []
    return [(p, o) for p, o in [*own, *((p, False) for p in system)] if p.is_dir()]


def files(folder: Path) -> list[Path]:
    """The font files of a folder and those below it, in a fixed order."""
    found = (Path(root) / name for root, _dirs, names in os.walk(folder, followlinks=False) for name in names)
    return sorted(p for p in found if p.suffix.lower() in SUFFIXES)[:MOST_FILES]


def faces(instance: Path | None) -> list[Face]:
    """Every face there is, the instance's own first. A file that is no font is passed over: doctor names it."""
    out: list[Face] = []
    for folder, own in folders(instance):
        for path in files(folder):
            stat = path.stat()
            out += list(_faces(str(path), stat.st_mtime_ns, stat.st_size, own))
    return out


@lru_cache(maxsize=2 * MOST_FILES)
def _faces(path: str, _mtime: int, _size: int, own: bool) -> tuple[Face, ...]:
    out = []
    try:
        with Path(path).open("rb") as f:
            count = sfnt.readTTCHeader(f).numFonts if f.read(4) == b"ttcf" and f.seek(0) == 0 else 1
        for index in range(count):
            # our own handle: one that fontTools opened stays open when it finds the file broken
            with Path(path).open("rb") as f, TTFont(f, fontNumber=index, lazy=True) as font:
                out.append(_face(font, path, index, own))
    except BROKEN:
        return ()  # broken or hostile: not a font to us
    return tuple(out)


def _face(font: Any, path: str, index: int, own: bool) -> Face:
    records = font["name"].names
    families = {str(r.toUnicode(errors="replace")) for r in records if r.nameID in (1, 16)}
    os2 = font.get("OS/2", None)
    style = {str(r.toUnicode(errors="replace")).lower() for r in records if r.nameID in (2, 17)}
    return Face(
        path,
        index,
        tuple(sorted(families)),
        int(os2.usWeightClass) if os2 is not None else 400,
        any("italic" in s or "oblique" in s for s in style),
        "fvar" in font,
        os2 is not None and int(os2.fsType) & 0x000F == RESTRICTED,
        own,
    )


def choose(available: Sequence[Face]) -> dict[str, Chosen]:
    """The face of every role. Raises ReportError when a role gets none at all: a document without glyphs is none."""
    usable = [f for f in available if not (f.italic or f.variable or f.restricted)]
    out: dict[str, Chosen] = {}
    for role, stack in STACKS.items():
        found = next((c for place, name in enumerate(stack) if (c := _pick(role, name, place, usable))), None)
        if found is None:
            raise ReportError(
                _("没有可用的中文字体，无法出具文件"),
                where=role,
                hint=_("把字体放进实例的 fonts/ 目录，或安装 fonts-noto-cjk"),
            )
        out[role] = found
    return out


def _pick(role: str, name: str, place: int, usable: Sequence[Face]) -> Chosen | None:
    named = [f for f in usable if name in f.names]
    if not named:
        return None
    own = [f for f in named if f.own] or named
    regular = min(own, key=lambda f: (abs(f.weight - 400), f.path, f.index))
    bold = min((f for f in own if f.weight >= 600), key=lambda f: (abs(f.weight - BOLD), f.path), default=None)
    return Chosen(role, name, regular, bold, first_choice=not _stands_in(role, place))


def _stands_in(role: str, place: int) -> bool:
    """Whether a place in the stack is a stand-in of another design."""
    serif = {"Source Han Serif SC", "思源宋体", "Noto Serif CJK SC", "Noto Serif SC"}
    return role in {"fangsong", "kai", "xiaobiaosong"} and STACKS[role][place] in serif


def used(chosen: Mapping[str, Chosen]) -> list[Path]:
    """The files that the chosen faces lie in."""
    of = {f.path for c in chosen.values() for f in (c.regular, c.bold) if f is not None}
    return [Path(p) for p in sorted(of)]


@lru_cache(maxsize=64)
def _digest(path: str, _mtime: int, _size: int) -> str:
    return sm3.hexdigest(Path(path).read_bytes())


def digests(chosen: Mapping[str, Chosen]) -> dict[str, str]:
    """SM3 of every font file that is used, by file name: part of what decides a document's bytes."""
    return {p.name: _digest(str(p), (s := p.stat()).st_mtime_ns, s.st_size) for p in used(chosen)}


def record(chosen: Mapping[str, Chosen]) -> dict[str, dict[str, Any]]:
    """What a report's own record says of its fonts: each role's family and file."""
    return {
        role: {"family": c.family, "file": c.face.file, "stand_in": not c.first_choice, "own": c.face.own}
        for role, c in sorted(chosen.items())
    }


@lru_cache(maxsize=16)
def _coverage(path: str, index: int, _mtime: int) -> frozenset[int]:
    with Path(path).open("rb") as f, TTFont(f, fontNumber=index, lazy=True) as font:
        return frozenset(font.getBestCmap() or ())


def coverage(face: Face) -> frozenset[int]:
    """The code points a face has glyphs for."""
    return _coverage(face.path, face.index, Path(face.path).stat().st_mtime_ns)


def missing(face: Face, texts: Iterable[str]) -> list[str]:
    """The characters of some texts that a face has no glyph for, each once."""
    has = coverage(face)
    return sorted({c for text in texts for c in text if ord(c) not in has and not c.isspace()})


class Staged:
    """A folder that holds links to exactly the chosen files: the typesetter sees these fonts and no other."""

    def __init__(self, chosen: Mapping[str, Chosen]) -> None:
        self.chosen = chosen
        self._folder = tempfile.TemporaryDirectory(prefix="yunwei-fonts-")
        for i, path in enumerate(used(chosen)):
            (Path(self._folder.name) / f"{i:03}{path.suffix.lower()}").symlink_to(path.resolve())

    def __enter__(self) -> str:
        return self._folder.name

    def __exit__(self, *_exc: object) -> None:
        self._folder.cleanup()


def unreadable(instance: Path | None) -> Iterator[Path]:
    """Files of the drop-in folder that are no font, or one that cannot be used."""
    for folder, own in folders(instance):
        for path in files(folder) if own else ():
            stat = path.stat()
            known = _faces(str(path), stat.st_mtime_ns, stat.st_size, own)
            if not known or all(f.variable or f.restricted for f in known):
                yield path
