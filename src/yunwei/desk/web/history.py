"""Everything that happened on a ticket, as the ledger has it, newest first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from yunwei.accounts.models import Account, PartyOf
from yunwei.desk import services as desk
from yunwei.desk.models import Entry, Ticket, TicketState
from yunwei.desk.web import speaking
from yunwei.duties.models import Occurrence
from yunwei.ledger.models import Artifact, Intake
from yunwei.ledger.reading import READ
from yunwei.ui import words
from yunwei.ui.context import contract_folder

#: lines shown at once; a ticket with more is told so
MOST = 200
#: of the duties, what a department reads: how a promise to it ended
TO_TENANTS = ("duties.proof.confirmed", "duties.proof.refused", "duties.occurrence.kept", "duties.occurrence.late",
              "duties.occurrence.missed", "duties.occurrence.unproven", "duties.occurrence.exempt")  # fmt: skip
TONE = {
    "duties.occurrence.missed": "bad",
    "duties.occurrence.late": "warn",
    "duties.occurrence.unproven": "unp",
    "duties.proof.refused": "bad",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One record. `seq` is its ledger number, None while it waits for one; `entry` the line that holds the words."""

    at: datetime
    who: str
    what: str
    text: str
    tone: str
    inside: bool
    file: str
    artifact: str
    size: int | None
    entry: int
    intake: int
    seq: int | None
    gone: bool  # the file was removed by law


def lines(ticket: Ticket, rows: Sequence[Occurrence], viewer: Account) -> tuple[list[Line], bool]:
    """The lines this account may read, and whether there are more; four statements whatever there is."""
    tenant = viewer.party == PartyOf.TENANT
    found = list(_records(ticket, rows, tenant=tenant).select_related("entry").order_by("-id")[: MOST + 1])
    own = desk.lines_of(ticket, viewer).select_related("by__organisation").order_by("-id")
    entries = {e.evidence: e for e in own[: MOST + 1]}
    people = _people(found, entries)
    files = Artifact.objects.filter(commitment__in=[e.artifact for e in entries.values() if e.artifact])
    kept = {a.commitment: a for a in files}
    titles = {row.key: words.title(duty) for row, duty in _duties(rows)}
    out = []
    for intake in found[:MOST]:
        entry = entries.get(intake.pk)
        if tenant and entry is None and intake.kind not in TO_TENANTS:
            continue  # a line that is not the department's to read
        actor = entry.by if entry is not None else people.get(intake.actor)
        out.append(_line(intake, entry, speaking.who(actor, viewer), kept, titles))
    return out, len(found) > MOST


def _records(ticket: Ticket, rows: Sequence[Occurrence], *, tenant: bool) -> Any:
    own = Q(subject=ticket.number, kind__startswith="desk.ticket.")
    keys = [row.key for row in rows]
    of_clocks = Q(subject__in=keys, kind__in=TO_TENANTS) if tenant else Q(subject__in=keys)
    event = Q() if tenant or ticket.event_id is None else Q(subject=f"event:{ticket.event_id}")
    return Intake.objects.filter(own | of_clocks | event if event else own | of_clocks)


def _people(found: Iterable[Intake], entries: Mapping[int | None, Entry]) -> dict[str, Account]:
    names = {intake.actor for intake in found if intake.pk not in entries}
    rows = Account.objects.filter(username__in=names).select_related("organisation")
    return {row.username: row for row in rows}


def _duties(rows: Sequence[Occurrence]) -> list[tuple[Occurrence, Any]]:
    known = {o.id: o for o in contract_folder().obligations}
    return [(row, known[row.obligation]) for row in rows if row.obligation in known]


def _line(
    intake: Intake, entry: Entry | None, who: str, kept: Mapping[str, Artifact], titles: Mapping[str, str]
) -> Line:
    numbered = getattr(intake, "entry", None)
    file = kept.get(entry.artifact) if entry is not None and entry.artifact else None
    what = words.event(intake.kind)
    tone = TONE.get(intake.kind, "")
    if entry is not None and entry.what == "moved":
        what = str(TicketState(entry.state).label)
        tone = {"waiting": "warn", "rejected": "warn"}.get(entry.state, "")
    text = entry.text if entry is not None else titles.get(intake.subject, "") or _note(intake)
    if entry is not None and entry.by_id is None:
        text = words.stored(words.limits_in(text))
    return Line(
        at=intake.at,
        who=who,
        what=what,
        text=text,
        tone=tone,
        inside=entry is not None and entry.inside,
        file=entry.file_name if entry is not None and entry.artifact else "",
        artifact=entry.artifact if entry is not None else "",
        size=file.size if file is not None else None,
        entry=entry.pk if entry is not None else 0,
        intake=intake.pk,
        seq=numbered.seq if numbered is not None else None,
        gone=file is not None and file.redacted_at is not None,
    )


def _note(intake: Intake) -> str:
    data = json.loads(bytes(intake.body)).get("data", {})
    return str(data.get("note", "")) if isinstance(data, dict) else ""


def readings(found: Iterable[Line], viewer: Account) -> dict[str, list[tuple[datetime, str]]]:
    """Who fetched which attachment, by its commitment, the newest first: (when, who). Two statements."""
    files = {line.artifact for line in found if line.artifact}
    rows = list(Intake.objects.filter(kind=READ, subject__in=files).order_by("-id")[:MOST]) if files else []
    names = {row.actor for row in rows}
    people = {a.username: a for a in Account.objects.filter(username__in=names).select_related("organisation")}
    out: dict[str, list[tuple[datetime, str]]] = {}
    for row in rows:
        out.setdefault(row.subject, []).append((row.at, speaking.who(people.get(row.actor), viewer)))
    return out
