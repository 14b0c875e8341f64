"""Rules over between.yaml and supplements.yaml: what they name exists, each clock is started by its event, and what was
bought in addition stays within what the statute allows."""

from __future__ import annotations

from decimal import Decimal

from yunwei.contract.findings import Findings, Rule
from yunwei.contract.schema import Folder
from yunwei.kernel.i18n import _
from yunwei.kernel.money import format_figures, share_of

FILE, SUPPLEMENTS = "between.yaml", "supplements.yaml"
ZERO = Decimal(0)


def answers(f: Findings) -> None:
    """A claimed side's clock is an obligation of that side, started by the event of handing the claim over."""
    told = f.folder.between
    for index, clock in enumerate(told.answer if told else ()):
        at = ("answer", index)
        f.event_known(FILE, (*at, "event"), clock.event)
        duty = f.obligations.get(clock.obligation)
        if duty is None:
            f.add(FILE, (*at, "obligation"), "obligation.unknown", _("没有义务 {id}").format(id=clock.obligation))
        elif clock.side not in {"A", "B"} or clock.side not in duty.owes.value or duty.trigger != clock.event:
            message = _("{id} 不是{side}由事件 {event} 起算的义务").format(
                id=duty.id, side=clock.side, event=clock.event
            )
            f.add(FILE, at, "answer.clock", message)


def force_majeure(f: Findings) -> None:
    """The clause excuses performance, the events and obligations are there, and the certificate has a time."""
    told = f.folder.between
    case = told.force_majeure if told else None
    if case is None:
        return
    at = ("force_majeure",)
    if not any(
        c.exempts == "performance" and (c.id == case.ground or c.id.startswith(f"{case.ground}."))
        for c in f.folder.clauses
    ):
        f.add(FILE, at, "majeure.ground", _("{ground} 不是免责条款").format(ground=case.ground))
    for event in (case.occurred, case.ended):
        if event:
            f.event_known(FILE, at, event)
    begun, over = (case.certificate, case.notice, case.mitigate), (case.over,)
    for names, event in ((begun, case.occurred), (over, case.ended)):
        for name in names:
            duty = f.obligations.get(name)
            if name and (duty is None or duty.trigger != event):
                message = _("{id} 不是由事件 {event} 起算的义务").format(id=name, event=event)
                f.add(FILE, at, "majeure.obligation", message)


def money(f: Findings) -> None:
    """Shares and rates are above zero; the interest hangs on an open item of the side that declares."""
    told = f.folder.between
    if told is None:
        return
    if told.added is not None and not 0 < told.added.share <= 100:
        f.add(FILE, ("added",), "added.share", _("比例应大于 0、不超过 100"))
    late = told.late
    if late is not None and not 0 < late.per_day < 100:
        f.add(FILE, ("late",), "late.rate", _("日利率应大于 0"))
    if late is not None and not any(i.blocks == late.function and late.by in i.owner for i in f.folder.open_items):
        f.add(FILE, ("late",), "late.item", _("没有由声明一方了结、挡住 {name} 的未决事项").format(name=late.function))
    if told.superior and not any(r.id == told.superior and r.rule == "superior" for r in f.folder.rules):
        message = _("{id} 不是以主管单位为准的规则").format(id=told.superior)
        f.add(FILE, ("superior",), "superior.rule", message)


def supplements(f: Findings) -> None:
    """A supplement is of the first rank; all that they add stays within the statute's share of the price."""
    first = f.folder.ranks[0] if f.folder.ranks else ""
    for index, one in enumerate(f.folder.supplements):
        if one.document.rank != first:
            message = _("补充文件须是双方签署的第一层文件（{rank}）").format(rank=first)
            f.add(SUPPLEMENTS, ("supplements", index), "supplement.rank", message)
    if why := too_much(f.folder, ZERO):
        f.add(SUPPLEMENTS, (), "supplement.too_much", why)


def added(folder: Folder) -> Decimal:
    """What all supplements bought in addition, in yuan."""
    return sum((one.added for one in folder.supplements), ZERO)


def too_much(folder: Folder, more: Decimal) -> str:
    """Why another `more` yuan may not be bought in addition, with the arithmetic; empty where it may.

    政府采购法 49: the same subject, and all supplements together at most a share of the original price.
    """
    rule = folder.between.added if folder.between else None
    if rule is None:
        return ""
    total, before = folder.contract.price.amount, added(folder)
    most = share_of(total, rule.share)
    if before + more <= most:
        return ""
    return _("已追加 {before} + 本次 {more} = {sum}，超过合同金额 {total} 的 {share}%（{most}）：{statute}").format(
        before=format_figures(before), more=format_figures(more), sum=format_figures(before + more),
        total=format_figures(total), share=f"{rule.share.normalize():f}", most=format_figures(most),
        statute=rule.statute,
    )  # fmt: skip


RULES: tuple[Rule, ...] = (answers, force_majeure, money, supplements)
