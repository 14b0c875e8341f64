"""What of consents, notices and people waits for which side, in the shape that the page of open turns takes."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.utils.translation import gettext as _

from yunwei.accounts.models import PartyOf, StaffMember
from yunwei.contract.schema import Folder
from yunwei.duties.models import Consent, Notice, NoticeState, Outcome


class Turn(NamedTuple):
    """One thing that waits: for which side, since when, in words, and the page where it is done (name, argument)."""

    side: str
    what: str
    since: datetime
    page: str
    argument: str = ""


def turns(folder: Folder, now: datetime) -> list[Turn]:
    """All of it; three statements."""
    return [*_consents(now), *_notices(folder), *_people()]


def _consents(now: datetime) -> list[Turn]:
    rows = Consent.objects.filter(granted__isnull=True, withdrawn_at__isnull=True, ends__gt=now)
    return [
        Turn("A" if r.asked_by.party == PartyOf.B else "B", _("申请同意：{id} {subject}").format(id=r.obligation, subject=r.subject),
             r.asked_at, "consent", str(r.pk))
        for r in rows.select_related("asked_by__organisation")
    ]  # fmt: skip


def _notices(folder: Folder) -> list[Turn]:
    """On the way: the receiver says that it read what came by the platform, of the rest the sender says what became of it."""
    service = folder.contract.service
    read = {w.id for w in service.ways if Outcome.ACKNOWLEDGED in w.outcomes} if service else set()
    found = []
    for row in Notice.objects.filter(state=NoticeState.SENT):
        other = "B" if row.sender == "A" else "A"
        side, text = (other, _("待查收：{title}")) if row.way in read else (row.sender, _("待登记送达结果：{title}"))
        found.append(Turn(side, text.format(title=row.title), row.sent_at, "notice", str(row.pk)))
    return found


def _people() -> list[Turn]:
    rows = StaffMember.objects.filter(confirmed__isnull=True, since__isnull=True)
    return [Turn("A", _("人员待确认：{code}").format(code=r.code), r.entered_at, "staff") for r in rows]
