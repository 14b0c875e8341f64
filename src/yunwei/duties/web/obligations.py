"""条款与义务: who owes whom what, how often, in what time, whose number that is, how it is proven and how it stands.

The obligations stand in the contract's folder, not in a table; how each stands is one statement for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET
from markupsafe import Markup

from yunwei.contract import plans
from yunwei.contract.schema import ApprovedPlan, Folder, Obligation, PlanLine
from yunwei.duties.proofs import manual
from yunwei.duties.web import terms
from yunwei.duties.web.standing import NOTHING, Standing, never_due, standings, worst
from yunwei.ui import cells, words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.listing import Column, Filter, Listing, Shown, export


@dataclass(frozen=True, slots=True)
class Row:
    """One obligation as the list shows it."""

    duty: Obligation
    line: PlanLine | None
    event: str
    standing: Standing

    @property
    def title(self) -> str:
        return words.title(self.duty)

    @property
    def state(self) -> str:
        """Its mark, as a code for the filter."""
        return "none" if never_due(self.duty) else self.standing.tone

    @property
    def word(self) -> str:
        return _("违反才记录") if never_due(self.duty) else self.standing.word


def rows_of(folder: Folder, plan: ApprovedPlan | None, found: Mapping[str, Standing]) -> list[Row]:
    """All obligations, in the order of the contract."""
    lines = {line.obligation: line for line in plan.plan.lines} if plan else {}
    events = {e.id: e.title_en if words.english() else e.title for e in folder.event_details}
    return [
        Row(o, lines.get(o.id), events.get(o.trigger, o.trigger), found.get(o.id, NOTHING)) for o in folder.obligations
    ]


def _limit(row: Row) -> str:
    said, owner = terms.deadline(row.duty, row.line)
    return f"{said}（{owner}）" if said else _vague(row, "limit")


def _vague(row: Row, of: str) -> str:
    """The contract's vague word, where it stands for the number that is asked for: how often, or how soon."""
    return row.duty.vague if ("limit" if row.duty.trigger else "when") == of else ""


def _cell(said: str, owner: str, vague: str) -> Any:
    """What is said, whose number it is, and the contract's own vague word."""
    word = Markup(' <q class="vague" lang="zh" title="{}">{}</q>').format(_("合同的用语"), vague) if vague else ""
    if not said:
        return word or cells.NOTHING
    return Markup('<span>{}<small class="mut">{}{}</small></span>').format(said, owner, word)


def _limit_cell(row: Row) -> Any:
    return _cell(*terms.deadline(row.duty, row.line), _vague(row, "limit"))


def _when_cell(row: Row) -> Any:
    return _cell(*terms.when(row.duty, row.line, row.event), _vague(row, "when"))


def _word(said: object) -> Any:
    return Markup('<span class="nw">{}</span>').format(said)


def _how(row: Row) -> str:
    return _("人工举证") if manual(row.duty) else _("流程执行")


def _title_cell(row: Row) -> Any:
    return Markup('{} <span class="code mut" translate="no">{}</span>').format(row.title, row.duty.id)


COLUMNS = (
    Column("title", gettext_lazy("义务"), lambda r: f"{r.duty.id} {r.title}", _title_cell, kind="lead"),
    Column("owes", gettext_lazy("责任方"), lambda r: words.party(r.duty.owes)),
    Column("kind", gettext_lazy("种类"), lambda r: terms.KINDS[r.duty.kind], lambda r: _word(terms.KINDS[r.duty.kind])),
    Column("when", gettext_lazy("何时"), lambda r: " ".join(terms.when(r.duty, r.line, r.event)), _when_cell),
    Column("limit", gettext_lazy("期限"), _limit, _limit_cell),
    Column("how", gettext_lazy("怎么证明"), _how, lambda r: _word(_how(r))),
    Column("state", gettext_lazy("状态"), lambda r: r.word, lambda r: cells.state(_tone(r), r.word)),
    Column(
        "said", gettext_lazy("本合同期"), lambda r: r.standing.said,
        lambda r: Markup('<span class="num">{}</span>').format(r.standing.said) if r.standing.said else cells.NOTHING,
    ),
    Column(
        "clauses", gettext_lazy("条款"), lambda r: " ".join(r.duty.clauses),
        lambda r: Markup("<span>{}</span>").format(cells.clause(r.duty.clauses)),
    ),
)  # fmt: skip


def _tone(row: Row) -> str:
    return "mut" if row.state == "none" else row.state


def _parties() -> Sequence[tuple[str, Any]]:
    return [(p, words.party(p)) for p in ("A", "B", "AB")]


def _kinds() -> Sequence[tuple[str, Any]]:
    return [(k.value, word) for k, word in terms.KINDS.items()]


STATES = (
    ("bad", gettext_lazy("有未履行或逾期")), ("unp", gettext_lazy("有未证明")), ("warn", gettext_lazy("有迟延")),
    ("ok", gettext_lazy("全部按期")), ("info", gettext_lazy("待履行")), ("mut", gettext_lazy("尚无到期")),
    ("none", gettext_lazy("违反才记录")),
)  # fmt: skip
#: a filter of the list keeps a row or not; the menus are those of every list
KEEPS: dict[str, Callable[[Row, str], bool]] = {
    "party": lambda r, v: r.duty.owes.value == v,
    "kind": lambda r, v: r.duty.kind.value == v,
    "state": lambda r, v: r.state == v,
    "how": lambda r, v: manual(r.duty) == (v == "manual"),
    "clause": lambda r, v: any(c == v or c.startswith((f"{v}.", f"{v}-")) for c in r.duty.clauses),
    "q": lambda r, v: v.lower() in f"{r.duty.id} {r.duty.title} {r.duty.title_en}".lower(),
}
FILTERS = (
    Filter("party", gettext_lazy("责任方"), lambda rows, _v: rows, choices=_parties),
    Filter("kind", gettext_lazy("种类"), lambda rows, _v: rows, choices=_kinds),
    Filter("state", gettext_lazy("状态"), lambda rows, _v: rows, choices=lambda: STATES),
    Filter(
        "how", gettext_lazy("怎么证明"), lambda rows, _v: rows,
        choices=lambda: [("procedure", _("流程执行")), ("manual", _("人工举证"))],
    ),
    Filter("clause", gettext_lazy("条款"), lambda rows, _v: rows, hint="7.2"),
    Filter("q", gettext_lazy("编号或名称"), lambda rows, _v: rows),
)  # fmt: skip


def _unused(_request: HttpRequest) -> Any:
    raise NotImplementedError  # the rows are no table's; `obligations` brings them


LISTING = Listing(
    name="obligations",
    rows=_unused,
    columns=COLUMNS,
    order=("id",),
    filters=FILTERS,
    link=lambda r: reverse("obligation", args=[r.duty.id]),
)


def plan_now(now: datetime) -> ApprovedPlan | None:
    """The version that counts now."""
    return plans.plan_at(now)


def sentence(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """How many, whose, and how many of them are not as they should be."""
    whole = worst(r.standing for r in rows)
    tones = [r.standing.tone for r in rows]
    values: dict[str, tuple[object, str]] = {
        "n": (len(rows), "plain"),
        "a": (sum(r.duty.owes.value == "A" for r in rows), "plain"),
        "b": (sum(r.duty.owes.value == "B" for r in rows), "plain"),
        "ab": (sum(r.duty.owes.value == "AB" for r in rows), "plain"),
        "bad": (tones.count("bad"), "bad" if "bad" in tones else "mut"),
        "unp": (tones.count("unp"), "unp" if "unp" in tones else "mut"),
    }
    if not rows:
        return words.pieces(_("没有符合筛选条件的义务"), values)
    if not whole.settled and not whole.overdue:
        return words.pieces(_("{n} 项义务（甲方 {a}、乙方 {b}、双方 {ab}），尚无已结事项"), values)
    text = _("{n} 项义务（甲方 {a}、乙方 {b}、双方 {ab}）：{bad} 项有未履行或逾期，{unp} 项有未证明")
    return words.pieces(text, values)


@require_GET
def obligations(request: HttpRequest) -> HttpResponseBase:
    """The list, or a file of what the filter shows."""
    now = now_of_instance()
    rows = rows_of(contract_folder(), plan_now(now), standings(now))
    chosen = {f.key: text for f in FILTERS if (text := request.GET.get(f.key, "").strip()[:60])}
    kept = [r for r in rows if all(KEEPS[key](r, text) for key, text in chosen.items())]
    form = request.GET.get("format", "")
    if form in ("csv", "xlsx"):
        return export(LISTING, kept, form)
    query = request.GET.copy()
    for key in [k for k in query if k not in chosen]:
        del query[key]

    def file(kind: str) -> str:
        changed = query.copy()
        changed["format"] = kind
        return "?" + changed.urlencode()

    options = {f.key: f.choices() for f in FILTERS if f.choices}
    shown = Shown(LISTING, kept, len(kept), chosen, options, "", "", file("csv"), file("xlsx"))
    context = {"shown": shown, "sentence": sentence(kept), "filtered": bool(chosen)}
    return page(request, "duties/obligations.jinja", context, here="obligations", as_of=now)
