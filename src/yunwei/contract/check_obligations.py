"""Rules over obligations and events: who owes, when it falls due, what proves it, and where its number comes from."""

from __future__ import annotations

import re
from collections.abc import Collection

from yunwei.contract.check_contract import EVERY, WHO
from yunwei.contract.findings import OBLIGATIONS, Findings, Rule
from yunwei.contract.schema import Basis, Cadence, Deadline, Kind, Obligation, Owes
from yunwei.kernel.i18n import _

#: kinds of things the assets room knows, `system` among them
ASSET_KINDS = frozenset({"device", "host", "vm", "system"})
#: kinds that hold all the time or only ever break: nothing of them falls due by itself
STANDING = frozenset({Kind.CONTINUOUS, Kind.CONSENT, Kind.BAN})
RECEIVER = {Owes.A: "B", Owes.B: "A", Owes.BOTH: "AB"}
_EVENT = re.compile(r"[a-z][a-z0-9_]*")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")
WEEKDAYS, MONTH_DAYS = 7, 31


def events(f: Findings) -> None:
    """An event has a code name, someone who may record it, and known references."""
    for index, event in enumerate(f.folder.event_details):
        at = ("events", index)
        if not _EVENT.fullmatch(event.id):
            message = _("事件名只用小写字母、数字和下划线：{id}").format(id=event.id)
            f.add(OBLIGATIONS, at, "event.name", message)
        if event.by not in WHO:
            f.add(OBLIGATIONS, at, "event.by", _("by 只能是 A、B 或 AB"))
        if event.clause:
            f.clause_known(OBLIGATIONS, at, event.clause)
        if event.instalment and event.instalment not in f.instalments:
            message = _("没有付款期 {id}").format(id=event.instalment)
            f.add(OBLIGATIONS, at, "instalment.unknown", message)


def references(f: Findings) -> None:
    """An obligation rests on known clauses and is started by known events."""
    for index, obligation in enumerate(f.folder.obligations):
        at = ("obligations", index)
        if not obligation.clauses:
            f.add(OBLIGATIONS, at, "obligation.no_clause", _("义务没有条款依据"))
        for clause in obligation.clauses:
            f.clause_known(OBLIGATIONS, (*at, "clauses"), clause)
        if obligation.trigger:
            f.event_known(OBLIGATIONS, (*at, "trigger"), obligation.trigger)
        if obligation.deadline and obligation.deadline.anchor:
            f.event_known(OBLIGATIONS, (*at, "deadline"), obligation.deadline.anchor)
        if obligation.selector and (unknown := set(obligation.selector.kinds) - ASSET_KINDS):
            message = _("没有资产类别 {kinds}").format(kinds="、".join(sorted(unknown)))
            f.add(OBLIGATIONS, (*at, "selector"), "selector.kind", message)


def named(f: Findings) -> None:
    """It says in both languages what is owed: a page without that answers nothing."""
    for index, obligation in enumerate(f.folder.obligations):
        if not obligation.title.strip() or not obligation.title_en.strip():
            message = _("义务 {id} 没有写明欠的是什么").format(id=obligation.id)
            f.add(OBLIGATIONS, ("obligations", index), "obligation.no_title", message)


def proof(f: Findings) -> None:
    """Something proves it; manual proof is confirmed by the side that received the service, never by a colleague."""
    for index, obligation in enumerate(f.folder.obligations):
        at = ("obligations", index)
        if not [p for p in obligation.proof if p.strip()]:
            message = _("义务 {id} 没有写用什么证明").format(id=obligation.id)
            f.add(OBLIGATIONS, at, "obligation.no_proof", message)
        receiver = RECEIVER[obligation.owes]
        if obligation.procedure and not obligation.confirmed_by:
            continue
        if obligation.confirmed_by != receiver:
            message = _("人工证明要由接受服务的一方（{receiver}）确认，写的是“{by}”").format(
                receiver=receiver, by=obligation.confirmed_by
            )
            f.add(OBLIGATIONS, (*at, "confirmed_by"), "proof.confirmed_by", message)


def due(f: Findings) -> None:
    """What is neither standing nor a ban needs one thing that makes it due: a trigger or a cadence."""
    planned = {line.obligation for line in f.folder.plan.lines if line.cadence}
    for index, obligation in enumerate(f.folder.obligations):
        at = ("obligations", index)
        if obligation.trigger and obligation.cadence:
            f.add(OBLIGATIONS, at, "obligation.trigger_and_cadence", _("触发事件与频次只能写一个"))
        starts = obligation.trigger or obligation.cadence or obligation.id in planned
        if obligation.kind not in STANDING and not starts:
            message = _("义务 {id} 没有触发事件，合同与计划也都没有频次，永远不会到期").format(id=obligation.id)
            f.add(OBLIGATIONS, at, "obligation.never_due", message)
        if obligation.cadence:
            cadence_form(f, OBLIGATIONS, (*at, "cadence"), obligation.cadence)


def cadence_form(f: Findings, file: str, path: tuple[str | int, ...], cadence: Cadence) -> None:
    """A cadence that a calendar can follow."""
    if cadence.every not in EVERY:
        message = _("没有频次 {every}").format(every=cadence.every)
        f.add(file, path, "cadence.every", message, "、".join(sorted(EVERY)))
    if not _TIME.fullmatch(cadence.due_time):
        message = _("到期时刻应为 HH:MM（至 24:00）：{time}").format(time=cadence.due_time)
        f.add(file, path, "cadence.due_time", message)
    if not (0 <= cadence.weekday <= WEEKDAYS and 0 <= cadence.day <= MONTH_DAYS and cadence.offset_days >= 0):
        message = _("星期为 0–7，日为 0–31，偏移不能为负")
        f.add(file, path, "cadence.day", message)


def deadline_form(f: Findings, file: str, path: tuple[str | int, ...], deadline: Deadline) -> None:
    """A deadline is not in the past of its event."""
    if deadline.n < 0:
        f.add(file, path, "deadline.negative", _("期限不能为负"))


def basis(f: Findings) -> None:
    """A contract number stands in its clause, a statutory one names its law, a plan's number is not here."""
    for index, obligation in enumerate(f.folder.obligations):
        at = ("obligations", index)
        for name, number in (("deadline", obligation.deadline), ("cadence", obligation.cadence)):
            if number is None:
                continue
            path = (*at, name)
            if isinstance(number, Deadline):
                deadline_form(f, OBLIGATIONS, path, number)
            if number.basis is Basis.CONTRACT:
                _in_clause(f, path, obligation, number)
            elif number.basis is Basis.STATUTE:
                if not obligation.statute:
                    f.add(OBLIGATIONS, path, "basis.no_statute", _("法定期限要写明法律与条文（statute）"))
            else:
                hint = _("移到 plan.yaml，经审定后生效")
                f.add(OBLIGATIONS, path, "basis.plan_in_contract", _("计划或平台的数字不能写成义务本身"), hint)


def _in_clause(f: Findings, path: tuple[str | int, ...], obligation: Obligation, number: Deadline | Cadence) -> None:
    """及时, 定期 never turn into a contract number: the clause's own figures must hold it."""
    if obligation.vague:
        message = _("合同只写“{word}”，没有数字").format(word=obligation.vague)
        f.add(OBLIGATIONS, path, "basis.vague", message, _("数字由服务方案约定，依据写 plan"))
        return
    figures = [figure for clause in obligation.clauses if (c := f.clauses.get(clause)) for figure in c.figures]
    if isinstance(number, Deadline):
        found = any(figure.n == number.n and figure.unit == number.unit for figure in figures)
    else:
        found = any(figure.unit == number.every for figure in figures)
    if not found:
        message = _("条款 {clauses} 里没有这个数字").format(clauses="、".join(obligation.clauses))
        hint = _("合同确有此数的，写进该条款的 figures；没有的不能标为 contract")
        f.add(OBLIGATIONS, path, "basis.not_in_clause", message, hint)


def payments(f: Findings) -> None:
    """A payment says which instalment it is, and both say the same time and the same starting event."""
    paid: set[str] = set()
    for index, obligation in enumerate(f.folder.obligations):
        at = ("obligations", index)
        if obligation.instalment:
            instalment = f.instalments.get(obligation.instalment)
            if instalment is None:
                message = _("没有付款期 {id}").format(id=obligation.instalment)
                f.add(OBLIGATIONS, (*at, "instalment"), "instalment.unknown", message)
                continue
            paid.add(instalment.id)
            deadline = obligation.deadline
            if deadline is None or (deadline.n, deadline.unit) != (instalment.days, instalment.unit):
                message = _("付款期限与 contract.yaml 的付款期 {id} 不一致").format(id=instalment.id)
                f.add(OBLIGATIONS, at, "instalment.deadline", message)
            if obligation.trigger not in instalment.anchors:
                message = _("触发事件不在付款期 {id} 的起算事件中").format(id=instalment.id)
                f.add(OBLIGATIONS, at, "instalment.anchor", message)
        elif obligation.kind is Kind.PAY:
            f.add(OBLIGATIONS, at, "instalment.missing", _("付款义务没有写是哪一期（instalment）"))
    for index, instalment in enumerate(f.folder.contract.instalments):
        if instalment.id not in paid:
            message = _("付款期 {id} 没有对应的付款义务").format(id=instalment.id)
            f.add("contract.yaml", ("instalments", index), "instalment.unpaid", message)


def procedures_known(f: Findings, known: Collection[str]) -> None:
    """A procedure named by an obligation is one that a line of work registered."""
    for index, obligation in enumerate(f.folder.obligations):
        if obligation.procedure and obligation.procedure not in known:
            message = _("没有名为 {name} 的流程").format(name=obligation.procedure)
            hint = _("现有：{known}；没有流程的义务留空，走人工证明").format(known="、".join(sorted(known)) or "—")
            f.add(OBLIGATIONS, ("obligations", index, "procedure"), "procedure.unknown", message, hint)


RULES: tuple[Rule, ...] = (events, references, named, proof, due, basis, payments)
