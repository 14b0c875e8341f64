"""The clause tree of texts that number in other ways, and the facts in them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from tests.contract_reader import texts

from yunwei.contract.reader import Reading, read_bytes


def of(name: str) -> Reading:
    return read_bytes(texts.ALL[name].encode(), f"{name}.txt")


def ids(reading: Reading) -> list[str]:
    return [clause.id for clause in reading.clauses]


def words(reading: Reading, ident: str) -> str:
    return next(clause.words for clause in reading.clauses if clause.id == ident)


def test_chapters_articles_and_hard_wrapped_lines():
    r = of("chapters")
    expected = "PRE ch1 1 2 ch2 3 3(1) 3(1).1 3(1).2 3(2) 4 5 6 SIG"
    assert ids(r) == expected.split()
    assert words(r, "1").endswith("中心所属的两处数据机房，含其中全部供电、制冷与消防设备。")
    # "2 小时内" and "第四条规定的" stand at the start of a line and are no clauses
    assert words(r, "3(1).1") == "乙方每日巡视一次，并在巡视后2 小时内提交记录；"
    assert words(r, "3(2)").endswith("应按照第四条规定的时限到场。")
    assert [s.why for s in r.strays] == ["目录行", "目录行", "页码"]
    assert r.number == "YS-2025-017"
    assert [(p.start, p.end) for p in r.periods] == [(date(2025, 3, 1), date(2026, 2, 28))]
    assert [(a.value, a.agrees) for a in r.amounts] == [(Decimal("360000.00"), True)]
    shares = [(s.share, s.rest, s.days, s.unit) for s in r.instalments]
    assert shares[0] == (Decimal(30), False, 10, "working_day")
    assert shares[-1] == (Decimal(30), True, 15, "calendar_day")
    assert [(s.role, s.signer, s.date) for s in r.signatures] == [("A", "林某", date(2025, 2, 20)), ("B", "", None)]
    assert [(b.clause, b.kind, b.line) for b in r.blanks] == [("SIG", "label", 36), ("SIG", "date", 37)]


def test_bare_decimal_numbers_with_two_levels_of_lists():
    r = of("decimal")
    expected = "PRE 1 1.1 1.2 1.2.1 1.2.2 2 2.1 2.1(1) 2.1(2) 2.1(2)a 2.1(2)b 2.1(2)-tail 2.2 3 3.1 3.3"
    assert ids(r) == expected.split()
    assert words(r, "1.2.2") == "容量为 2.5 TB，可用性不低于99.9%，以月度报告为准。"
    assert [(p.role, p.label, p.name) for p in r.parties] == [
        ("A", "采购人", "白河县大数据局"),
        ("B", "供应商", "海棠信息技术有限公司"),
    ]
    assert r.parties[1].fields == {"address": "白河县中山路1号", "postcode": ""}
    assert [(a.value, a.capitals_value) for a in r.amounts] == [(Decimal(1200000), Decimal("1200000.00"))]
    # 付至 100 % after 60 % is another 40 %, and the 0.05 % are damages
    assert [(s.clause, s.share) for s in r.instalments] == [("3.1", Decimal(60)), ("3.1", Decimal(40))]
    assert [n for n in r.notes if "3.3" in n]
    assert ("PRE", "label", "邮编：") in [(b.clause, b.kind, b.near) for b in r.blanks]


def test_chinese_numbers_in_brackets():
    r = of("nested")
    expected = "PRE 1 1(1) 1(1).1 1(1).1(1) 1(1).1(2) 1(1).2 1(2) 2 2(1) 2(2) 3 3¶1 3¶2"
    assert ids(r) == expected.split()
    assert [s.text for s in r.strays] == ["10月8日"]
    assert r.amounts[0].capitals_value == Decimal(50500)
    assert [(t.n, t.unit) for t in r.terms] == [(5, "working_day")]
    assert [(d.clause, d.who, d.kind) for d in r.duties] == [
        ("1(1).1", "B", "duty"),
        ("1(1).2", "A", "duty"),
        ("1(2)", "B", "duty"),
    ]


def test_an_article_in_other_digits_is_told_from_a_list():
    r = of("mixed")
    expected = "PRE 1 1.1 1.2 1.3 2 2.1 2.1(1) 2.1(2) 2.2 2.2(1) 2.2(2) 3 3.1 4"
    assert ids(r) == expected.split()
    assert r.notes == []
    assert [(d.clause, d.who, d.kind) for d in r.duties] == [("2.2(2)", "B", "ban"), ("3.1", "AB", "duty")]


def test_a_list_may_have_as_many_items_as_there_are_articles():
    text = "甲乙合同\n一、范围\n1、平台；\n2、机房；\n二、附则\n1、其一；\n2、其二；\n3、其三。\n三、其他\n无。\n"
    assert ids(read_bytes(text.encode(), "x")) == ["PRE", "1", "1.1", "1.2", "2", "2.1", "2.2", "2.3", "3"]


def test_a_tender_notice_has_hardly_any_obligation():
    r = of("tender")
    assert r.kind == "tender"
    assert r.duties == []
    assert [(p.role, p.name) for p in r.parties] == [("A", "银杏区机关事务中心"), ("X", "中衡采购代理有限公司")]
    assert [(p.months, p.anchor) for p in r.periods] == [(12, "合同签订之日")]
    assert "2.3" in ids(r)
    assert [n for n in r.notes if "七、" in n]  # 四、五、六、 are missing in the text: said, not invented


def test_numbering_that_starts_again_keeps_ids_apart():
    r = of("parts")
    expected = "PRE part1 1 2 part2 part2/1 part2/1.1 part2/1.2 part2/2 part2/2.1 annex1 annex1/1 annex1/2"
    assert ids(r) == expected.split()
    assert [(a.value, a.agrees) for a in r.amounts] == [(Decimal("1234.50"), True)]


def test_a_template_in_half_width_signs_with_clauses_right_under_chapters():
    r = of("template")
    assert ids(r) == ["PRE", "ch1", "1.1", "1.2", "1.2.1", "ch2", "2.1", "2.2", "2.2¶1", "2.2¶2"]
    assert r.number == "DC-2026-3"
    assert [(p.role, p.name) for p in r.parties] == [("A", ""), ("B", "")]
    assert words(r, "1.1") == "乙方为甲方提供代维服务,具体为附件所列设备,含备件."
    assert words(r, "2.2¶2") == "1    巡检    12"  # a row that ends in a number is no line of contents
    found = [(b.clause, b.kind) for b in r.blanks]
    assert found == [
        ("PRE", "placeholder"),
        ("PRE", "underline"),
        ("PRE", "date"),
        ("2.1", "date"),
        ("2.1", "underline"),
        ("2.1", "placeholder"),
    ]
    assert r.blanks[4].near.endswith("年 月 日前支付合同总额的______%.")
    assert [s.why for s in r.strays] == ["分隔线"]


@pytest.mark.parametrize(
    "title",
    ["时限", "名词解释", "台账管理", "元数据", "年度计划", "项目目的", "目的", "日常维护", "个人信息", "条件", "款项"],
)
def test_a_heading_that_begins_like_a_unit_is_a_clause(title):
    r = read_bytes(f"合同\n一、其一\n1.1 甲方同意。\n1.2 {title}\n乙方负责。\n".encode(), "x")
    assert ids(r) == ["PRE", "1", "1.1", "1.2"]


def test_figures_that_contradict_capitals_are_shown_and_not_repaired():
    r = read_bytes("合同\n一、价款\n人民币 12000 元（大写：壹万贰仟壹佰元整）。".encode(), "x")
    assert r.amounts[0].agrees is False
    assert [n for n in r.notes if "不一致" in n]
    r = read_bytes("合同\n一、价款\n人民币 12000 元（大写：壹贰仟万元整）。".encode(), "x")
    assert r.amounts[0].capitals_value is None
    assert [n for n in r.notes if "大写" in n]


def test_shares_that_do_not_add_up_are_noted():
    r = read_bytes("合同\n一、付款\n首付支付合同总价的30%，验收后支付合同总价的60%。".encode(), "x")
    assert [s.share for s in r.instalments] == [30, 60]
    assert [n for n in r.notes if "90" in n]


@pytest.mark.parametrize(
    "line",
    [
        "2.5 万元以内。",
        "3.5% 的部分",
        "15 日内答复",
        "2.2 款所述",
        "192.168.1.1 为地址",
        "1.05 元",
        "(1)项所列",
        "2026.3.1 签订",
        "10月15日",
    ],
)
def test_a_quantity_a_date_or_a_reference_opens_no_clause(line):
    r = read_bytes(
        f"合同\n一、其一\n1.1 甲方同意。\n1.2 乙方按照以下标准执行，包括\n{line}\n二、其二\n无。\n".encode(), "x"
    )
    assert ids(r) == ["PRE", "1", "1.1", "1.2", "2"]


def test_ids_are_unique_and_parents_exist():
    for name in texts.ALL:
        found = ids(of(name))
        assert len(found) == len(set(found)), name
        assert all(not c.parent or c.parent in found for c in of(name).clauses), name
