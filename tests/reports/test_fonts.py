"""Font roles: the instance's own folder first, stand-ins are said to be stand-ins, missing characters are named."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path
from typing import Any

import pypdf
import pytest
from django.conf import settings
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from yunwei.reports import fonts, letter, typeset
from yunwei.reports.errors import ReportError
from yunwei.reports.letter import Letter


def make_font(
    path: Path,
    english: str,
    chinese: str,
    characters: str,
    *,
    weight: int = 400,
    fs_type: int = 0,
    variable: bool = False,
) -> None:
    """A font of squares with both names, as a licensed face has them."""
    pen = TTGlyphPen(None)
    for point, (x, y) in enumerate([(50, 0), (50, 800), (950, 800), (950, 0)]):
        (pen.moveTo if point == 0 else pen.lineTo)((x, y))
    pen.closePath()
    square = pen.glyph()
    names = [".notdef", *(f"u{ord(c):X}" for c in characters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(c): f"u{ord(c):X}" for c in characters})
    builder.setupGlyf(dict.fromkeys(names, square))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 50)))
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupNameTable({"familyName": english, "styleName": "Regular", "psName": english.replace(" ", "")})
    builder.font["name"].setName(chinese, 1, 3, 1, 0x804)  # the Windows name in Chinese
    builder.setupOS2(sTypoAscender=880, sTypoDescender=-120, usWeightClass=weight, fsType=fs_type)
    builder.setupPost()
    if variable:
        builder.setupFvar([("wght", 100, 400, 900, "Weight")], [])
    path.parent.mkdir(parents=True, exist_ok=True)
    builder.save(path)


def test_this_machine_has_a_face_for_every_role(chosen: dict[str, fonts.Chosen]) -> None:
    assert set(chosen) == set(fonts.STACKS)
    for choice in chosen.values():
        assert not fonts.missing(choice.face, ["青浦区电子政务云平台运维项目", "喆玥琎祎慜曌", "№—“”、。〔〕"])


def test_a_dropped_in_face_wins_under_its_chinese_name_and_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_font(tmp_path / "fonts" / "sub" / "fs.ttf", "FangSong_GB2312", "仿宋_GB2312", "正文仿")
    chosen = fonts.choose(fonts.faces(tmp_path))
    fangsong = chosen["fangsong"]
    assert (fangsong.family, fangsong.face.own, fangsong.first_choice) == ("仿宋_GB2312", True, True)
    assert not chosen["hei"].face.own
    assert "fs.ttf" in fonts.digests(chosen)
    assert fonts.missing(fangsong.face, ["正文 仿宋"]) == ["宋"]
    monkeypatch.setattr(settings, "INSTANCE", tmp_path)
    made = letter.pdf(Letter("标题", ["甲"], ["正文仿宋"], "乙", date(2026, 11, 30)))
    page = pypdf.PdfReader(io.BytesIO(made)).pages[0]
    used = {str(f.get_object()["/BaseFont"]) for f in page["/Resources"]["/Font"].values()}
    assert any("FangSong" in name for name in used)
    assert "正文仿宋" in page.extract_text()  # the one it lacks came from the face behind it


def test_what_cannot_be_used_is_passed_over_and_named(tmp_path: Path) -> None:
    folder = tmp_path / "fonts"
    make_font(folder / "locked.ttf", "FangSong_GB2312", "仿宋_GB2312", "正", fs_type=0x0002)
    make_font(folder / "variable.ttf", "KaiTi_GB2312", "楷体_GB2312", "正", variable=True)
    (folder / "broken.ttf").write_bytes(b"\x00\x01\x00\x00 nonsense")
    (folder / "bomb.ttc").write_bytes(b"ttcf\x00\x01\x00\x00\xff\xff\xff\xff" + b"\x00" * 100)
    (folder / "readme.txt").write_text("no font")
    chosen = fonts.choose(fonts.faces(tmp_path))
    assert not [c for c in chosen.values() if c.face.own]
    assert {p.name for p in fonts.unreadable(tmp_path)} == {"locked.ttf", "variable.ttf", "broken.ttf", "bomb.ttc"}


def test_without_a_chinese_face_nothing_is_made(tmp_path: Path) -> None:
    make_font(tmp_path / "fonts" / "latin.ttf", "Latin", "Latin", "abc")
    own = [f for f in fonts.faces(tmp_path) if f.own]
    assert own
    with pytest.raises(ReportError) as caught:
        fonts.choose(own)
    assert "fonts/" in caught.value.hint


def test_another_font_file_is_another_digest(tmp_path: Path) -> None:
    for text in ("正文", "正文仿"):
        make_font(tmp_path / text / "fonts" / "fs.ttf", "FangSong_GB2312", "仿宋_GB2312", text)
    one, two = (fonts.digests(fonts.choose(fonts.faces(tmp_path / t)))["fs.ttf"] for t in ("正文", "正文仿"))
    assert one != two


def test_the_typesetter_sees_the_chosen_files_and_no_other(chosen: dict[str, fonts.Chosen]) -> None:
    with typeset.Press(chosen) as press:
        families = set(press._fonts.families())
    files = {p.resolve() for p in fonts.used(chosen)}
    known = {name for f in fonts.faces(None) if Path(f.path).resolve() in files for name in f.names}
    assert {f.lower() for f in families} <= {k.lower() for k in known}
    assert not any("dejavu" in f.lower() or "liberation" in f.lower() for f in families)


def test_very_long_words_get_places_to_break_and_short_ones_none() -> None:
    long = typeset.breakable("型号 " + "A" * 45 + " 短 short-word")
    parts = long.split(" ")[1].split(typeset.ZERO_WIDTH_SPACE)
    assert "".join(parts) == "A" * 45
    assert max(map(len, parts)) <= typeset.LONGEST // 2
    assert long.endswith(" 短 short-word")


def test_what_has_no_glyph_is_named_by_its_number(chosen: dict[str, fonts.Chosen]) -> None:
    with typeset.Press(chosen) as press:
        assert press.text("正常 abc № 1\n2") == "正常 abc № 1\n2"
        assert press.text("a\u202eb\x00\ue000\U0001f600\ud800") == "a‹U+202E›b‹U+0000›‹U+E000›‹U+1F600›‹U+D800›"
        assert press.text("a\tb\u2028c") == "a b c"


@pytest.mark.django_db
def test_doctor_names_the_face_of_each_role_and_what_names_lack(
    contract: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yunwei.accounts.models import Organisation
    from yunwei.server import doctor

    Organisation.objects.create(code="odd", name="区\U0002a6d7单位", party="T")
    told: dict[str, Any] = {f["what"]: f for f in doctor._fonts(contract)}
    assert {"字体 仿宋", "字体 小标宋", "字体 楷体", "字体 黑体", "字体 宋体"} <= set(told)
    stand_in = [f for f in told.values() if "代用" in f["found"]]
    assert all(f["state"] == "note" and "fonts/" in f["hint"] for f in stand_in)
    has = fonts.coverage(fonts.choose(fonts.faces(contract))["hei"].face)
    if 0x2A6D7 not in has:
        assert "\U0002a6d7" in told["字体 黑体"]["found"]
        assert told["字体 黑体"]["state"] == "note"


@pytest.mark.django_db
def test_doctor_says_when_no_document_can_be_made(contract: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from yunwei.server import doctor

    monkeypatch.setattr(fonts, "faces", lambda _instance: [])
    (only,) = list(doctor._fonts(contract))
    assert only["state"] == "fault"
