"""Files as they come: encodings, Word documents, and files made to do harm."""

from __future__ import annotations

import contextlib
import io
import time
import zipfile

import docx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.contract_reader import texts

from yunwei.contract.reader import Reading, read, read_bytes
from yunwei.kernel.errors import YunweiError


def saved(document) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


@pytest.fixture
def word():
    """A contract as Word writes it: automatic numbers, a revision, an underlined blank, signatures in two columns."""
    document = docx.Document()
    numbering = document.part.numbering_part.element
    levels = "".join(
        f'<w:lvl w:ilvl="{i}"><w:start w:val="1"/><w:numFmt w:val="{form}"/><w:lvlText w:val="{text}"/></w:lvl>'
        for i, (form, text) in enumerate([("chineseCountingThousand", "第%1条"), ("decimal", "（%2）")])
    )
    numbering.insert(0, parse_xml(f'<w:abstractNum {nsdecls("w")} w:abstractNumId="77">{levels}</w:abstractNum>'))
    numbering.append(parse_xml(f'<w:num {nsdecls("w")} w:numId="77"><w:abstractNumId w:val="77"/></w:num>'))

    def numbered(text: str, level: int) -> None:
        p = document.add_paragraph(text)
        p._p.get_or_add_pPr().append(
            parse_xml(f'<w:numPr {nsdecls("w")}><w:ilvl w:val="{level}"/><w:numId w:val="77"/></w:numPr>')
        )

    document.add_paragraph("枫林区网络维护合同")
    document.add_paragraph("甲方：枫林区信息中心")
    document.add_paragraph("乙方：长风网络有限公司")
    numbered("服务内容", 0)
    numbered("乙方应每月巡检；", 1)
    numbered("乙方应按季报告。", 1)
    numbered("价款", 0)
    p = document.add_paragraph("合同总价人民币")
    p.add_run("      ").underline = True
    p.add_run("元，含税。")
    inserted = parse_xml(f'<w:ins {nsdecls("w")} w:id="1"><w:r><w:t>税率百分之六。</w:t></w:r></w:ins>')
    deleted = parse_xml(f'<w:del {nsdecls("w")} w:id="2"><w:r><w:delText>不含税。</w:delText></w:r></w:del>')
    p._p.append(inserted)
    p._p.append(deleted)
    moved = parse_xml(f'<w:moveFrom {nsdecls("w")} w:id="3"><w:r><w:t>移走的话。</w:t></w:r></w:moveFrom>')
    p._p.append(moved)
    numbered("", 0)  # an empty numbered paragraph is no clause
    numbered("保密", 0)
    document.add_paragraph("双方应当保密。")
    table = document.add_table(rows=1, cols=2)
    table.cell(0, 0).text = "甲方（盖章）："
    table.cell(0, 1).text = "乙方（盖章）："
    document.add_paragraph("日期：2026年1月5日    日期：2026年1月6日")
    return document


def test_word_numbers_revisions_and_blanks_are_read(word):
    r = read_bytes(saved(word), "x.docx")
    assert r.encoding == "docx"
    assert [c.id for c in r.clauses] == ["PRE", "1", "1(1)", "1(2)", "2", "3", "SIG"]
    assert [c.number for c in r.clauses[1:4]] == ["第一条", "（1）", "（2）"]
    two = next(c for c in r.clauses if c.id == "2")
    assert two.text == "合同总价人民币______元，含税。税率百分之六。"
    assert [(b.clause, b.kind) for b in r.blanks] == [("2", "underline")]
    assert any("修订" in note for note in r.notes)
    assert [p.name for p in r.parties] == ["枫林区信息中心", "长风网络有限公司"]
    assert [(s.role, str(s.date)) for s in r.signatures] == [("A", "2026-01-05"), ("B", "2026-01-06")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16"])
def test_encodings_give_the_same_reading(tmp_path, encoding):
    text = texts.NESTED if encoding != "gb18030" else texts.NESTED + "\n㐂\n"  # a sign GBK does not have
    file = tmp_path / "contract.txt"
    file.write_bytes(text.encode(encoding))
    reading = read(file)
    assert reading.parties[0].name == "青石区档案馆"
    assert reading.encoding == {"utf-8-sig": "utf-8", "gbk": "gb18030"}.get(encoding, encoding)


def test_line_ends_of_all_systems():
    plain = read_bytes(texts.DECIMAL.encode(), "x")
    for ending in ("\r\n", "\r"):
        assert read_bytes(texts.DECIMAL.replace("\n", ending).encode(), "x").clauses == plain.clauses


def bomb(size: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"a" * size)
    return buffer.getvalue()


def many(n: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for i in range(n):
            archive.writestr(f"word/{i}.xml", b"")
    return buffer.getvalue()


def broken_xml() -> bytes:
    source = io.BytesIO(saved(docx.Document()))
    buffer = io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"<w:document><w:body>" if name == "word/document.xml" else old.read(name))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (bomb(40 * 2**20), "b.docx", "压缩"),
        (many(2500), "m.docx", "过多"),
        (broken_xml(), "x.docx", "损坏"),
        (b"PK\x03\x04", "p.docx", "损坏"),
        (b"not a zip", "n.docx", "损坏"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "old.docx", "旧格式"),
        (b"%PDF-1.7\n", "x.pdf", "PDF"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "x.png", "编码"),
        (b"\xff\xfe\x00", "x.txt", "编码"),
        (b"", "empty.txt", "没有文字"),
        (b" \n\n\t\n", "blank.txt", "没有文字"),
    ],
)
def test_bad_files_give_a_clear_error(content, name, says):
    with pytest.raises(YunweiError) as error:
        read_bytes(content, name)
    assert says in str(error.value)
    assert name in str(error.value)
    assert error.value.hint


def test_an_archive_that_is_no_document():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("readme", b"hello")
    with pytest.raises(YunweiError, match="Word"):
        read_bytes(buffer.getvalue(), "x.docx")


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(YunweiError, match="打不开"):
            read(path)


def test_a_truncated_document_never_does_worse_than_an_error(word):
    whole = saved(word)
    for length in range(0, len(whole), len(whole) // 60):
        with pytest.raises(YunweiError):
            read_bytes(whole[:length], "cut.docx")


def test_entities_are_not_expanded(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("TOPSECRET")
    source = io.BytesIO(saved(docx.Document()))
    buffer = io.BytesIO()
    xml = (
        f'<!DOCTYPE d [<!ENTITY e SYSTEM "file://{secret}">]><w:document {nsdecls("w")}>'
        "<w:body><w:p><w:r><w:t>合同&e;</w:t></w:r></w:p></w:body></w:document>"
    )
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            new.writestr(name, xml if name == "word/document.xml" else old.read(name))
    try:
        reading = read_bytes(buffer.getvalue(), "x.docx")
    except YunweiError:
        return
    assert "TOPSECRET" not in reading.clauses[0].text


WORDS = """第一条 |一、|（一）|1.|1、|2.1|2.1.3 |(1)|1)|a.|①|附件一 |第二章 |甲方：|乙方（盖章）：|10月15日|_____|：。|
人民币|100元|壹佰元整|应|不得|支付合同价的70%|服务期限|2026年1月1日|至|，|。|；|  |　|99.9%|款|
（以下无正文）|目录|....3|**"""
PIECES = st.sampled_from([*WORDS.replace("\n", "").split("|"), "\n", "\n", "\n\n", "\t", "\x0c"])


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(PIECES, max_size=80).map("".join))
@example("1.1\n" * 40)
@example("(1)\na.\n①\n1)\n（一）\n" * 20)
def test_any_mixture_of_marks_gives_a_whole_tree(text):
    try:
        reading = read_bytes(text.encode(), "x.txt")
    except YunweiError:
        assert all(not line.strip(" *　\t") or line.endswith("....3") for line in text.splitlines())
        return
    found = [clause.id for clause in reading.clauses]
    assert len(set(found)) == len(found)
    assert all(not clause.parent or clause.parent in found for clause in reading.clauses)
    # no word is lost: every printing sign of the text is in a clause, its number, or a stray
    kept = "".join(c.number + c.title + c.text for c in reading.clauses) + "".join(s.text for s in reading.strays)
    lost = _letters(text) - _letters(kept)
    assert not lost


def _letters(text: str) -> set[str]:
    return {c for c in text if c.isalnum()}


@settings(max_examples=80)
@given(st.binary(max_size=400))
def test_any_bytes_give_a_reading_or_an_error_of_ours(content):
    for name in ("x.txt", "x.docx"):
        with contextlib.suppress(YunweiError):
            assert isinstance(read_bytes(content, name), Reading)


@settings(max_examples=40)
@given(st.data())
def test_flipped_bytes_in_a_document(data):
    whole = bytearray(saved(docx.Document()))
    for _i in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(YunweiError):
        read_bytes(bytes(whole), "x.docx")


@pytest.mark.parametrize(
    "unit",
    [
        "1.1 甲方应当支付合同价的70%，并在10个工作日内完成，",
        "一" * 50,
        "（" * 50,
        "1.",
        "_ " * 25,
        "    年  月  日",
        "甲方：",
        "(1)\n",
        "9" * 60,
        "（1）甲方应支付。\n说明\n",
    ],
)
def test_reading_takes_linear_time(unit):
    """Eight times the text takes about eight times the time, not sixty-four: CPU time, the best of three, and much room."""

    def seconds(n: int) -> float:
        content = (unit * n).encode()
        best = 9.0
        for _i in range(3):
            start = time.process_time()
            read_bytes(b"x\n" + content, "x.txt")
            best = min(best, time.process_time() - start)
        return best

    small, large = seconds(100), seconds(800)
    assert large < 32 * small + 0.05, (small, large)
