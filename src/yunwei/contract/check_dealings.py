"""Rules over what the parties tell each other and whom they bring: ways of service, kinds of notice, staff, slots."""

from __future__ import annotations

import re
from typing import Any

from yunwei.contract.check_contract import WHO
from yunwei.contract.findings import CONTRACT, OBLIGATIONS, PLAN, Findings, Rule
from yunwei.contract.schema import Basis, Kind, NoticeKind
from yunwei.kernel.i18n import _

#: what may become of a document on its way
OUTCOMES = frozenset({"signed", "refused", "returned", "confirmed", "told", "acknowledged"})
DAYS = frozenset({"working_day", "day"})
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")
_WAY = ("service", "ways")
_KIND = ("service", "kinds")


def ways(f: Findings) -> None:
    """A way ends in known outcomes, is the contract's or ours, and what it needs is a function that an item may block."""
    service = f.folder.contract.service
    if service is None:
        return
    f.clause_known(CONTRACT, ("service", "clause"), service.clause)
    f.unique(CONTRACT, _WAY, (way.id for way in service.ways))
    functions = {item.blocks for item in f.folder.open_items}
    for index, way in enumerate(service.ways):
        at = (*_WAY, index)
        if not way.outcomes or set(way.outcomes) - OUTCOMES:
            hint = "、".join(sorted(OUTCOMES))
            f.add(CONTRACT, (*at, "outcomes"), "way.outcomes", _("送达方式要写明怎样算送达"), hint)
        if way.basis not in (Basis.CONTRACT, Basis.PLATFORM):
            f.add(CONTRACT, (*at, "basis"), "way.basis", _("送达方式或者写在合同里，或者是平台默认"))
        if way.at_once and len(way.outcomes) != 1:
            f.add(CONTRACT, (*at, "at_once"), "way.at_once", _("即时送达的方式只能有一种结果"))
        if set(way.needs) - {"A", "B"} or set(way.needs.values()) - functions:
            hint = _("与 open_items.yaml 里被挡住的功能同名")
            f.add(CONTRACT, (*at, "needs"), "way.needs", _("送达所需的条件没有对应的未决事项"), hint)


def kinds(f: Findings) -> None:
    """A notice is sent by who may record what it starts, and performs only what its sender owes."""
    service = f.folder.contract.service
    if service is None:
        return
    f.unique(CONTRACT, _KIND, (kind.id for kind in service.kinds))
    for index, kind in enumerate(service.kinds):
        at = (*_KIND, index)
        if kind.by not in WHO:
            f.add(CONTRACT, (*at, "by"), "notice.by", _("by 只能是 A、B 或 AB"))
        f.clause_known(CONTRACT, (*at, "clause"), kind.clause)
        for name, event in (("starts", kind.starts), ("of", kind.of)):
            if event:
                f.event_known(CONTRACT, (*at, name), event)
                _recorded_by(f, (*at, name), kind, event)
        if kind.performs:
            _performs(f, (*at, "performs"), kind)
        elif kind.of:
            f.add(CONTRACT, at, "notice.performs", _("告知一件已发生的事，要写明履行哪项义务（performs）"))


def _recorded_by(f: Findings, path: tuple[str | int, ...], kind: NoticeKind, event: str) -> None:
    by = next((e.by for e in f.folder.event_details if e.id == event), kind.by)
    if set(kind.by) - set(by):
        message = _("“{kind}”的发送方不能登记事件 {event}").format(kind=kind.id, event=event)
        f.add(CONTRACT, path, "notice.event_by", message)


def _performs(f: Findings, path: tuple[str | int, ...], kind: NoticeKind) -> None:
    duty = f.obligations.get(kind.performs)
    if duty is None:
        f.add(CONTRACT, path, "notice.obligation", _("没有义务 {id}").format(id=kind.performs))
    elif set(kind.by) - set(duty.owes) or (kind.of and duty.trigger != kind.of):
        message = _("“{kind}”不能履行义务 {id}：由另一方负担，或由另一事件触发").format(kind=kind.id, id=duty.id)
        f.add(CONTRACT, path, "notice.obligation", message)


def permissions(f: Findings) -> None:
    """Only a ban is lifted by a permission; a consent is one already."""
    for index, duty in enumerate(f.folder.obligations):
        if duty.permission and duty.kind is not Kind.BAN:
            f.add(
                OBLIGATIONS,
                ("obligations", index, "permission"),
                "obligation.permission",
                _("只有禁止事项可以经许可解除"),
            )


def staffing(f: Findings) -> None:
    """People are swapped and bodies engaged under obligations of prior consent that the contract has."""
    found = f.folder.contract.staffing
    if found is None:
        return
    for name, wanted in (("swap", found.swap), *((b.id, b.obligation) for b in found.bodies)):
        duty = f.obligations.get(wanted)
        if duty is None or duty.kind is not Kind.CONSENT:
            message = _("{name} 要指向一项事先同意的义务，写的是“{id}”").format(name=name, id=wanted)
            f.add(CONTRACT, ("staffing",), "staffing.consent", message)
    for name, wanted in (("roll", found.roll), ("onsite", found.onsite)):
        if wanted and wanted not in f.obligations:
            f.add(CONTRACT, ("staffing", name), "staffing.obligation", _("没有义务 {id}").format(id=wanted))
    if found.rejected:
        f.event_known(CONTRACT, ("staffing", "rejected"), found.rejected)
    f.unique(CONTRACT, ("staffing", "bodies"), (b.id for b in found.bodies))
    if found.warn_days < 0:
        f.add(CONTRACT, ("staffing", "warn_days"), "staffing.warn_days", _("提前天数不能为负"))


def slots(f: Findings) -> None:
    """The slots of the on-site duty: known days, times in order, none over another."""
    found = f.folder.contract.staffing
    for index, line in enumerate(f.folder.plan.lines):
        if found is None or not found.onsite or line.obligation != found.onsite or "slots" not in line.terms:
            continue
        at = ("lines", index, "terms")
        if line.terms.get("days", "working_day") not in DAYS:
            f.add(PLAN, (*at, "days"), "slots.days", _("days 只能是 {words}").format(words="、".join(sorted(DAYS))))
        least = line.terms.get("at_least", 1)
        if isinstance(least, bool) or not isinstance(least, int) or least < 1:
            f.add(PLAN, (*at, "at_least"), "slots.at_least", _("每个时段至少一人"))
        if wrong := _slots_wrong(line.terms["slots"]):
            f.add(PLAN, (*at, "slots"), "slots.form", wrong, 'slots: [{id: am, start: "09:00", end: "12:00"}]')


def _slots_wrong(given: Any) -> str:
    """What is wrong with a list of slots; "" when it is right."""
    if not isinstance(given, list) or not given or not all(isinstance(one, dict) for one in given):
        return _("时段要写成列表")
    last, names = "", set()
    for one in given:
        name, start, end = (one.get(key) for key in ("id", "start", "end"))
        if not all(isinstance(part, str) for part in (name, start, end)) or set(one) != {"id", "start", "end"}:
            return _("每个时段写 id、start、end")
        if not (_TIME.fullmatch(start) and _TIME.fullmatch(end)) or not last <= start < end:
            return _("时段的起止时刻应为 HH:MM，先后有序、互不重叠")
        if name in names:
            return _("编号 {id} 重复").format(id=name)
        names.add(name)
        last = end
    return ""


RULES: tuple[Rule, ...] = (ways, kinds, permissions, staffing, slots)
