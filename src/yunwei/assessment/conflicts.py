"""Conflicts of rules: two rules of assessment contradict each other, and the client's superior authority decides (合同 4.3.1).

Either party records one. 甲方 sends it to the authority and brings its paper; that paper, not a party, says which rule
holds. Until then every obligation that the conflict names shows 规则冲突待裁定.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, PartyOf
from yunwei.assessment.claims import binding
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models_claims import Conflict
from yunwei.contract.schema import Folder, PrecedenceRule
from yunwei.duties import sources
from yunwei.duties.papers import File, bounded, said, stored
from yunwei.ledger import services as ledger

JSON = Any
TEXT, TITLE, NAME = 300, 200, 120


@dataclass(frozen=True, slots=True)
class Rule:
    """One of the two: what it demands, and the clause it stands in ("" where it stands in no clause of this contract)."""

    text: str
    clause: str = ""


def rule_of(folder: Folder) -> PrecedenceRule:
    """The rule of precedence by which the superior decides. Raises AssessmentError when the contract has none."""
    name = folder.between.superior if folder.between else ""
    found = next((r for r in folder.rules if r.id == name), None)
    if found is None:
        raise AssessmentError(_("合同没有约定由主管单位裁定"), where="between.yaml")
    return found


def record(
    title: str, left: Rule, right: Rule, obligations: Sequence[str], *, statement: str, file: File | None, by: Account,
    now: datetime,
) -> Conflict:  # fmt: skip
    """Record that two rules contradict each other about some obligations. Raises AssessmentError."""
    binding(by)
    folder = sources.folder()
    rule_of(folder)
    known = {o.id for o in folder.obligations}
    clauses = {c.id for c in folder.clauses}
    named = sorted(set(obligations))
    if not named or not set(named) <= known:
        raise AssessmentError(_("写明受影响的义务"), where="、".join(sorted(set(named) - known))[:60] or "obligations")
    for rule in (left, right):
        if rule.clause and rule.clause not in clauses:
            raise AssessmentError(_("没有这一条款"), where=rule.clause[:20])
    if left == right:
        raise AssessmentError(_("两条规则相同，没有冲突"), where=left.text[:40])
    texts = [said(r.text, _("规则"), AssessmentError, TEXT) for r in (left, right)]
    with transaction.atomic():
        artifact = stored(file, title[:40], AssessmentError)
        row = Conflict.objects.create(
            title=said(title, _("标题"), AssessmentError, TITLE), left=texts[0], left_clause=left.clause, right=texts[1],
            right_clause=right.clause, obligations=named, statement=said(statement, title[:40], AssessmentError),
            artifact=artifact.commitment, file_name=file.shown if file else "", said_by=by, said_at=now,
        )  # fmt: skip
        data = {
            "id": row.pk, "title": row.title, "left": [row.left, row.left_clause],
            "right": [row.right, row.right_clause], "obligations": named, "statement": row.statement,
        }  # fmt: skip
        _record("recorded", row, data, by, now, (artifact,))
    return row


def send(conflict_id: int, authority: str, *, by: Account, now: datetime) -> Conflict:
    """甲方 sends it to its superior authority. Raises AssessmentError."""
    _client(by)
    with transaction.atomic():
        row = _open(conflict_id)
        if row.sent_at is not None:
            raise AssessmentError(_("已经报送"), where=str(row.pk))
        row.authority = said(authority, _("主管单位"), AssessmentError, NAME)
        row.sent_by, row.sent_at = by, now
        row.save(update_fields=["authority", "sent_by", "sent_at"])
        _record("sent", row, {"id": row.pk, "authority": row.authority}, by, now, ())
    return row


def decide(conflict_id: int, holds: str, *, text: str, file: File | None, by: Account, now: datetime) -> Conflict:
    """Enter what the authority decided, with its paper: which rule holds, "left" or "right". Raises AssessmentError."""
    _client(by)
    if holds not in ("left", "right"):
        raise AssessmentError(_("两条规则之一"), where=holds[:20])
    with transaction.atomic():
        row = _open(conflict_id)
        if row.sent_at is None:
            raise AssessmentError(_("先报送主管单位"), where=str(row.pk))
        artifact = stored(file, str(row.pk), AssessmentError)
        row.holds, row.answer = holds, bounded(text.strip(), str(row.pk), AssessmentError)
        row.answer_artifact, row.answer_file = artifact.commitment, file.shown if file else ""
        row.answered_by, row.answered_at = by, now
        row.save()
        _record("decided", row, {"id": row.pk, "holds": holds, "answer": row.answer}, by, now, (artifact,))
    return row


def undecided() -> dict[str, Conflict]:
    """By obligation: the conflict that is not decided yet; one statement."""
    return {name: row for row in Conflict.objects.filter(holds="").order_by("-id") for name in row.obligations}


def _client(by: Account) -> None:
    if binding(by) != PartyOf.A:
        raise AssessmentError(_("由甲方报送其主管单位"), where=by.username)


def _open(conflict_id: int) -> Conflict:
    row = Conflict.objects.select_for_update().filter(pk=conflict_id).first()
    if row is None:
        raise AssessmentError(_("没有这项冲突"), where=str(conflict_id))
    if row.holds:
        raise AssessmentError(_("这项冲突已经裁定"), where=str(row.pk))
    return row


def _record(
    step: str, row: Conflict, data: dict[str, JSON], by: Account, now: datetime, artifacts: tuple[Any, ...]
) -> None:
    clause = rule_of(sources.folder()).clause
    intake = ledger.record(
        f"assessment.conflict.{step}", f"conflict:{row.pk}", data, at=now, actor=by.username, clauses=(clause,),
        artifacts=artifacts,
    )  # fmt: skip
    row.evidence = intake.pk
    row.save(update_fields=["evidence"])
