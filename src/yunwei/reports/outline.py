"""The order of a report: from data to the tree of sections that PDF, DOCX and page are drawn from. No query is made here.

The words are in the active language; documents are always made in Chinese (services), the page in the reader's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from yunwei.charts import svg
from yunwei.charts.svg import Slice
from yunwei.reports import (
    lines,
    outline_desk,
    outline_duties,
    outline_looks,
    outline_proof,
    outline_worth,
    outline_year,
    say,
)
from yunwei.reports.blocks import Block, Chart, Document, Fact, Note, Para, Section, Tile, Tiles, captioned, numbered
from yunwei.reports.period import YEARLY, Kind, Period, kept
from yunwei.ui import words

JSON = Any


def period_of(data: Mapping[str, JSON]) -> Period:
    """The period that the data is about."""
    first, last = (date.fromisoformat(data["period"][end]) for end in ("first", "last"))
    return kept(data["kind"], data["period"]["key"], first, last, data["period"]["zone"])


def document(
    data: Mapping[str, JSON], *, edition: int, made: Mapping[str, JSON] | None = None, index: bool = True
) -> Document:
    """The whole report. `made` says what it was made with (fonts, typesetter, digest of the data); without `index` the
    annex that repeats every evidence number is left out (a page links them where they stand)."""
    of = period_of(data)
    yearly = outline_year.sections(data, of) if of.kind in YEARLY else None
    sections = (
        yearly
        if yearly is not None
        else [
            Section(_("本期概要"), summary(data, of)),
            outline_duties.duties(data, of),
            outline_duties.unproven(data, of),
            outline_looks.sweeps(data, of),
            outline_looks.findings(data, of),
            outline_desk.tickets(data, of),
            *lines.sections(data["lines"], of),
            *([outline_worth.assessment(worth)] if (worth := data.get("assessment")) else []),
            outline_proof.contract(data, of),
            outline_proof.ledger(data, of),
        ]
    )
    annexes = [
        *([outline_proof.index(data)] if index and "duties" in data else []),
        *([outline_proof.made(made)] if made else []),
    ]
    annexes = [
        Section(s.title, s.blocks, s.sections, number=_("附录{n}").format(n="ABC"[i]) + " ")
        for i, s in enumerate(annexes)
    ]
    return Document(
        title=title(data),
        name=say.kind_word(data["kind"]),
        subtitle=f"{say.period_words(of)}{'' if data['whole'] else _('（本期未满）')}",
        answer=outline_year.answer(data) if of.kind in YEARLY else answer(data),
        cover=cover(data, of, edition),
        sections=captioned([*numbered(sections), *annexes], (_("表 {n}"), _("图 {n}"))),
        mark=_("演示") if data["demo"] else "",
        footer=_("演示数据，不作为履约证明") if data["demo"] else data["contract"]["number"],
        toc=of.kind is not Kind.DAILY,
    )


def title(data: Mapping[str, JSON]) -> str:
    """What the report is of: the project's name without the words of the contract."""
    contract = data["contract"]
    if words.english():
        return str(contract["title_en"])
    return str(contract["title"].partition("（")[0].removesuffix("合同"))


def cover(data: Mapping[str, JSON], of: Period, edition: int) -> list[Fact]:
    """The facts of the first page."""
    zone = data["period"]["zone"]
    parties = {p["role"]: p["name"] for p in data["contract"]["parties"]}
    head = data["ledger"]["last"]
    return [
        Fact(_("合同编号"), data["contract"]["number"]),
        Fact(_("甲方"), parties.get("A", "—")),
        Fact(_("乙方"), parties.get("B", "—")),
        Fact(_("报告期"), _("{first}至{last}").format(first=say.day(of.first), last=say.day(of.last))),
        Fact(_("数据截至"), say.clock(data["as_of"], zone)),
        Fact(_("版次"), _("第 {n} 版").format(n=edition)),
        Fact(_("证据链"), _("至 № {size}").format(size=head["size"]) if head else _("尚无签名头")),
    ]


def nothing(data: Mapping[str, JSON]) -> bool:
    """Whether nothing happened in the period; what was open before may still be open."""
    found, kinds = data["findings"], data["tickets"]["kinds"]
    moved = found["opened"] + found["closed"] + sum(k["opened"] + k["closed"] for k in kinds.values())
    return not (data["duties"]["obligations"] or data["sweeps"]["rows"] or moved)


def answer(data: Mapping[str, JSON]) -> str:
    """The sentence that answers the period, with true numbers."""
    if nothing(data):
        return _("本期没有数据：没有到期的义务，没有巡检，没有新的发现和工单")
    s = data["duties"]["sum"]
    said = _(
        "本期应履行 {all} 项：按期履行 {kept} 项、迟延 {late} 项、未履行 {missed} 项、未能证明 {unproven} 项、免责 {exempt} 项"
    ).format(**{k: s[k] for k in ("all", "kept", "late", "missed", "unproven", "exempt")})
    if s["overdue"]:
        said += _("，逾期未履行 {n} 项").format(n=s["overdue"])
    if s["open"]:
        said += _("，未到期 {n} 项").format(n=s["open"])
    return said


def summary(data: Mapping[str, JSON], of: Period) -> list[Block]:
    """The first section: answer, key figures, the states as a bar, what the reader must not miss."""
    s, sweeps, found = data["duties"]["sum"], data["sweeps"], data["findings"]
    out: list[Block] = [Para(answer(data) + _("。"))]
    out += [Note(text, tone) for text, tone in warnings(data, of)]
    if nothing(data):
        return out
    out.append(
        Tiles(
            [
                Tile(str(s["kept"]), _("按期履行"), "ok" if s["kept"] else "mut", _("应履行 {n} 项").format(n=s["all"])),
                Tile(str(s["late"]), _("迟延履行"), "warn" if s["late"] else "mut"),
                Tile(
                    str(s["missed"] + s["overdue"]), _("未履行与逾期"), "bad" if s["missed"] + s["overdue"] else "mut",
                    _("未履行 {m}，逾期 {o}").format(m=s["missed"], o=s["overdue"]),
                ),
                Tile(str(s["unproven"]), _("未能证明"), "unp" if s["unproven"] else "mut", _("另有专节")),
                Tile(
                    say.per_cent(sweeps["proven"], sweeps["agreed"]), _("巡检看清"), "",
                    _("{proven} / {agreed} 台次").format(proven=sweeps["proven"], agreed=sweeps["agreed"]),
                ),
                Tile(str(found["opened"]), _("新发现故障"), "" if found["opened"] else "mut", _("消除 {n}").format(n=found["closed"])),
                Tile(
                    str(found["open"]), _("期末未消除"), "bad" if found["open_critical"] else "" if found["open"] else "mut",
                    _("其中严重 {n}").format(n=found["open_critical"]),
                ),
                Tile(str(data["ledger"]["entries"]), _("新增证据"), "", _("期末 № {n}").format(n=(data["ledger"]["last"] or {}).get("size", "—"))),
            ]
        )
    )  # fmt: skip
    parts = [Slice(s[str(state)], say.TONE[state]) for state in say.STATES]
    if s["all"]:
        told = "、".join(f"{say.state_word(str(k))} {s[str(k)]}" for k in say.STATES if s[str(k)])
        out.append(
            Chart(
                svg.bar(parts, s["all"], told),
                told,
                _("应履行 {n} 项的状态：{told}").format(n=s["all"], told=told),
                height=5,
            )
        )
    out.append(Para(both(data)))
    return out


def both(data: Mapping[str, JSON]) -> str:
    """Both parties with equal weight, each with its own figures."""
    parts = []
    for who in ("B", "A", "AB"):
        s = data["duties"]["by_party"][who]
        if s["all"]:
            told = "、".join(
                _("{state} {n} 项").format(state=say.state_word(str(k)), n=s[str(k)]) for k in say.STATES if s[str(k)]
            )
            parts.append(_("{who}应履行 {all} 项：{told}").format(who=words.party(who), all=s["all"], told=told))
    if not parts:
        return _("本期没有计分的到期义务。")
    return "；".join(parts) + _("。本报告只统计义务，不评价个人。")


def warnings(data: Mapping[str, JSON], of: Period) -> list[tuple[str, str]]:
    """What stands between the figures and what a reader would take them for."""
    zone, out = data["period"]["zone"], []
    if data["demo"]:
        out.append((_("本报告由演示实例生成：设备是实验设备，人员与事件是演示。不得作为履约证明。"), "bad"))
    if not data["whole"]:
        out.append(
            (
                _("报告期尚未结束，数据截至 {at}；之后到期的义务计为“未到期”。").format(
                    at=say.clock(data["as_of"], zone)
                ),
                "warn",
            )
        )
    if not data["contract"]["inside"]:
        out.append((_("报告期不在合同服务期内。"), "warn"))
    opened = say.at(data["contract"]["opened_at"], zone)
    if opened is None:
        out.append((_("本平台尚未开始记账，没有可统计的义务。"), "warn"))
    elif opened > of.start and data["contract"]["inside"]:
        out.append(
            (_("本平台自 {at} 起记账；此前的履行情况不在本报告之内。").format(at=f"{opened:%Y-%m-%d %H:%M}"), "warn")
        )
    if not data["contract"]["plans"]:
        out.append((_("本期没有经甲方审定的服务方案：合同自己写明频次与期限之外的义务不计分。"), "warn"))
    if data["ledger"]["overdue"]:
        out.append((_("有签名头逾期未送达甲方，见“证据链”一节。"), "bad"))
    if data["duties"]["uncounted"]:
        out.append(
            (
                _("另有 {n} 项列出而不计分（服务方案未审定，或合同未定数字），不在以上数字之内。").format(
                    n=data["duties"]["uncounted"]
                ),
                "mut",
            )
        )
    return out
