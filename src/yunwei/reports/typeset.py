"""PDF and PNG by typst: data goes in as JSON, never as markup; only the chosen fonts are seen; nothing is fetched.

Same data, same fonts, same typst: same bytes. The creation date of the file is the data's own moment.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import typst
from django.utils.translation import gettext as _

from yunwei.charts import paper
from yunwei.reports import fonts
from yunwei.reports.errors import ReportError

TEMPLATES = Path(__file__).resolve().parent / "typst"
#: archival (conformance level A: tagged, Unicode) and accessible at once
STANDARDS: list[Any] = ["a-2a", "ua-1"]
#: a word this long without a place to break gets some
LONGEST = 20
_RUN = re.compile(rf"[!-~¡-˯Ͱ-῿]{{{LONGEST + 1},}}")
_STEP = re.compile(rf"[!-~¡-˯Ͱ-῿]{{1,{LONGEST // 2}}}")
ZERO_WIDTH_SPACE = "\u200b"
#: marks that change the order of what is read, or hide: harmless to fonts, harmful to readers
_TRICKS = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]")


def version() -> str:
    """The typesetter's version: part of what decides a document's bytes."""
    return metadata.version("typst")


class Printed(dict[int, str]):
    """What is printed for a character, worked out once for each: itself, a space for a line's end, or its number."""

    def __init__(self, has: frozenset[int]) -> None:
        super().__init__()
        self._has = has

    def __missing__(self, code: int) -> str:
        c = chr(code)
        if c in " \n" or (code in self._has and not _TRICKS.match(c) and unicodedata.category(c)[0] != "C"):
            said = c
        else:
            said = " " if c in "\t\r\v\f\u2028\u2029" else f"‹U+{code:04X}›"
        self[code] = said
        return said


class Press:
    """A typesetter with the fonts of one instance. Use it as a context: the staged fonts go when it ends."""

    def __init__(self, chosen: Mapping[str, fonts.Chosen]) -> None:
        self.chosen = chosen
        self._staged = fonts.Staged(chosen)
        try:
            folder = self._staged.__enter__()
            self._fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[folder])
            known = {(Path(f.path or "").resolve(), f.index): f.family for f in self._fonts.fonts()}
            self.families = {role: self._family(c, known) for role, c in chosen.items()}
            every = frozenset[int]().union(*(fonts.coverage(c.face) for c in chosen.values()))
            self._printed = Printed(every)
        except BaseException:
            self._staged.__exit__()
            raise

    def __enter__(self) -> Press:
        return self

    def __exit__(self, *exc: object) -> None:
        self._staged.__exit__(*exc)

    @staticmethod
    def _family(chosen: fonts.Chosen, known: Mapping[tuple[Path, int], str]) -> str:
        """The name under which typst knows a face: of all its names, in all languages, it takes one."""
        found = known.get((Path(chosen.regular.path).resolve(), chosen.regular.index))
        if found is None:
            raise ReportError(_("排版程序读不了字体"), where=chosen.regular.file, hint=_("换用另一份字体文件"))
        return found

    def text(self, text: str) -> str:
        """A text as it can be printed: what no font has a glyph for, and what tricks the eye, is named by its number.

        An archival file may hold no text without a glyph, and a report may not leave out that something was there.
        """
        return text.translate(self._printed)

    def pdf(self, template: str, data: Mapping[str, Any], *, at: datetime) -> bytes:
        """A template with data as an archival, tagged PDF. Raises ReportError where the typesetter refuses."""
        made = self._compile(template, data, format="pdf", pdf_standards=STANDARDS, timestamp=int(at.timestamp()))
        return made if isinstance(made, bytes) else b"".join(made)

    def pages(self, template: str, data: Mapping[str, Any], *, ppi: float = 110) -> list[bytes]:
        """The same as pictures, one a page."""
        made = self._compile(template, data, format="png", ppi=ppi)
        return [made] if isinstance(made, bytes) else list(made)

    def picture(self, svg: str, *, width_mm: float, height_mm: float = 0, ppi: float = 220) -> bytes:
        """One drawing as PNG, for documents that cannot hold SVG; height 0 keeps its proportion."""
        data = {"svg": self.drawing(svg), "width": width_mm, "height": height_mm}
        return self.pages("picture.typ", data, ppi=ppi)[0]

    def drawing(self, svg: str) -> str:
        """One drawing as a file of its own, in colours and the font of this press."""
        return paper.on_paper(self.text(svg), self.families["hei"])

    def _compile(self, template: str, data: Mapping[str, Any], **options: Any) -> bytes | list[bytes]:
        content = {**data, "fonts": self.families, "heavy": self._heavy()}
        try:
            made = typst.compile(
                TEMPLATES / template, root=TEMPLATES, font_paths=self._fonts, ignore_system_fonts=True,
                sys_inputs={"data": json.dumps(content, ensure_ascii=False, sort_keys=True)}, **options,
            )  # fmt: skip
        except typst.TypstError as error:
            raise ReportError(_("排版失败：{why}").format(why=error.message), hint="；".join(error.hints)) from error
        return made  # type: ignore[no-any-return]

    def _heavy(self) -> list[str]:
        """Roles whose face is bold by design and whose stand-in must therefore be asked for in bold."""
        return [
            r
            for r in fonts.HEAVY
            if (c := self.chosen.get(r)) is not None and c.face is c.bold and c.bold is not c.regular
        ]


def breakable(text: str) -> str:
    """A text whose very long words may be broken: a serial of two hundred letters must not run out of its cell."""
    return _RUN.sub(lambda m: ZERO_WIDTH_SPACE.join(_STEP.findall(m[0])), text)


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Every text in a JSON value, changed; names of fields and drawings are left alone."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list | tuple):
        return [mapped(v, change) for v in value]
    if isinstance(value, dict):
        return {k: v if k in ("svg", "type", "tone", "align") else mapped(v, change) for k, v in value.items()}
    return value
