"""What the demo's two parties settle between them beside the work: people, consents, notices, orders, claims, the end.

Each act is one ordinary service call and is done once; `demo_diary.BETWEEN` says when and by whom. All invented.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from yunwei.accounts import staff
from yunwei.accounts.models import Account, StaffMember
from yunwei.assessment import acceptance, claims, force_majeure, handover, rectify, year
from yunwei.assessment.models import Acceptance, Demand, Handover, HandoverItem, Majeure, Order
from yunwei.contract import closings, supplements
from yunwei.contract.models import Supplement
from yunwei.contract.supplements import Changes
from yunwei.duties import consents, notices, onsite, sources
from yunwei.duties.models import Consent, Notice, RosterEntry, TriggerEvent
from yunwei.duties.papers import File
from yunwei.lab.weather import ZONE
from yunwei.reports import services as reports

JSON = Any
Data = Mapping[str, JSON]
#: code, name, position, key person, certificate, its last day
CREW = (
    ("B-01", "演示人员甲", "驻场工程师", True, "演示：网络工程师证书", date(2027, 6, 30)),
    ("B-02", "演示人员乙", "驻场工程师", True, "演示：信息安全工程师证书", date(2027, 1, 15)),
    ("B-03", "演示人员丙", "二线工程师", False, "演示：数据库工程师证书", None),
    ("B-04", "演示人员丁", "后备工程师", False, "演示：云计算工程师证书", date(2028, 3, 1)),
)


def paper(title: str) -> File:
    """A file that somebody brings."""
    return File(f"{title[:40]}.txt", f"{title}\n（演示文件）\n".encode(), "text/plain; charset=utf-8")


# --- people ----------------------------------------------------------------------------------------------------------


def enter_staff(by: Account, _data: Data, now: datetime) -> None:
    """The staff list with proof of employment and certificates (7.2.7)."""
    for code, name, position, key, certificate, expires in CREW:
        if not StaffMember.objects.filter(code=code).exists():
            staff.enter(code, name, position, key_person=key, file=paper(f"演示：劳动关系证明 {code}"), by=by, now=now)
            staff.certify(code, certificate, expires=expires, file=paper(f"{certificate} {code}"), by=by, now=now)


def confirm_staff(by: Account, data: Data, now: datetime) -> None:
    """甲方 confirms those who begin; who is kept in reserve is confirmed when taking a place."""
    for code in data["codes"]:
        if StaffMember.objects.filter(code=code, confirmed__isnull=True).exists():
            staff.confirm(code, accept=True, by=by, now=now)


def roster(by: Account, data: Data, now: datetime) -> None:
    """Who stands in which slot of a month; one half day is forgotten now and then, and then stays open."""
    first = date.fromisoformat(data["month"])
    last = first.replace(day=monthrange(first.year, first.month)[1])
    begin = max(first, now.astimezone(ZONE).date())
    found = onsite.terms(sources.folder())
    if found is None or RosterEntry.objects.filter(day__range=(first, last)).exists():
        return
    people = [m.code for m in StaffMember.objects.filter(since__isnull=False, until__isnull=True).order_by("code")][:2]
    for day in found.days_of(begin, last, sources.calendar()):
        for n, slot in enumerate(found.slots):
            if (day.month * 31 + day.day * 7 + n) % 97:
                onsite.assign(day, slot.id, people[n % len(people)], by=by, now=now)


def demand_staff(by: Account, data: Data, now: datetime) -> None:
    """甲方 does not accept a person any more (7.2.6)."""
    if StaffMember.objects.filter(code=data["code"], demanded_at__isnull=True, until__isnull=True).exists():
        staff.demand(data["code"], by=by, now=now, reason=data["text"])


def replace_staff(by: Account, data: Data, now: datetime) -> None:
    """One takes another's place, with the consent that was given before (7.1.6)."""
    if StaffMember.objects.filter(code=data["old"], until__isnull=True).exists():
        staff.replace(data["old"], data["new"], by=by, now=now, reason=data["text"])


def stand_in(by: Account, data: Data, now: datetime) -> None:
    """The new one stands in the slots of the one who left, to the end of the month."""
    found, day = onsite.terms(sources.folder()), now.astimezone(ZONE).date()
    if found is not None and not RosterEntry.objects.filter(member__code=data["code"]).exists():
        last = day.replace(day=monthrange(day.year, day.month)[1])
        slot = found.slots[int(data["slot"])].id
        onsite.assign_days(day + timedelta(days=1), last, [slot], data["code"], by=by, now=now, stand_in=True)


# --- consents and notices --------------------------------------------------------------------------------------------


def ask(by: Account, data: Data, now: datetime) -> None:
    """Ask for a prior consent; `swap` names two people."""
    subject = staff.swap_subject(*data["swap"]) if "swap" in data else data["subject"]
    if not Consent.objects.filter(obligation=data["duty"], subject=subject).exists():
        consents.ask(
            data["duty"], subject=subject, what=data["text"], starts=now + timedelta(hours=data.get("from_h", 24)),
            ends=now + timedelta(days=data.get("days", 20)), by=by, now=now, file=paper(data["text"]),
        )  # fmt: skip


def grant(by: Account, data: Data, now: datetime) -> None:
    """The other side answers what waits under an obligation."""
    row = Consent.objects.filter(obligation=data["duty"], granted__isnull=True, withdrawn_at__isnull=True).first()
    if row is not None:
        yes, text = bool(data["yes"]), str(data.get("text", ""))
        consents.answer(row.pk, grant=yes, by=by, now=now, reason=text, file=paper("演示：书面答复") if yes else None)


def act(by: Account, data: Data, now: datetime) -> None:
    """Something was done that needs a prior consent; without one it is a breach."""
    consents.record_act(data["duty"], subject=data["subject"], what=data["text"], at=now, by=by, now=now)


def notice(by: Account, data: Data, now: datetime) -> None:
    """A document is sent to the other side; `of` is the kind of the event that it tells of."""
    if Notice.objects.filter(title=data["title"]).exists():
        return
    event = TriggerEvent.objects.filter(kind=data["of"], at__lte=now).order_by("-at").first() if "of" in data else None
    row = notices.send(
        data["kind"], way=data["way"], title=data["title"], by=by, sent_at=now, now=now, file=paper(data["title"]),
        event_id=event.pk if event else None,
    )  # fmt: skip
    if row.effective_at is None and "outcome" in data:
        notices.deliver(row.pk, outcome=data["outcome"], at=now, by=by, now=now, file=paper("演示：签收单"))


# --- orders, claims, force majeure, supplements ----------------------------------------------------------------------


def order(by: Account, data: Data, now: datetime) -> None:
    """甲方 orders something to be put right (7.1.4, 4.3.2)."""
    if not Order.objects.filter(what=data["text"]).exists():
        due = now + timedelta(days=data["days"])
        clause = year.end_of(sources.folder()).rectify_clauses[-1]
        rectify.order(data["text"], clause=clause, due_at=due, file=paper(data["text"]), by=by, now=now)


def put_right(by: Account, data: Data, now: datetime) -> None:
    """乙方 says that the newest order is carried out."""
    row = Order.objects.order_by("-pk").first()
    if row is not None:
        rectify.report(row.pk, statement=data["text"], file=paper(data["text"]), by=by, now=now)


def check(by: Account, data: Data, now: datetime) -> None:
    """甲方 looks again."""
    row = Order.objects.order_by("-pk").first()
    if row is not None:
        rectify.check(row.pk, conforming=bool(data["yes"]), finding=data["text"], by=by, now=now)


def claim(by: Account, data: Data, now: datetime) -> None:
    """One side claims an amount from the other."""
    if not Demand.objects.filter(statement=data["text"]).exists():
        ground = claims.grounds(sources.folder(), claims.binding(by))[0].clause.id
        amount = Decimal(data["amount"])
        claims.claim(
            data["kind"], ground, statement=data["text"], file=paper(data["text"]), by=by, now=now, amount=amount
        )


def answer_claim(by: Account, data: Data, now: datetime) -> None:
    """The other side accepts a part."""
    row = Demand.objects.filter(answered_at__isnull=True).first()
    if row is not None:
        agreed = Decimal(data["agreed"])
        claims.answer(row.pk, "partly", text=data["text"], by=by, now=now, agreed=agreed, file=paper(data["text"]))


def majeure(by: Account, data: Data, now: datetime) -> None:
    """A case of force majeure: opened, ended, and what it excuses named."""
    occurred = TriggerEvent.objects.filter(kind="force_majeure_occurred").first()
    ended = TriggerEvent.objects.filter(kind="force_majeure_ended").first()
    if occurred is None or ended is None or Majeure.objects.exists():
        return
    row = force_majeure.open_case(
        occurred.pk, statement=data["text"], obligations=data["duties"], file=paper(data["text"]), by=by, now=now
    )
    row = force_majeure.end(row.pk, ended.pk, by=by, now=now)
    named = [o.pk for o in force_majeure.hindered(row, now)]
    if named:
        force_majeure.excuse(row.pk, named, statement=data["text"], file=paper(data["text"]), by=by, now=now)


def answer_majeure(by: Account, data: Data, now: datetime) -> None:
    """The other side accepts the case."""
    row = Majeure.objects.first()
    if row is not None:
        force_majeure.answer(row.pk, accept=True, text=data["text"], by=by, now=now)


def supplement(by: Account, data: Data, now: datetime) -> None:
    """A supplement of the first rank that buys more of the same (采购法 49)."""
    folder = sources.folder()
    if not Supplement.objects.exists():
        title = str(data["title"])
        signed = closings.Paper(title, folder.ranks[0], now.date(), f"{title}.txt", paper(title).content)
        supplements.propose(folder, signed, Changes(added=Decimal(data["added"])), by=by, now=now)


def settle_supplement(by: Account, _data: Data, now: datetime) -> None:
    """The other side confirms it."""
    row = Supplement.objects.filter(confirmed__isnull=True).first()
    if row is not None:
        directory = sources.contract_dir()
        supplements.decide(row.pk, confirm=True, by=by, now=now, folder=sources.folder(), directory=directory)


# --- the end of the year ---------------------------------------------------------------------------------------------


def submit_year(by: Account, data: Data, now: datetime) -> None:
    """乙方 submits the year for acceptance (4.3.3)."""
    if not Acceptance.objects.exists():
        acceptance.submit(statement=data["text"], file=paper(data["text"]), by=by, now=now)


def opine(by: Account, data: Data, now: datetime) -> None:
    """What an examiner or a department found."""
    row = Acceptance.objects.order_by("-pk").first()
    if row is not None:
        acceptance.opine(
            row.pk, speaker=data["speaker"], organisation=data["of"], name=data["name"], by=by, now=now,
            qualification=data.get("qualification", ""), conforming=True, text=data["text"], file=paper(data["text"]),
        )  # fmt: skip


def decide_year(by: Account, data: Data, now: datetime) -> None:
    """甲方 decides on the year."""
    row = Acceptance.objects.order_by("-pk").first()
    if row is not None:
        acceptance.decide(row.pk, passed=True, reason=data["text"], file=paper(data["text"]), by=by, now=now)


def sign_year(by: Account, data: Data, now: datetime) -> None:
    """乙方 countersigns."""
    row = Acceptance.objects.order_by("-pk").first()
    if row is not None:
        acceptance.answer(row.pk, sign=True, text=data["text"], by=by, now=now)


def hand_over(by: Account, _data: Data, now: datetime) -> None:
    """乙方 opens the list and signs every item as handed over (7.2.16)."""
    if not Handover.objects.exists():
        handover.open_list(by=by, now=now)
        handover.sign([item.pk for item in HandoverItem.objects.all()], by=by, now=now)


def receive(by: Account, data: Data, now: datetime) -> None:
    """甲方 signs what it received, and refuses one item with its reason."""
    items = list(HandoverItem.objects.order_by("pk"))
    if items:
        handover.sign([item.pk for item in items[1:]], by=by, now=now)
        handover.refuse(items[0].pk, reason=data["text"], by=by, now=now)


def prove_handover(by: Account, _data: Data, now: datetime) -> None:
    """The finished list is the proof of the handover's own clock."""
    handover.prove(by=by, now=now)


def document(by: Account, data: Data, now: datetime) -> None:
    """A document of the year's end is made."""
    reports.build(data["kind"], "", now=now, actor=by)


ACTS: Mapping[str, Callable[[Account, Data, datetime], None]] = {
    f.__name__: f
    for f in (
        enter_staff, confirm_staff, roster, demand_staff, replace_staff, stand_in, ask, grant, act, notice, order, put_right, check,
        claim, answer_claim, majeure, answer_majeure, supplement, settle_supplement, submit_year, opine, decide_year,
        sign_year, hand_over, receive, prove_handover, document,
    )
}  # fmt: skip
