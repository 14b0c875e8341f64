"""The contract year that ends, who speaks for a party about it, and the clocks that its events started."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, PartyOf, Role
from yunwei.assessment.errors import AssessmentError
from yunwei.contract import period
from yunwei.contract.schema import Folder
from yunwei.contract.year_end import YearEnd
from yunwei.duties import services as duties
from yunwei.duties.models import ManualProof, Occurrence, TriggerEvent
from yunwei.duties.proofs import UNSETTLED
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Artifact

JSON = Any
#: who accepts, orders and receives for 甲方; who answers for 乙方 and who hands over (standards §10)
CLIENT = frozenset({Role.A_MANAGER, Role.A_LEADER})
VENDOR = frozenset({Role.B_MANAGER})
WORKERS = VENDOR | {Role.B_ENGINEER}
KEEPERS = VENDOR | {Role.B_DOCUMENTS}


@dataclass(frozen=True, slots=True)
class Year:
    """The contract year: its name (the year it begins in) and its days, both inside."""

    key: str
    first: date
    last: date


def of(folder: Folder) -> Year:
    """The year of this contract: it is signed year by year (合同 2.3)."""
    span = period.duty_span(folder.contract)
    return Year(f"{span.start:%Y}", span.start, span.end)


def end_of(folder: Folder) -> YearEnd:
    """What the contract says about how a year ends. Raises AssessmentError when its folder says nothing."""
    if folder.year_end is None:
        raise AssessmentError(_("合同目录没有验收与移交的约定"), where="year_end.yaml")
    return folder.year_end


def may(by: Account, roles: frozenset[Role], message: str) -> None:
    """Raises AssessmentError with the message when this account does not speak for its party here."""
    party = PartyOf.A if roles is CLIENT else PartyOf.B
    if not by.is_active or by.role not in roles or by.party != party:
        raise AssessmentError(message, where=by.username)


def note(
    kind: str,
    row: Any,
    subject: str,
    data: dict[str, JSON],
    by: Account,
    now: datetime,
    clauses: list[str],
    artifacts: tuple[Artifact, ...] = (),
) -> None:
    """Record an act in the ledger and point the row at it."""
    intake = ledger.record(
        f"assessment.{kind}", subject, data, at=now, actor=by.username, clauses=tuple(clauses), artifacts=artifacts
    )
    row.evidence = intake.pk
    row.save(update_fields=["evidence"])


def clock(obligation: str, event: TriggerEvent | None) -> Occurrence | None:
    """The occurrence of an obligation that an event started; None while the books have not reached it."""
    if event is None:
        return None
    return Occurrence.objects.filter(obligation=obligation, period=f"event:{event.pk}").first()


def state_on(row: Occurrence | None, statement: str, file: duties.File, by: Account, now: datetime) -> None:
    """The act is the proof of its clock too: nobody has to say it twice. What is settled, or waits for an answer, stays."""
    if row is None or row.state not in UNSETTLED:
        return
    if not ManualProof.objects.filter(occurrence=row, confirmed__isnull=True).exists():
        duties.state_proof(row.pk, statement=statement, file=file, by=by, now=now)


def answer_on(row: Occurrence | None, by: Account, now: datetime, *, confirm: bool, text: str) -> None:
    """What 乙方 stated on a clock is answered by the act that judged it."""
    waiting = ManualProof.objects.filter(
        occurrence=row, confirmed__isnull=True, stated_by__organisation__party=PartyOf.B
    ).first()
    if row is not None and waiting is not None:
        duties.answer_proof(waiting.pk, confirm=confirm, by=by, now=now, answer=text)
