"""A month's sheet from what the books hold, and what the two parties do about it: score, appeal, decide, freeze, sign.

The scorer is 甲方, 乙方 may appeal with evidence, 甲方 decides with a reason and freezes, 乙方 countersigns or its refusal
is recorded (合同 4.3.1, 5.1; the time to appeal is the rubric's). A frozen sheet never changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from django.db import transaction
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, PartyOf, Role
from yunwei.assessment import scoring
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models import Addition, Appeal, Sheet, SheetState
from yunwei.contract import period
from yunwei.contract.schema import Folder, Rubric
from yunwei.duties import sources
from yunwei.duties.models import Occurrence, TriggerEvent
from yunwei.duties.papers import NOTE, File, bounded, said, stored
from yunwei.duties.queries import stated_in_time
from yunwei.duties.schedule import count
from yunwei.inspect.models import Finding
from yunwei.kernel.canonical import canonical
from yunwei.kernel.deadline import end_of
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Artifact

JSON = Any
#: who scores for 甲方 (standards §10: 项目负责人 scores, 分管领导 approves)
SCORERS = frozenset({Role.A_MANAGER, Role.A_LEADER})
#: who speaks for 乙方 about a score
DEFENDERS = frozenset({Role.B_MANAGER})


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month as far as it lies in the term; both days inside. `partial`: the term cuts it."""

    name: str
    first: date
    last: date
    partial: bool

    @property
    def days(self) -> int:
        """How many of its days lie in the term."""
        return (self.last - self.first).days + 1


def months(folder: Folder) -> list[Month]:
    """The calendar months of the term, the first and the last cut where the term begins and ends."""
    span = period.duty_span(folder.contract)
    found, day = [], span.start.replace(day=1)
    while day <= span.end:
        following = (day + timedelta(days=32)).replace(day=1)
        whole = following - timedelta(days=1)
        first, last = max(day, span.start), min(whole, span.end)
        found.append(Month(f"{day:%Y-%m}", first, last, (first, last) != (day, whole)))
        day = following
    return found


def month_of(folder: Folder, name: str) -> Month:
    """The month of that name ("2026-10"). Raises AssessmentError when the term has no day in it."""
    for month in months(folder):
        if month.name == name:
            return month
    span = period.duty_span(folder.contract)
    raise AssessmentError(
        _("服务期内没有这个月"), where=name, hint=_("服务期 {start} 至 {end}").format(start=span.start, end=span.end)
    )


def rubric_of(folder: Folder) -> Rubric:
    """The rubric of the contract. Raises AssessmentError when it has none."""
    if folder.rubric is None:
        raise AssessmentError(_("合同目录没有评分标准，不能评分"), where="rubric.yaml")
    return folder.rubric


def adopted(folder: Folder, rubric: Rubric) -> bool:
    """Whether both parties adopted this rubric by a document that is in hand (合同 3.1); else it is tried out only.

    A month may have been scored before they signed: what they signed is then compared with what it was scored by.
    """
    signed = folder.rubric
    if signed is None or not any(d.id == signed.document and d.present for d in folder.documents):
        return False
    return _terms(signed) == _terms(rubric)


def _terms(rubric: Rubric) -> Rubric:
    """What a rubric says about a month: without the document that adopted it, and without the price, which is the year's."""
    return msgspec.structs.replace(rubric, document="", price=[])


def computed(name: str) -> scoring.Score:
    """The sheet of a month as the books stand now, whatever was scored. Raises AssessmentError."""
    return computed_all([name])[name]


def computed_all(names: Sequence[str]) -> dict[str, scoring.Score]:
    """The sheets of several months as the books stand now, gathered once: the same number of statements for one month
    as for all. Every row names its own day, by which it belongs to its month. Raises AssessmentError."""
    if not names:
        return {}
    folder = sources.folder()
    found, rubric = [month_of(folder, name) for name in names], rubric_of(folder)
    span = Month("", min(m.first for m in found), max(m.last for m in found), partial=True)
    judged = _by_month((one.due, one) for one in outcomes(folder, rubric, span))
    seen = _by_month((one.day, one) for one in faults(folder, span))
    broken = _by_month((one.day, one) for one in breaches(folder, rubric, span))
    added, granted = additions(names), _granted(names)
    return {
        m.name: scoring.score(
            rubric, judged.get(m.name, []), seen.get(m.name, []), broken.get(m.name, []), added.get(m.name, []),
            granted=granted.get(m.name, frozenset()),
        )
        for m in found
    }  # fmt: skip


_T = TypeVar("_T")


def _by_month(rows: Iterable[tuple[str, _T]]) -> dict[str, list[_T]]:
    """Rows by the month of their day ("2026-10-03" is of "2026-10"), in their order."""
    found: dict[str, list[_T]] = {}
    for day, row in rows:
        found.setdefault(day[:7], []).append(row)
    return found


def bounds(folder: Folder, month: Month) -> tuple[datetime, datetime]:
    """The midnights before its first and after its last day, where the contract lives."""
    zone = ZoneInfo(folder.contract.timezone)
    start = datetime.combine(month.first, time(), zone)
    return start, datetime.combine(month.last + timedelta(days=1), time(), zone)


def outcomes(folder: Folder, rubric: Rubric, month: Month) -> list[scoring.Outcome]:
    """What counted and fell due in the month; what is due at a day's 24:00 belongs to that day."""
    start, end = bounds(folder, month)
    judged = {o for item in rubric.items for o in item.obligations}
    rows = list(
        Occurrence.objects.filter(counts=True, obligation__in=judged, due_at__gt=start, due_at__lte=end)
        .annotate(stated=stated_in_time())
        .prefetch_related("claims")
        .order_by("due_at", "obligation", "period")
    )
    numbers = ledger.numbers_of(row.evidence for row in rows)
    zone = ZoneInfo(folder.contract.timezone)
    return [_outcome(row, numbers.get(row.evidence or 0, 0), zone) for row in rows]


def _outcome(row: Any, number: int, zone: ZoneInfo) -> scoring.Outcome:
    day = (row.due_at - timedelta(microseconds=1)).astimezone(zone).date()
    waiting = row.stated and row.state in ("due", "missed", "unproven")
    return scoring.Outcome(
        row.key, row.obligation, row.state, cause=row.cause, clauses=list(row.clauses), due=day.isoformat(),
        evidence=number, disputed=row.disputed, pending=waiting or row.state in ("due", "running"), detail=row.detail,
    )  # fmt: skip


def faults(folder: Folder, month: Month) -> list[scoring.Fault]:
    """The faults that came to light in the month and how."""
    start, end = bounds(folder, month)
    rows = list(Finding.objects.filter(opened_at__gte=start, opened_at__lt=end).select_related("asset").order_by("id"))
    numbers, zone = ledger.numbers_of(row.evidence for row in rows), ZoneInfo(folder.contract.timezone)
    return [
        scoring.Fault(
            f"finding:{row.pk}", row.origin, f"{row.asset.code} {row.name}",
            row.opened_at.astimezone(zone).date().isoformat(), numbers.get(row.evidence or 0, 0),
        )
        for row in rows
    ]  # fmt: skip


def breaches(folder: Folder, rubric: Rubric, month: Month) -> list[scoring.Breach]:
    """What 甲方 recorded in the month and a veto names."""
    start, end = bounds(folder, month)
    kinds = [veto.event for veto in rubric.vetoes]
    rows = list(TriggerEvent.objects.filter(kind__in=kinds, at__gte=start, at__lt=end).order_by("id"))
    numbers, zone = ledger.numbers_of(row.evidence for row in rows), ZoneInfo(folder.contract.timezone)
    return [
        scoring.Breach(
            f"event:{row.pk}", row.kind, row.note, row.at.astimezone(zone).date().isoformat(),
            numbers.get(row.evidence or 0, 0),
        )
        for row in rows
    ]  # fmt: skip


def additions(names: Sequence[str]) -> dict[str, list[scoring.Remark]]:
    """What 甲方 added to these months by hand, by month."""
    rows = list(Addition.objects.filter(month__in=names).order_by("id"))
    numbers = ledger.numbers_of(row.evidence for row in rows)
    found: dict[str, list[scoring.Remark]] = {}
    for row in rows:
        key, number = f"addition:{row.pk}", numbers.get(row.evidence or 0, 0)
        found.setdefault(row.month, []).append(scoring.Remark(key, row.heading, row.text, row.points, number))
    return found


def _granted(names: Sequence[str]) -> dict[str, frozenset[str]]:
    """The lines of which an appeal was granted, by month."""
    found: dict[str, set[str]] = {}
    for month, line in Appeal.objects.filter(sheet__month__in=names, granted=True).values_list("sheet__month", "line"):
        found.setdefault(month, set()).add(line)
    return {month: frozenset(lines) for month, lines in found.items()}


# --- what the parties do ----------------------------------------------------------------------------------------------


def score(name: str, *, by: Account, now: datetime) -> Sheet:
    """甲方 scores a month that has ended: the computed sheet is fixed and 乙方's time to appeal begins.

    Before it is frozen it may be scored again (a claim was accepted, an addition made): appeals stay, the time begins
    anew. Raises AssessmentError for a month that is not over, for anybody but 甲方's scorers, for a frozen sheet.
    """
    _may(by, SCORERS, _("评分由甲方项目负责人或分管领导进行"))
    folder = sources.folder()
    month, rubric = month_of(folder, name), rubric_of(folder)
    start, end = bounds(folder, month)
    if now < end:
        raise AssessmentError(_("这个月还没有结束，只能试算"), where=name)
    ledger.sequence(now)  # what is told now is fixed: each line is to name the number of its evidence
    with transaction.atomic():
        row = Sheet.objects.select_for_update().filter(month=name).first()
        if row is not None and row.state == SheetState.FROZEN:
            raise AssessmentError(_("这个月已经定分，不再更改"), where=name)
        made = computed(name)
        if not made.counted and not made.lines:
            raise AssessmentError(_("这个月没有计分的履行，不评分"), where=name)
        body, told = msgspec.to_builtins(made), msgspec.to_builtins(rubric)
        content = canonical({"month": name, "rubric": told, "sheet": body})
        artifact = ledger.store(content, "application/json")
        until = count(now, rubric.appeal.n, rubric.appeal.unit.value, sources.calendar(), start.tzinfo).due  # type: ignore[arg-type]
        fields = {
            "rubric": told, "days": month.days, "body": body, "score": made.score, "scored_by": by, "scored_at": now,
            "appeal_until": until, "artifact": artifact.commitment,
        }  # fmt: skip
        if row is None:
            row = Sheet.objects.create(month=name, **fields)
        else:
            row.round += 1
            for field, value in fields.items():
                setattr(row, field, value)
        data = {
            "month": name, "round": row.round, "score": str(made.score), "lost": str(made.lost),
            "rubric": f"{rubric.id}/{rubric.version}", "adopted": adopted(folder, rubric),
            "appeal_until": until.isoformat(),
        }  # fmt: skip
        _note("assessment.sheet.scored", row, data, by, now, (artifact,))
        row.save()
    return row


def appeal(name: str, line: str, *, statement: str, file: File | None, by: Account, now: datetime) -> Appeal:
    """乙方 appeals against a line that takes points, with evidence, while its time runs.

    Raises AssessmentError for a line that takes nothing, after the time, twice, or by anybody but 乙方's manager.
    """
    _may(by, DEFENDERS, _("申诉由乙方项目经理提出"))
    with transaction.atomic():
        row = _open(name)
        if now > row.appeal_until:
            raise AssessmentError(_("申诉期已过：{until}").format(until=_local(row.appeal_until)), where=name)
        told = _line(row, line)
        if told is None or Decimal(str(told["points"])) <= 0:
            raise AssessmentError(_("这一行没有扣分，无从申诉"), where=line)
        if row.appeals.filter(line=line).exists():
            raise AssessmentError(_("这一行已经申诉过"), where=line)
        artifact = stored(file, line, AssessmentError)
        made = Appeal.objects.create(
            sheet=row, line=line, round=row.round, statement=said(statement, line, AssessmentError), artifact=artifact.commitment,
            file_name=file.shown if file else "", appealed_by=by, appealed_at=now,
        )  # fmt: skip
        data = {"month": name, "id": made.pk, "line": line, "statement": made.statement}
        _note("assessment.appeal.made", row, data, by, now, (artifact,), made)
    return made


def decide(appeal_id: int, *, grant: bool, reason: str, by: Account, now: datetime) -> Appeal:
    """甲方 grants an appeal or refuses it, with a reason either way. Raises AssessmentError when it was decided."""
    _may(by, SCORERS, _("申诉由甲方答复"))
    with transaction.atomic():
        row = Appeal.objects.select_for_update().filter(pk=appeal_id).first()
        if row is None:
            raise AssessmentError(_("没有这项申诉"), where=str(appeal_id))
        sheet = _open(row.sheet.month)
        if row.decided_at is not None:
            raise AssessmentError(_("这项申诉已有答复"), where=row.line)
        row.granted, row.reason, row.decided_by, row.decided_at = (
            grant,
            said(reason, row.line, AssessmentError),
            by,
            now,
        )
        row.save(update_fields=["granted", "reason", "decided_by", "decided_at"])
        data = {"month": sheet.month, "id": row.pk, "line": row.line, "reason": row.reason}
        _note("assessment.appeal.granted" if grant else "assessment.appeal.refused", sheet, data, by, now, (), row)
    return row


def freeze(name: str, *, by: Account, now: datetime) -> Sheet:
    """甲方 freezes a sheet when 乙方's time is over and every appeal is answered; from then on it never changes.

    What became better for 乙方 since it was scored is taken over; what became worse must be scored again first, so that
    nothing is frozen that could not be appealed. Raises AssessmentError.
    """
    _may(by, SCORERS, _("定分由甲方项目负责人或分管领导进行"))
    ledger.sequence(now)
    with transaction.atomic():
        row = _open(name)
        if now <= row.appeal_until:
            raise AssessmentError(
                _("申诉期到 {until}，届满之后才能定分").format(until=_local(row.appeal_until)), where=name
            )
        if row.appeals.filter(decided_at__isnull=True).exists():
            raise AssessmentError(_("还有申诉没有答复"), where=name)
        made = _frozen(row)
        worse = _worse(row, made)
        if worse:
            raise AssessmentError(
                _("评分之后又有新的扣分：{lines}").format(lines="、".join(worse[:5])), where=name, hint=_("请重新评分")
            )
        row.body, row.score, row.state = msgspec.to_builtins(made), made.score, SheetState.FROZEN
        artifact = ledger.store(canonical({"month": name, "rubric": row.rubric, "sheet": row.body}), "application/json")
        row.artifact, row.frozen_by, row.frozen_at = artifact.commitment, by, now
        data = {"month": name, "score": str(made.score), "lost": str(made.lost), "round": row.round}
        _note("assessment.sheet.frozen", row, data, by, now, (artifact,))
        row.save()
    return row


def _frozen(row: Sheet) -> scoring.Score:
    """The month as it stands now under the rubric it was scored by, with the granted appeals."""
    folder, rubric = sources.folder(), msgspec.convert(row.rubric, Rubric)
    month = month_of(folder, row.month)
    return scoring.score(
        rubric, outcomes(folder, rubric, month), faults(folder, month), breaches(folder, rubric, month),
        additions([row.month]).get(row.month, []),
        granted=_granted([row.month]).get(row.month, frozenset()),
    )  # fmt: skip


def _worse(row: Sheet, made: scoring.Score) -> list[str]:
    told = {line["key"]: Decimal(str(line["points"])) for line in row.body["lines"]}
    return [line.key for line in made.lines if line.points > max(told.get(line.key, scoring.ZERO), scoring.ZERO)]


def answer(name: str, *, sign: bool, text: str, by: Account, now: datetime) -> Sheet:
    """乙方 countersigns a frozen sheet, or refuses to with a reason, which is recorded; the score stands either way."""
    _may(by, DEFENDERS, _("由乙方项目经理签认"))
    with transaction.atomic():
        row = Sheet.objects.select_for_update().filter(month=name).first()
        if row is None or row.state != SheetState.FROZEN:
            raise AssessmentError(_("这个月还没有定分"), where=name)
        if row.signed is not None:
            raise AssessmentError(_("这个月已有签认或拒签"), where=name)
        row.signed, row.answered_by, row.answered_at = sign, by, now
        row.answer = bounded(text, name, AssessmentError) if sign else said(text, name, AssessmentError)
        _note("assessment.sheet.signed" if sign else "assessment.sheet.unsigned", row,
              {"month": name, "score": str(row.score), "answer": row.answer}, by, now)  # fmt: skip
        row.save()
    return row


def add(
    name: str, heading: str, *, points: Decimal, text: str, file: File | None, by: Account, now: datetime
) -> Addition:
    """甲方 adds to a month what the rubric lets it add by hand, with its ground.

    Raises AssessmentError for a heading that the rubric does not have, for more points than it allows, without a file.
    """
    _may(by, SCORERS, _("加减分由甲方登记"))
    folder = sources.folder()
    month_of(folder, name)
    known = next((h for h in rubric_of(folder).headings if h.id == heading), None)
    if known is None:
        hint = "、".join(h.id for h in rubric_of(folder).headings)
        raise AssessmentError(_("评分标准没有这一项"), where=heading, hint=hint)
    if not points.is_finite() or abs(points) > 1000 or points != scoring.cents(points):
        raise AssessmentError(_("不是分数：{text}").format(text=points), where=heading, hint="1.5")
    if points == 0 or (points > 0) != (known.most > 0) or abs(points) > abs(known.most):
        raise AssessmentError(_("这一项每次至多 {n} 分").format(n=known.most), where=heading)
    with transaction.atomic():
        if Sheet.objects.select_for_update().filter(month=name, state=SheetState.FROZEN).exists():
            raise AssessmentError(_("这个月已经定分，不再更改"), where=name)
        artifact = stored(file, heading, AssessmentError)
        row = Addition.objects.create(
            month=name, heading=heading, points=points, text=said(text, heading, AssessmentError, NOTE), artifact=artifact.commitment,
            file_name=file.shown if file else "", added_by=by, added_at=now,
        )  # fmt: skip
        intake = ledger.record(
            "assessment.addition.made", f"sheet:{name}",
            {"month": name, "id": row.pk, "heading": heading, "points": str(points), "text": row.text},
            at=now, actor=by.username, clauses=_clauses(), artifacts=(artifact,),
        )  # fmt: skip
        row.evidence = intake.pk
        row.save(update_fields=["evidence"])
    return row


def _may(by: Account, roles: frozenset[Role], message: str) -> None:
    party = PartyOf.A if roles is SCORERS else PartyOf.B
    if not by.is_active or by.role not in roles or by.party != party:
        raise AssessmentError(message, where=by.username)


def _open(name: str) -> Sheet:
    row = Sheet.objects.select_for_update().filter(month=name).first()
    if row is None:
        raise AssessmentError(_("这个月还没有评分"), where=name)
    if row.state == SheetState.FROZEN:
        raise AssessmentError(_("这个月已经定分，不再更改"), where=name)
    return row


def _line(row: Sheet, key: str) -> dict[str, JSON] | None:
    return next((line for line in row.body["lines"] if line["key"] == key), None)


def _local(moment: datetime) -> str:
    return end_of(moment.astimezone(ZoneInfo(sources.folder().contract.timezone)))


def _clauses() -> tuple[str, ...]:
    return tuple(rubric_of(sources.folder()).clauses)


def _note(
    kind: str, sheet: Sheet, data: dict[str, JSON], by: Account, now: datetime,
    artifacts: tuple[Artifact, ...] = (), about: Appeal | None = None,
) -> None:  # fmt: skip
    intake = ledger.record(
        kind, f"sheet:{sheet.month}", data, at=now, actor=by.username, clauses=_clauses(), artifacts=artifacts
    )
    target: Any = about or sheet
    target.evidence = intake.pk
    if about is not None:
        about.save(update_fields=["evidence"])
