"""Handover at the end of a year (合同 7.2.16-7.2.17): facilities, materials and, our own addition, accounts; each item signed
by both sides or refused with a reason. The list is derived when it is opened and then frozen; what changes afterwards is
shown as a difference and never rewrites it. A secret is never in here: of a login that it exists, who holds it, when it was
last set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, PartyOf
from yunwei.assessment import year
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models_year import Handover, HandoverItem, ItemKind
from yunwei.assets.models import Asset, AssetKind, Credential
from yunwei.contract.models import PlanState, PlanVersion
from yunwei.contract.schema import Folder, Kind
from yunwei.duties import services as duties
from yunwei.duties import sources
from yunwei.duties.books import CONTRACT_READ
from yunwei.duties.models import ManualProof, Occurrence, TriggerEvent
from yunwei.duties.papers import File, said
from yunwei.kernel.canonical import canonical
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Intake

JSON = Any
#: records by which a delivered report is known; reports stand below this room and tell the ledger what they made
REPORT_BUILT = "reports.built"


@dataclass(frozen=True, slots=True)
class Item:
    """One item as it is derived: `detail` are facts for people, `source` the ledger intake that says it is there."""

    kind: str
    code: str
    title: str
    detail: dict[str, JSON] = field(default_factory=dict)
    source: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same item."""
        return self.kind, self.code


def derive(folder: Folder) -> list[Item]:
    """What there is to hand over, as the books stand: facilities, virtual resources, materials, accounts."""
    return [*_facilities(), *_materials(folder), *_accounts(folder)]


def _facilities() -> list[Item]:
    """What 甲方 provided: every asset that is looked after and is not 乙方's own."""
    rows = (
        Asset.objects.filter(retired_at__isnull=True)
        .exclude(owner__party=PartyOf.B)
        .select_related("place", "zone", "system")
        .order_by("kind", "code")
    )
    last = _last(("assets.identity.confirmed", "assets.identity.pinned"))
    imported = _last(("assets.import",)).get("assets")
    found = []
    for row in rows:
        kind = ItemKind.RESOURCE if row.kind == AssetKind.VM else ItemKind.FACILITY
        detail = {
            "model": " ".join(w for w in (row.vendor, row.model) if w), "serial": row.serial,
            "place": row.place.name if row.place else "", "position": row.position, "zone": row.zone.name,
            "system": row.system.name if row.system else "", "category": row.category,
        }  # fmt: skip
        found.append(Item(kind, row.code, row.name, detail, last.get(row.code) or imported))
    return found


def _materials(folder: Folder) -> list[Item]:
    """The contract's documents in hand, approved plans, reports that were made, and what was delivered and confirmed."""
    read = _last((CONTRACT_READ,)).get(folder.contract.id)
    found = [
        Item(ItemKind.MATERIAL, f"document:{d.id}", d.title, {"clause": d.clause or d.rank}, read)
        for d in folder.documents
        if d.present
    ]
    plans = PlanVersion.objects.filter(state=PlanState.APPROVED).order_by("version")
    approved = _last(("contract.plan.approved",))
    found += [
        Item(
            ItemKind.MATERIAL,
            f"plan:{p.version}",
            _("服务方案第 {n} 版").format(n=p.version),
            {},
            approved.get(f"plan:{p.version}"),
        )
        for p in plans
    ]
    for name, intake in sorted(_last((REPORT_BUILT,)).items()):
        found.append(Item(ItemKind.MATERIAL, f"report:{name}", _("报告 {name}").format(name=name), {}, intake))
    delivered = {o.id: o.title for o in folder.obligations if o.kind is Kind.DELIVER and "B" in o.owes}
    proofs = ManualProof.objects.filter(confirmed=True, occurrence__obligation__in=delivered).select_related(
        "occurrence"
    )
    for proof in proofs.order_by("occurrence__obligation", "occurrence__period", "id"):
        title = f"{delivered[proof.occurrence.obligation]}（{proof.occurrence.period}）"
        detail = {"file": proof.file_name}
        found.append(Item(ItemKind.MATERIAL, f"delivered:{proof.pk}", title[:200], detail, proof.evidence))
    return found


def _accounts(folder: Folder) -> list[Item]:
    """The logins of equipment: that each exists, what it opens, who holds it, when its secret was last set."""
    holder = next((p.name for p in folder.contract.parties if p.role == PartyOf.B), "")
    last = _last(("assets.credential.set",))
    rows = Credential.objects.order_by("name").prefetch_related("endpoint_set__asset")
    return [
        Item(
            ItemKind.ACCOUNT, row.name, row.name,
            {"kind": row.kind, "holder": holder, "opens": sorted({e.asset.code for e in row.endpoint_set.all()}),
             "set": row.changed_at.isoformat() if row.changed_at else None},
            last.get(row.name),
        )
        for row in rows
    ]  # fmt: skip


def _last(kinds: Sequence[str]) -> dict[str, int]:
    """The last record of these kinds by its subject; one statement."""
    rows = Intake.objects.filter(kind__in=kinds).values("subject").annotate(last=Max("id")).order_by()
    return {row["subject"]: row["last"] for row in rows}


# --- the list ---------------------------------------------------------------------------------------------------------


def current(folder: Folder) -> Handover | None:
    """The list of this contract's year; None while it was not opened."""
    return Handover.objects.filter(year=year.of(folder).key).select_related("opened_by").first()


def ended(folder: Folder) -> TriggerEvent | None:
    """The event that ends the year's work and starts the clock of the handover."""
    ends = folder.year_end
    return (
        TriggerEvent.objects.filter(kind=ends.ended, starts_clock=True).order_by("at", "id").first() if ends else None
    )


def clock(folder: Folder) -> Occurrence | None:
    """The occurrence of the handover, whose due moment is the contract's own."""
    return year.clock(folder.year_end.handover, ended(folder)) if folder.year_end else None


def open_list(*, by: Account, now: datetime) -> Handover:
    """乙方 opens the list: what there is to hand over is frozen as rows. Once a year. Raises AssessmentError."""
    year.may(by, year.KEEPERS, _("移交清单由乙方项目经理或资料员开列"))
    folder = sources.folder()
    ends, key = year.end_of(folder), year.of(folder).key
    items = derive(folder)
    if not items:
        raise AssessmentError(_("没有可移交的设施、资料或账号"), where=key)
    told = [{"kind": i.kind, "code": i.code, "title": i.title, "detail": i.detail, "source": i.source} for i in items]
    paper = ledger.store(canonical({"year": key, "items": told}), "application/json")
    with transaction.atomic():
        row, made = Handover.objects.get_or_create(
            year=key, defaults={"opened_by": by, "opened_at": now, "artifact": paper.commitment}
        )
        if not made:
            raise AssessmentError(_("这个年度的移交清单已经开列"), where=key)
        HandoverItem.objects.bulk_create(
            [HandoverItem(handover=row, kind=i.kind, code=i.code, title=i.title[:200], detail=i.detail, source=i.source)
             for i in items], batch_size=500,
        )  # fmt: skip
        year.note(
            "handover.opened",
            row,
            _subject(row),
            {"year": key, "items": len(items)},
            by,
            now,
            ends.handover_clauses,
            (paper,),
        )
    return row


def sign(item_ids: Sequence[int], *, by: Account, now: datetime) -> int:
    """Sign items: 乙方 that it handed them over, 甲方 that it received them, whoever comes first. Returns how many were new.

    A refusal may be followed by a signature (it was found, it was put right); a signature is never taken back.
    """
    side = _side(by)
    with transaction.atomic():
        rows = _items(item_ids)
        fresh = [row for row in rows if getattr(row, side) is not True]
        _record_signed(fresh, side, by, now)
    return len(fresh)


def refuse(item_id: int, *, reason: str, by: Account, now: datetime) -> HandoverItem:
    """Refuse an item with a reason: it is not there, it is damaged, it is not what the list says. Raises AssessmentError
    when this side signed it."""
    side = _side(by)
    with transaction.atomic():
        [row] = _items([item_id])
        if getattr(row, side) is not None:
            raise AssessmentError(_("本方已经签收或拒签这一项"), where=row.code)
        text = said(reason, row.code, AssessmentError)
        fields = {side: False, f"{side}_reason": text, f"{side}_by": by, f"{side}_at": now}
        for name, value in fields.items():
            setattr(row, name, value)
        row.save(update_fields=list(fields))
        data = {"year": row.handover.year, "side": side, "item": [row.kind, row.code], "reason": text}
        year.note("handover.refused", row, _subject(row.handover), data, by, now, _clauses())
    return row


def _side(by: Account) -> str:
    """Which signature is this account's: "given" for 乙方, "received" for 甲方."""
    if by.party == PartyOf.A:
        year.may(by, year.CLIENT, _("移交由甲方项目负责人或分管领导接收"))
        return "received"
    year.may(by, year.KEEPERS, _("移交由乙方项目经理或资料员签出"))
    return "given"


def _items(item_ids: Sequence[int]) -> list[HandoverItem]:
    wanted = sorted(set(item_ids))
    rows = list(
        HandoverItem.objects.select_for_update().filter(pk__in=wanted).select_related("handover").order_by("pk")
    )
    if not rows or len(rows) != len(wanted) or len({row.handover_id for row in rows}) != 1:
        raise AssessmentError(_("没有这个移交项"), where="、".join(str(n) for n in wanted)[:60])
    return rows


def _record_signed(rows: Sequence[HandoverItem], side: str, by: Account, now: datetime) -> None:
    """One record names every item that was signed at once; each row points at it."""
    if not rows:
        return
    told = {"year": rows[0].handover.year, "side": side, "items": [[row.kind, row.code] for row in rows]}
    intake = ledger.record(
        "assessment.handover.signed",
        _subject(rows[0].handover),
        told,
        at=now,
        actor=by.username,
        clauses=tuple(_clauses()),
    )
    fields = {side: True, f"{side}_reason": "", f"{side}_by": by, f"{side}_at": now, "evidence": intake.pk}
    HandoverItem.objects.filter(pk__in=[row.pk for row in rows]).update(**fields)


def _clauses() -> list[str]:
    return year.end_of(sources.folder()).handover_clauses


def _subject(row: Handover) -> str:
    return f"handover:{row.year}"


# --- where it stands --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a list is: `done` items need nothing more, `refused` of them with a reason; who still has to sign."""

    all: int
    done: int
    refused: int
    given: int
    received: int

    @property
    def finished(self) -> bool:
        """Every item has both signatures, or a refusal with a reason."""
        return self.all > 0 and self.done == self.all


def progress(items: Sequence[HandoverItem]) -> Progress:
    """From the items alone, in whatever order they were signed."""
    return Progress(
        len(items), sum(i.done for i in items), sum(i.refused for i in items), sum(i.given is True for i in items),
        sum(i.received is True for i in items),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """What differs from the frozen list by now: "added", "gone" or "changed" (then `fields` names what)."""

    what: str
    kind: str
    code: str
    title: str
    fields: tuple[str, ...] = ()


def changes(folder: Folder, items: Sequence[HandoverItem]) -> list[Change]:
    """What became different after the list was frozen."""
    now_there, frozen = {i.key: i for i in derive(folder)}, {(i.kind, i.code): i for i in items}
    found = [Change("added", i.kind, i.code, i.title) for key, i in now_there.items() if key not in frozen]
    for key, row in frozen.items():
        fresh = now_there.get(key)
        if fresh is None:
            found.append(Change("gone", row.kind, row.code, row.title))
            continue
        names = {"title": (row.title, fresh.title[:200])} | {k: (v, fresh.detail.get(k)) for k, v in row.detail.items()}
        if differ := tuple(k for k, (was, is_now) in names.items() if was != is_now):
            found.append(Change("changed", row.kind, row.code, fresh.title, differ))
    return found


def resets(items: Sequence[HandoverItem], since: datetime) -> dict[str, datetime | None]:
    """For each account of the list, when its secret was set anew after that moment; None: not yet."""
    names = [i.code for i in items if i.kind == ItemKind.ACCOUNT]
    rows = dict(Credential.objects.filter(name__in=names).values_list("name", "changed_at"))
    return {n: at if (at := rows.get(n)) is not None and at > since else None for n in names}


def temporary() -> list[Account]:
    """The accounts of 乙方 on this platform, which end with the term; closed ones last."""
    rows = Account.objects.filter(organisation__party=PartyOf.B).select_related("organisation")
    return list(rows.order_by("-is_active", "username"))


def prove(*, by: Account, now: datetime) -> ManualProof:
    """乙方 states the finished list as proof of the handover's own clock; 甲方 confirms it there. Raises AssessmentError while
    the list is not finished or the event that ends the year was not recorded."""
    year.may(by, year.KEEPERS, _("移交清单由乙方项目经理或资料员举证"))
    folder = sources.folder()
    row = current(folder)
    items = list(row.items.all()) if row else []
    if row is None or not progress(items).finished:
        raise AssessmentError(_("还有移交项没有双方签收"), where=year.of(folder).key)
    duties.bring_up_to_date(now)
    due = clock(folder)
    if due is None:
        raise AssessmentError(_("还没有登记本年度运维工作结束"), where=year.of(folder).key)
    told = [
        {"kind": i.kind, "code": i.code, "given": i.given, "given_reason": i.given_reason, "received": i.received,
         "received_reason": i.received_reason} for i in items
    ]  # fmt: skip
    file = File(
        f"handover-{row.year}.json",
        canonical({"year": row.year, "list": row.artifact, "items": told}),
        "application/json",
    )
    n = progress(items)
    text = _("移交清单 {all} 项：{done} 项已了结，其中拒签 {refused} 项").format(
        all=n.all, done=n.done, refused=n.refused
    )
    return duties.state_proof(due.pk, statement=text, file=file, by=by, now=now)
