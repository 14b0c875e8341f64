"""Rules over year_end.yaml: every event, obligation and clause it names exists, and each requirement chooses a standard of
its own list that is not below a mandatory one."""

from __future__ import annotations

from yunwei.contract.findings import Findings, Rule
from yunwei.contract.schema import Owes
from yunwei.contract.year_end import Level, Requirement, YearEnd
from yunwei.kernel.i18n import _

FILE = "year_end.yaml"
EVENTS = ("passed", "failed", "ordered", "ended")
ONE = ("rectify", "rectify_failed", "summary", "handover")
MANY = ("returns", "timers", "reading", "accounts")
CLAUSES = ("acceptance_clauses", "rectify_clauses", "handover_clauses")


def names(f: Findings) -> None:
    """What the file names is there."""
    told = f.folder.year_end
    if told is None:
        return
    for field in EVENTS:
        f.event_known(FILE, (field,), getattr(told, field))
    for field in ONE:
        _obligation(f, (field,), getattr(told, field))
    for field in MANY:
        for index, name in enumerate(getattr(told, field)):
            _obligation(f, (field, index), name)
    for field in CLAUSES:
        for index, clause in enumerate(getattr(told, field)):
            f.clause_known(FILE, (field, index), clause)


def clocks(f: Findings) -> None:
    """The clocks are started by the events that acceptance, rectification and handover record: there is no second one."""
    told = f.folder.year_end
    if told is None:
        return
    for field, event in _started(told):
        duty = f.obligations.get(getattr(told, field))
        if duty is not None and duty.trigger != event:
            f.add(FILE, (field,), "year_end.clock", _("义务 {id} 的期限不由事件 {event} 起算").format(id=duty.id, event=event),
                  _("在 obligations.yaml 的 trigger 中写明"))  # fmt: skip


def _started(told: YearEnd) -> list[tuple[str, str]]:
    return [
        ("rectify", told.ordered),
        ("rectify_failed", told.failed),
        ("summary", told.ended),
        ("handover", told.ended),
    ]


def requirements(f: Findings) -> None:
    """Each requirement once; the chosen standard is one of its own and not passed over a mandatory one; its proofs are 乙方's."""
    told = f.folder.year_end
    if told is None:
        return
    f.unique(FILE, ("requirements",), (r.id for r in told.requirements))
    for index, one in enumerate(told.requirements):
        _chosen(f, ("requirements", index), one)
        for place, name in enumerate(one.proven_by):
            duty = _obligation(f, ("requirements", index, "proven_by", place), name)
            if duty == Owes.A:
                f.add(FILE, ("requirements", index, "proven_by", place), "year_end.owner",
                      _("{id} 由甲方承担，不能证明乙方的服务").format(id=name))  # fmt: skip


def _chosen(f: Findings, path: tuple[str | int, ...], one: Requirement) -> None:
    chosen = next((s for s in one.standards if s.number == one.chosen), None)
    if chosen is None:
        f.add(FILE, (*path, "chosen"), "year_end.standard", _("所选标准 {number} 不在这一项的标准之中").format(number=one.chosen),
              "、".join(s.number for s in one.standards))  # fmt: skip
    elif (
        chosen.level != Level.MANDATORY
        and any(s.level == Level.MANDATORY for s in one.standards)
        and not one.why.strip()
    ):
        f.add(FILE, (*path, "why"), "year_end.floor", _("有强制性标准而另选的，要写明为何更严"))


def _obligation(f: Findings, path: tuple[str | int, ...], name: str) -> Owes | None:
    duty = f.obligations.get(name)
    if duty is None:
        f.add(FILE, path, "obligation.unknown", _("没有义务 {id}").format(id=name))
        return None
    return duty.owes


def signed(f: Findings) -> None:
    """A document that makes the requirements the parties' own is one of the contract's."""
    told = f.folder.year_end
    if told is not None and told.document and told.document not in f.documents:
        f.add(FILE, ("document",), "document.unknown", _("没有文件 {id}").format(id=told.document))


RULES: tuple[Rule, ...] = (names, clocks, requirements, signed)
