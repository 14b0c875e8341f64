"""Rules over the facts of the contract: parties, money, periods, documents, clauses, open items."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import combinations
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from yunwei.contract.findings import CLAUSES, CONTRACT, DOCUMENTS, OBLIGATIONS, OPEN_ITEMS, Findings, Rule
from yunwei.contract.schema import Clause, Unit
from yunwei.kernel import money
from yunwei.kernel.i18n import _

WHO = frozenset({"A", "B", "AB"})
KINDS = frozenset(
    {"DEF", "SCOPE", "OA", "OB", "BAN", "RA", "RB", "PAY", "PROC", "LIAB", "PREC", "EXEMPT", "TIME", "ATTR"}
)  # fmt: skip
#: kinds of a clause that put a duty on someone: such a clause needs an obligation
DUTY_KINDS = frozenset({"OA", "OB", "BAN"})
#: a figure in one of these is a time that somebody has to keep
TIMES = frozenset({"working_day", "calendar_day", "hour", "minute"})
REMEDIES = frozenset({"set_off", "damages", "penalty", "rework", "sanction", "terminate", "joint"})
CAPABILITIES = frozenset(
    {"CT", "OBL", "SD", "INS", "MON", "VM", "NET", "SCAN", "BAK", "UPG", "CMP", "CRY", "STF", "QA", "ACC", "PAY",
     "DOC", "HND", "EVD", "SEC", "NTC", "CHG", "RSK", "SUB", "LEG"}
)  # fmt: skip
EXEMPTS = frozenset({"performance", "damage"})
PRECEDENCE = frozenset({"rank", "superior", "strictest", "fill_gap", "floor"})
GENERAL = "*"
#: how often something recurs, as a figure in a clause may say it
EVERY = frozenset({"day", "working_day", "week", "month", "quarter", "year", "once"})
FIGURE_UNITS = frozenset(Unit) | EVERY | {
    "yuan", "percent", "person", "instalment", "copy", "hour_per_day", "day_per_week", "piece",
}  # fmt: skip
_FUNCTION = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


def duplicates(f: Findings) -> None:
    """Every id once."""
    folder = f.folder
    f.unique(CONTRACT, ("periods",), (p.id for p in folder.contract.periods))
    f.unique(CONTRACT, ("instalments",), (i.id for i in folder.contract.instalments))
    f.unique(DOCUMENTS, ("documents",), (d.id for d in folder.documents))
    f.unique(DOCUMENTS, ("rules",), (r.id for r in folder.rules))
    f.unique(CLAUSES, ("clauses",), (c.id for c in folder.clauses))
    f.unique(OBLIGATIONS, ("events",), folder.events)
    f.unique(OBLIGATIONS, ("obligations",), (o.id for o in folder.obligations))
    f.unique(OPEN_ITEMS, ("open_items",), (o.id for o in folder.open_items))


def parties(f: Findings) -> None:
    """Both sides are there and both signed (民法典 490: formed when both signed)."""
    contract = f.folder.contract
    for index, party in enumerate(contract.parties):
        if party.role not in {"A", "B"}:
            f.add(CONTRACT, ("parties", index), "party.role", _("当事人只能是 A（甲方）或 B（乙方）"))
    for index, signature in enumerate(contract.signatures):
        if signature.party not in {"A", "B"}:
            f.add(CONTRACT, ("signatures", index), "party.role", _("签字的一方只能是 A 或 B"))
    for side in ("A", "B"):
        if not any(p.role == side for p in contract.parties):
            f.add(CONTRACT, ("parties",), "party.missing", _("缺少当事人 {side}").format(side=side))
        if not any(s.party == side for s in contract.signatures):
            hint = _("双方均签字时合同成立（民法典 490）")
            f.add(CONTRACT, ("signatures",), "signature.missing", _("{side} 没有签字").format(side=side), hint)
    try:
        ZoneInfo(contract.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        f.add(CONTRACT, ("timezone",), "contract.timezone", _("不认识的时区 {zone}").format(zone=contract.timezone))
    for index, clause in enumerate(contract.plan_clauses):
        f.clause_known(CONTRACT, ("plan_clauses", index), clause)


def amounts(f: Findings) -> None:
    """Figures say what the capitals say; instalments are their share of the price and add up to it."""
    contract = f.folder.contract
    price = contract.price
    f.clause_known(CONTRACT, ("price", "clause"), price.clause)
    _capitals(f, ("price", "capitals"), price.amount, price.capitals)
    for index, instalment in enumerate(contract.instalments):
        at = ("instalments", index)
        _capitals(f, (*at, "capitals"), instalment.amount, instalment.capitals)
        f.clause_known(CONTRACT, (*at, "clause"), instalment.clause)
        for event in instalment.anchors:
            f.event_known(CONTRACT, (*at, "anchors"), event)
        if not instalment.anchors:
            f.add(CONTRACT, at, "instalment.no_anchor", _("没有起算事件，付款期限无从开始"))
        expected = money.share_of(price.amount, instalment.share)
        if abs(expected - instalment.amount) > money.FEN:  # one fen: someone has to bear the remainder of a division
            message = _("{share}% 应为 {expected}，写的是 {amount}").format(
                share=instalment.share, expected=expected, amount=instalment.amount
            )
            f.add(CONTRACT, (*at, "amount"), "money.share_amount", message)
    shares = sum((i.share for i in contract.instalments), Decimal(0))
    if contract.instalments and shares != money.HUNDRED:
        message = _("各期份额合计 {total}%，应为 100%").format(total=shares)
        f.add(CONTRACT, ("instalments",), "money.shares", message)
    total = sum((i.amount for i in contract.instalments), Decimal(0))
    if contract.instalments and total != price.amount:
        message = _("各期金额合计 {total}，合同金额 {amount}").format(total=total, amount=price.amount)
        f.add(CONTRACT, ("instalments",), "money.sum", message)


def _capitals(f: Findings, path: tuple[str | int, ...], amount: Decimal, capitals: str) -> None:
    try:
        said = money.parse_capitals(capitals)
    except money.MoneyError as error:
        f.add(CONTRACT, path, "money.capitals", error.message, error.hint)
        return
    if said != amount:
        message = _("大写“{capitals}”是 {said}，小写是 {amount}").format(capitals=capitals, said=said, amount=amount)
        f.add(CONTRACT, path, "money.capitals", message, _("以合同原件为准改正；原件即不一致的，登记为待决事项"))


def periods(f: Findings) -> None:
    """Readings are alternatives: none reversed, none twice, confirmed ones apart and each by a document."""
    readings = f.folder.contract.periods
    if not readings:
        f.add(CONTRACT, ("periods",), "period.none", _("没有服务期，义务无从起止"))
    for index, reading in enumerate(readings):
        at = ("periods", index)
        if reading.end < reading.start:
            f.add(CONTRACT, (*at, "end"), "period.reversed", _("终止日早于开始日"))
        if reading.confirmed:
            document = f.documents.get(reading.confirmed_by)
            if document is None or not document.present:
                hint = _("confirmed_by 写上双方签署的文件编号")
                f.add(CONTRACT, at, "period.confirmed_by", _("确认的服务期没有依据文件"), hint)
    if sum(reading.recommended for reading in readings) > 1:
        f.add(CONTRACT, ("periods",), "period.recommended", _("只能推荐一种读法"))
    for (_i, first), (index, second) in combinations(enumerate(readings), 2):
        at = ("periods", index)
        names = {"first": first.id, "second": second.id}
        if (first.start, first.end) == (second.start, second.end):
            f.add(CONTRACT, at, "period.same", _("{second} 与 {first} 起止相同").format(**names))
        elif first.confirmed and second.confirmed and first.start <= second.end and second.start <= first.end:
            message = _("已确认的服务期 {first} 与 {second} 重叠").format(**names)
            f.add(CONTRACT, at, "period.overlap", message, _("只能确认其中一种读法"))


def documents(f: Findings) -> None:
    """Ranks are clauses, one order per rank; exactly one general rule, each subject once."""
    order_of: dict[str, int] = {}
    for index, document in enumerate(f.folder.documents):
        at = ("documents", index)
        f.clause_known(DOCUMENTS, (*at, "rank"), document.rank)
        if document.clause:
            f.clause_known(DOCUMENTS, (*at, "clause"), document.clause)
        if order_of.setdefault(document.rank, document.order) != document.order:
            message = _("层级 {rank} 的次序前后不一").format(rank=document.rank)
            f.add(DOCUMENTS, (*at, "order"), "document.order", message)
    if len(set(order_of.values())) != len(order_of):
        f.add(DOCUMENTS, ("documents",), "document.order", _("两个层级用了同一次序"))
    subjects = [rule.subject for rule in f.folder.rules]
    for index, rule in enumerate(f.folder.rules):
        at = ("rules", index)
        f.clause_known(DOCUMENTS, (*at, "clause"), rule.clause)
        if rule.rule not in PRECEDENCE:
            hint = "、".join(sorted(PRECEDENCE))
            f.add(DOCUMENTS, (*at, "rule"), "rule.unknown", _("没有规则 {rule}").format(rule=rule.rule), hint)
        if rule.subject in subjects[:index]:
            message = _("主题 {subject} 有两条规则").format(subject=rule.subject)
            f.add(DOCUMENTS, at, "rule.subject", message)
    if GENERAL not in subjects:
        f.add(DOCUMENTS, ("rules",), "rule.general", _('没有一般规则（subject: "*"）'))


def binds(clause: Clause) -> bool:
    """Whether a clause puts a duty on somebody: by its kind, by a time that it states, or by a vague word in its place."""
    times = any(figure.unit in TIMES for figure in clause.figures)
    return bool(DUTY_KINDS & set(clause.kinds)) or bool(clause.who and (times or clause.vague_words))


def remedies(f: Findings) -> None:
    """What a breach costs: known words, a side that owes what is named, a share that stands in the clause."""
    for index, clause in enumerate(f.folder.clauses):
        if "LIAB" in clause.kinds and not clause.remedies:
            hint = _("写 remedies：种类、对谁、哪些义务；义务页据此说明违反的代价")
            f.warn(CLAUSES, ("clauses", index), "clause.no_remedy", _("责任条款没有写明后果"), hint)
        for number, remedy in enumerate(clause.remedies):
            at = ("clauses", index, "remedies", number)
            if remedy.kind not in REMEDIES:
                message = _("没有后果种类 {kind}").format(kind=remedy.kind)
                f.add(CLAUSES, at, "remedy.kind", message, "、".join(sorted(REMEDIES)))
            if remedy.against not in {"A", "B"}:
                f.add(CLAUSES, at, "remedy.side", _("against 只能是 A 或 B"))
            if remedy.share is not None and not any(
                g.unit == "percent" and g.n == remedy.share for g in clause.figures
            ):
                f.add(CLAUSES, at, "remedy.share", _("条款里没有这个比例"), _("写进该条款的 figures"))
            for name in remedy.obligations:
                duty = f.obligations.get(name)
                if duty is None:
                    f.add(CLAUSES, at, "obligation.unknown", _("没有义务 {id}").format(id=name))
                elif remedy.against not in duty.owes.value:
                    message = _("{id} 不是{side}的义务").format(id=name, side=remedy.against)
                    f.add(CLAUSES, at, "remedy.side", message)


def clauses(f: Findings) -> None:
    """Known words only; a clause that binds someone has an obligation; `same_as` points at a real clause, one step."""
    covered = {clause for obligation in f.folder.obligations for clause in obligation.clauses}
    for index, clause in enumerate(f.folder.clauses):
        at = ("clauses", index)
        if unknown := set(clause.kinds) - KINDS:
            message = _("没有条款类别 {kinds}").format(kinds="、".join(sorted(unknown)))
            f.add(CLAUSES, (*at, "kinds"), "clause.kind", message, "、".join(sorted(KINDS)))
        if clause.who and clause.who not in WHO:
            f.add(CLAUSES, (*at, "who"), "clause.who", _("who 只能是 A、B、AB 或空"))
        if clause.exempts not in {"", *EXEMPTS} or bool(clause.exempts) != ("EXEMPT" in clause.kinds):
            hint = _("类别含 EXEMPT 的写 exempts: performance 或 damage，其余不写")
            f.add(CLAUSES, at, "clause.exempts", _("免责条款没有写明免的是履行还是赔偿"), hint)
        if unknown := set(clause.capability) - CAPABILITIES:
            message = _("没有能力代码 {codes}").format(codes="、".join(sorted(unknown)))
            f.add(CLAUSES, (*at, "capability"), "clause.capability", message)
        for number, figure in enumerate(clause.figures):
            if figure.unit not in FIGURE_UNITS:
                message = _("没有单位 {unit}").format(unit=figure.unit)
                f.add(CLAUSES, (*at, "figures", number), "clause.figure", message, "、".join(sorted(FIGURE_UNITS)))
        if clause.same_as:
            target = f.clauses.get(clause.same_as)
            if target is None or target.id == clause.id or target.same_as:
                message = _("same_as 指向的 {clause} 不是一条独立的条款").format(clause=clause.same_as)
                f.add(CLAUSES, (*at, "same_as"), "clause.same_as", message)
        if binds(clause) and not {clause.id, clause.same_as} & covered:
            message = _("条款 {clause} 课以义务，却没有一项义务引用它").format(clause=clause.id)
            f.add(CLAUSES, at, "clause.no_obligation", message, _("在 obligations.yaml 补上"))


def open_items(f: Findings) -> None:
    """Each has an owner and blocks exactly one function; what closes it is a document in hand."""
    for index, item in enumerate(f.folder.open_items):
        at = ("open_items", index)
        f.clause_known(OPEN_ITEMS, (*at, "clause"), item.clause)
        if item.owner not in WHO:
            f.add(OPEN_ITEMS, (*at, "owner"), "open.owner", _("没有责任方"), _("owner 写 A、B 或 AB"))
        if not _FUNCTION.fullmatch(item.blocks):
            message = _("要恰好写一个被挡住的功能，写的是“{blocks}”").format(blocks=item.blocks)
            f.add(OPEN_ITEMS, (*at, "blocks"), "open.blocks", message, _("例如 payment.price；挡住两个就拆成两项"))
        if item.closed_by and not (item.closed_by in f.documents and f.documents[item.closed_by].present):
            message = _("了结它的文件 {document} 不在文件清单中或尚未到手").format(document=item.closed_by)
            f.add(OPEN_ITEMS, (*at, "closed_by"), "open.closed_by", message)


RULES: tuple[Rule, ...] = (duplicates, parties, amounts, periods, documents, clauses, remedies, open_items)
