"""The client's surprise test (暗测): a hash first, the deed, then the words that hash to it; the platform says how long it took.

The words never reach this machine before they are revealed: 甲方 makes the hash with its own copy of the verifier or in
its browser, so nobody at 乙方 can see which device it names. A test that was missed is a fault found by 甲方.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, PartyOf
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models import Surprise
from yunwei.assets.models import Asset
from yunwei.desk.models import Entry, Ticket, TicketKind
from yunwei.duties.proofs import OFFICERS
from yunwei.gm import sm3
from yunwei.inspect import findings
from yunwei.inspect.models import Finding
from yunwei.ledger import services as ledger

HEADER = "yunwei-surprise/1"
_HEX = re.compile(r"[0-9a-f]{64}")
#: characters of the committed text; a nonce of 16 bytes at least, so that a list of devices cannot be tried out
MOST, NONCE = 1000, 32


@dataclass(frozen=True, slots=True)
class Words:
    """What a test committed to: the device, the component ("" for any), the moment, and what was done."""

    asset: str
    component: str
    at: datetime
    what: str


def read(text: str) -> Words:
    """The words of a test. Lines: the header, then asset=, component=, at= (with zone), what=, nonce=.

    Raises AssessmentError when a line is missing or the nonce is too short to keep the device secret.
    """
    head, _sep, rest = text.strip("\n").partition("\n")
    pairs = dict(line.split("=", 1) for line in rest.split("\n") if "=" in line)
    if head != HEADER or len(text) > MOST or set(pairs) != {"asset", "component", "at", "what", "nonce"}:
        raise AssessmentError(_("不是暗测的原文"), where=head[:40], hint=f"{HEADER} asset= component= at= what= nonce=")
    if len(pairs["nonce"]) < NONCE:
        raise AssessmentError(_("随机数太短，设备可以被猜出"), where="nonce", hint=_("至少 {n} 个字符").format(n=NONCE))
    at = _moment(pairs["at"])
    if at is None or at.tzinfo is None:
        raise AssessmentError(_("时间须带时区"), where=pairs["at"][:40], hint="2026-10-12T10:00:00+08:00")
    return Words(pairs["asset"], pairs["component"], at, pairs["what"])


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def words(asset: str, component: str, at: datetime, what: str, nonce: str) -> str:
    """The text that `read` reads; its SM3 is the commitment."""
    return f"{HEADER}\nasset={asset}\ncomponent={component}\nat={at.isoformat()}\nwhat={what}\nnonce={nonce}\n"


def commit(commitment: str, *, by: Account, now: datetime) -> Surprise:
    """Enter a hash. Raises AssessmentError for anybody but 甲方, for what is no SM3, for one that was entered before."""
    _client(by)
    if not _HEX.fullmatch(commitment):
        raise AssessmentError(_("不是 SM3 哈希值（64 位小写十六进制）"), where=commitment[:70])
    try:
        with transaction.atomic():
            row = Surprise.objects.create(commitment=commitment, committed_by=by, committed_at=now)
            intake = ledger.record(
                "assessment.surprise.committed", f"surprise:{row.pk}", {"commitment": commitment}, at=now,
                actor=by.username,
            )  # fmt: skip
            row.evidence = intake.pk
            row.save(update_fields=["evidence"])
    except IntegrityError as e:
        raise AssessmentError(_("这个哈希已经登记过"), where=commitment[:16]) from e
    return row


def reveal(surprise_id: int, text: str, *, by: Account, now: datetime) -> Surprise:
    """Show the words of a hash, and settle the test: when the fault was seen, ticketed and told, or that it was missed.

    A missed one opens a finding whose origin is the test. Raises AssessmentError when the words do not hash to what was
    entered, name a moment before it was entered or after now, or a device that is not there.
    """
    _client(by)
    told = read(text)
    with transaction.atomic():
        row = Surprise.objects.select_for_update().filter(pk=surprise_id).first()
        if row is None:
            raise AssessmentError(_("没有这次暗测"), where=str(surprise_id))
        if row.revealed_at is not None:
            raise AssessmentError(_("这次暗测已经揭示"), where=row.commitment[:16])
        if sm3.hexdigest(text.encode()) != row.commitment:
            raise AssessmentError(_("原文与登记的哈希不符"), where=row.commitment[:16])
        if not row.committed_at < told.at <= now:
            raise AssessmentError(_("动手的时间须在登记之后、揭示之前"), where=told.at.isoformat())
        asset = Asset.objects.filter(code=told.asset).first()
        if asset is None:
            raise AssessmentError(_("没有这台设备"), where=told.asset)
        row.text, row.asset, row.component, row.done_at = text, asset, told.component, told.at
        row.revealed_by, row.revealed_at = by, now
        _settle(row, asset, told, by, now)
        intake = ledger.record(
            "assessment.surprise.revealed", f"surprise:{row.pk}",
            {"commitment": row.commitment, "text": text, "asset": told.asset, "component": told.component,
             "done": told.at.isoformat(), "detected": _iso(row.detected_at), "ticket": _iso(row.ticket_at),
             "notice": _iso(row.notice_at), "finding": row.finding},
            at=now, actor=by.username,
        )  # fmt: skip
        row.evidence = intake.pk
        row.save()
    return row


def _settle(row: Surprise, asset: Asset, told: Words, by: Account, now: datetime) -> None:
    """What the platform made of the deed, from the rows that looking and the desk left."""
    about = Finding.objects.filter(asset=asset)
    if told.component:
        about = about.filter(component=told.component)
    if (
        about.filter(opened_at__lt=told.at, closed_at__isnull=True).exists()
        or about.filter(opened_at__lt=told.at, closed_at__gt=told.at).exists()
    ):
        raise AssessmentError(
            _("该部件在动手之前已有未关闭的故障，这次暗测判定不了"), where=f"{told.asset} {told.component}"
        )
    found = about.filter(opened_at__gte=told.at, origin__in=("sweep", "vendor_report")).order_by("opened_at").first()
    if found is None:
        missed = findings.report(
            asset, component=told.component or "device", kind="surprise", name=told.what[:200] or _("暗测"),
            severity="critical", origin="surprise", by=by, now=now,
        )  # fmt: skip
        row.finding = missed.pk
        return
    row.finding, row.detected_at = found.pk, found.opened_at
    ticket = (
        Ticket.objects.filter(asset=asset, kind=TicketKind.FAULT, component=found.component, opened_at__gte=told.at)
        .order_by("opened_at")
        .first()
    )
    if ticket is not None:
        row.ticket_at = ticket.opened_at
        row.notice_at = (
            Entry.objects.filter(ticket=ticket, what="reply").order_by("at").values_list("at", flat=True).first()
        )


def minutes(row: Surprise, moment: datetime | None) -> int | None:
    """Whole minutes from the deed to a moment; None when that never came."""
    return None if moment is None or row.done_at is None else (moment - row.done_at) // timedelta(minutes=1)


def _client(by: Account) -> None:
    if not by.is_active or by.party != PartyOf.A or by.role in OFFICERS:
        raise AssessmentError(_("暗测由甲方进行"), where=by.username)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
