"""What the demo's people do: each looks at the books as a person looks at its pages, and acts by the ordinary services.

Nothing is remembered between two sessions but what stands in the database, so a year that was broken off goes on. Who is
late, who forgets and who refuses follows from the seed and the thing itself.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from django.db.models import Exists, OuterRef, Q

from yunwei.accounts.models import Account
from yunwei.assessment import payments
from yunwei.assets import identity
from yunwei.assets.models import Asset
from yunwei.cli import demo_between, demo_worth
from yunwei.cli.demo_diary import CRYPTO, EQUAL, SERVICES, Page
from yunwei.contract import plans
from yunwei.contract.models import PlanVersion
from yunwei.contract.schema import Kind, Limit, Plan
from yunwei.desk import services as desk
from yunwei.desk.models import Ticket, TicketKind, TicketState
from yunwei.duties import services as duties
from yunwei.duties import sources
from yunwei.duties.models import Claim, ClaimState, ManualProof, Occurrence, State, TriggerEvent
from yunwei.duties.proofs import UNSETTLED, manual
from yunwei.inspect import findings
from yunwei.inspect.models import Finding
from yunwei.kernel.errors import YunweiError
from yunwei.lab.weather import BOARDS, STORMS

JSON = Any
log = logging.getLogger(__name__)
TEXT = "text/plain; charset=utf-8"
#: local hours of the sessions; between two of them nobody does anything
NIGHT, MORNING, FORENOON, AFTERNOON, LATE, CLOSING, EVENING = 0.85, 8.75, 10.5, 14.5, 16.5, 17.25, 20.5
SESSIONS = (NIGHT, MORNING, FORENOON, AFTERNOON, LATE, CLOSING, EVENING)
#: shares of proofs that are given too late, and never
LATE_SHARE, NEVER = 0.035, 0.02
#: shares of proofs that the other side refuses, and lets lie for weeks
REFUSED, FORGOTTEN = 0.02, 0.01


@dataclass
class People:
    """The demo's people with the seed of their habits. `problems` counts what a service did not let them do."""

    seed: str
    zone: ZoneInfo
    problems: Counter[str] = field(default_factory=Counter)
    _accounts: dict[str, Account] = field(default_factory=dict)

    def who(self, username: str) -> Account:
        """An account by name, read once."""
        if username not in self._accounts:
            self._accounts[username] = Account.objects.select_related("organisation").get(username=username)
        return self._accounts[username]

    def roll(self, *words: object) -> float:
        """A number in 0..1 that belongs to a thing and always is the same."""
        text = "\x1f".join([self.seed, *(str(word) for word in words)])
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest()) / 2**48

    def local(self, now: datetime) -> datetime:
        """A moment as the clock on the wall shows it."""
        return now.astimezone(self.zone)

    def at_work(self, now: datetime) -> bool:
        """Whether the offices are open."""
        return sources.calendar().is_working(self.local(now).date())

    def tried(self, what: str, act: Callable[..., object], *args: object, **more: object) -> bool:
        """Do something by a service; what it refuses is counted and told at the end, and stops nothing."""
        try:
            act(*args, **more)
        except YunweiError as error:
            self.problems[f"{what}: {error.message}"] += 1
            return False
        return True


def paper(title: str, text: str) -> duties.File:
    """A file that somebody attaches."""
    return duties.File(f"{title}.txt", f"{text}\n（演示文件）\n".encode(), TEXT)


def session(people: People, hour: float, now: datetime) -> None:
    """What is done at one hour of a day."""
    open_office = people.at_work(now)
    _faults(people, now, night=hour == NIGHT)
    if hour == NIGHT:
        return
    if open_office:
        _requests(people, now)
    _prove(people, now, hour, open_office=open_office)
    if hour == LATE:
        _look_again(people, now)
    if hour == CLOSING and open_office:
        _identities(people, now)
        _claims(people, now)
        _answer(people, now)
        _close_tickets(people, now)
        demo_worth.months(people, now)


# --- duties that people prove ----------------------------------------------------------------------------------------


def _prove(people: People, now: datetime, hour: float, *, open_office: bool) -> None:
    """State what was done: before it is due, some of it late, some never."""
    next_hour = next((h for h in SESSIONS if h > hour), 24 + MORNING)
    until = now + timedelta(hours=next_hour - hour)
    rows = Occurrence.objects.filter(
        Q(due_at__isnull=True, starts_at__gt=now - timedelta(days=20))
        | Q(due_at__gt=now - timedelta(days=14), due_at__lte=now + timedelta(days=2)),
        state__in=UNSETTLED,
        waiting=[],
    ).exclude(Exists(ManualProof.objects.filter(occurrence=OuterRef("pk"), confirmed__isnull=True)))
    rows = rows.prefetch_related("proofs").order_by("due_at", "obligation", "period")
    of_desk, known = _of_tickets(rows), {o.id: o for o in sources.folder().obligations}
    for row in rows:
        if row.period in of_desk and row.owes == "B":
            continue  # proven when the desk answers or resolves the ticket
        asked = manual(known[row.obligation]) and _wants(people, row, now)
        if asked and _time_has_come(people, row, now, until, open_office=open_office):
            _state(people, row, now)


def _of_tickets(rows: Iterable[Occurrence]) -> set[str]:
    """Those periods that belong to a ticket's event."""
    ids = [int(number) for row in rows if (number := row.period.removeprefix("event:")).isdigit()]
    return {f"event:{pk}" for pk in Ticket.objects.filter(event_id__in=ids).values_list("event_id", flat=True)}


def _wants(people: People, row: Occurrence, now: datetime) -> bool:
    """Whether somebody means to do this at all, or once more on the day after a refusal."""
    proofs = list(row.proofs.all())
    if proofs:
        last = proofs[-1].answered_at
        return len(proofs) < 2 and last is not None and now - last > timedelta(hours=15)
    return people.roll("prove", row.key) >= NEVER


def _time_has_come(people: People, row: Occurrence, now: datetime, until: datetime, *, open_office: bool) -> bool:
    """Whether it is done now: in time as a rule, by its roll late."""
    when = people.roll("when", row.key)
    if row.due_at is None:
        return open_office and now - row.starts_at > timedelta(days=1 + 6 * when)
    if row.kind == Kind.CONTINUOUS:
        return open_office and now > row.due_at + timedelta(days=0.5 + 3 * when)
    if people.roll("prove", row.key) < NEVER + LATE_SHARE:
        return now > row.due_at + timedelta(days=0.4 + 2 * when)
    if row.due_at - row.starts_at > timedelta(days=5) and open_office:  # what has a week or more is not left to the end
        return now > row.due_at - timedelta(hours=2 + 40 * when)
    return row.due_at <= until


def _state(people: People, row: Occurrence, now: datetime) -> None:
    duty = sources.obligation(row.obligation)
    if "B" in row.owes:
        by = "b_manager" if row.kind in (Kind.DELIVER, Kind.CONTINUOUS) else "b_engineer"
    else:
        by = "a_finance" if row.kind == Kind.PAY else "a_manager"
    said = f"演示：{duty.title}（{row.period}）已完成，记录附后。"
    file = paper(row.obligation, said)
    people.tried("proof", duties.state_proof, row.pk, statement=said, file=file, by=people.who(by), now=now)


def _answer(people: People, now: datetime) -> None:
    """The other side answers what was stated: most on the same day, some later, a few with a refusal."""
    waiting = ManualProof.objects.filter(confirmed__isnull=True).select_related("occurrence", "stated_by__organisation")
    for proof in waiting.order_by("id"):
        key = proof.occurrence.key
        roll = people.roll("answer", key, proof.occurrence.proofs.count())
        days = 12.0 if roll < FORGOTTEN else 0.04 if roll < 0.75 else 0.1 + 2.5 * people.roll("slow", key)
        if now - proof.stated_at < timedelta(days=days):
            continue
        by = people.who("a_manager" if proof.stated_by.party == "B" else "b_manager")
        refused = FORGOTTEN <= roll < FORGOTTEN + REFUSED
        answer = "演示：记录与现场情况不符，请补充后重新提交" if refused else ""
        people.tried("answer", duties.answer_proof, proof.pk, confirm=not refused, by=by, now=now, answer=answer)


def _look_again(people: People, now: datetime) -> None:
    """A look of today that proved too little is done once more when the faults of the morning are repaired."""
    today = f"{people.local(now):%Y-%m-%d}"
    for row in Occurrence.objects.filter(period=today, state=State.UNPROVEN, kind=Kind.LOOK, due_at__gt=now):
        if not manual(sources.obligation(row.obligation)) and row.attempts.count() < 4:
            people.tried("again", duties.again, row.pk, now=now, actor="b_engineer")


# --- claims and identities -------------------------------------------------------------------------------------------


def _claims(people: People, now: datetime) -> None:
    """乙方 claims who else answers for what was not proven; 甲方 accepts or disputes some days later."""
    recent = Occurrence.objects.filter(
        state__in=(State.UNPROVEN, State.MISSED, State.LATE), owes="B", claims__isnull=True,
        settled_at__gt=now - timedelta(days=4), settled_at__lt=now - timedelta(hours=12),
    )  # fmt: skip
    for row in recent.order_by("id"):
        _claim(people, row, now)
    for claim in Claim.objects.filter(state=ClaimState.CLAIMED).select_related("occurrence").order_by("id"):
        if now - claim.claimed_at < timedelta(days=1 + 4 * people.roll("hear", claim.occurrence.key)):
            continue
        accept = (
            "停电" in claim.statement or "台风" in claim.statement or people.roll("accept", claim.occurrence.key) < 0.4
        )
        answer = "" if accept else "演示：所附证明不能说明原因在他方"
        by = people.who("a_manager")
        people.tried("claim", duties.answer_claim, claim.pk, accept=accept, by=by, now=now, answer=answer)


def _claim(people: People, row: Occurrence, now: datetime) -> None:
    """One claim for what a storm explains; now and then one for something that is harder to believe."""
    storm = next((s for s in STORMS if row.starts_at < s.end and s.start < (row.due_at or s.start)), None)
    look, missed = row.state == State.UNPROVEN and row.kind == Kind.LOOK, row.state == State.MISSED
    doubt = people.roll("claim", row.key)
    if storm is not None and "台风" in storm.why and (look or missed):
        _claimed(people, row, now, duties.claim_exemption, f"演示：{storm.why}，证明附后", ground="11")
    elif storm is not None and look:
        _claimed(people, row, now, duties.claim_cause, f"演示：{storm.why}，证明附后", cause="client")
    elif look and doubt < 0.25:
        _claimed(people, row, now, duties.claim_cause, "演示：系运营商线路抖动所致，测试记录附后", cause="third")
    elif missed and doubt < 0.1:
        said = "演示：当日因甲方会议占用机房，未能进入"
        ground = next(c.id for c in sources.folder().clauses if c.exempts == "performance")
        _claimed(people, row, now, duties.claim_exemption, said, ground=ground)


def _claimed(
    people: People, row: Occurrence, now: datetime, act: Callable[..., object], said: str, **more: str
) -> None:
    by = people.who("b_manager")
    people.tried("claim", act, row.pk, statement=said, file=paper("证明", said), by=by, now=now, **more)


def _identities(people: People, now: datetime) -> None:
    """甲方 confirms who answers after a look at the change slip; what nobody told it of is refused."""
    strangers = {spell.code for spell in BOARDS if spell.end is not None and spell.at(now)}
    for pin in list(identity.waiting()):
        code = pin.endpoint.asset.code
        if now - pin.pinned_at < timedelta(days=1.2 * people.roll("pin", code, f"{pin.pinned_at:%Y-%m-%d}")):
            continue
        decide = identity.refuse if code in strangers else identity.confirm
        people.tried("identity", decide, pin, by=people.who("a_manager"), now=now)


# --- tickets ---------------------------------------------------------------------------------------------------------


def _faults(people: People, now: datetime, *, night: bool) -> None:
    """The engineer on duty calls about what a sweep found, then takes it up; hosts wait for the client's word."""
    states = [TicketState.NEW] if night else [TicketState.NEW, TicketState.ACCEPTED]
    seen = Ticket.objects.filter(kind=TicketKind.FAULT, channel="sweep", state__in=states).select_related("asset")
    for ticket in seen.order_by("id"):
        if ticket.state == TicketState.ACCEPTED:
            waits = ticket.asset is not None and ticket.asset.kind == "host"
            to = TicketState.WAITING if waits else TicketState.WORKING
            said = "演示：需甲方确认该主机是否应运行这项服务" if waits else ""
            people.tried("take", desk.move, ticket.pk, to, by=people.who("b_engineer"), now=now, text=said)
            continue
        asleep = people.roll("night", ticket.number) < (0.06 if ticket.severity == "critical" else 0.15)
        if night and asleep:
            continue
        said = f"演示：已电话告知甲方：{ticket.title[:80]}；已安排处理，期间加强监视。"
        people.tried("reply", desk.reply, ticket.pk, said, by=people.who("b_engineer"), now=now)


def _requests(people: People, now: datetime) -> None:
    """The desk answers what people asked, and resolves it when the work is done."""
    asked = Ticket.objects.exclude(channel="sweep").filter(
        state__in=(TicketState.NEW, TicketState.ACCEPTED, TicketState.WORKING)
    )
    for ticket in asked.order_by("id"):
        if ticket.state != TicketState.NEW:
            _resolve(people, ticket, now)
            continue
        slow = people.roll("desk", ticket.number)
        hours = 0.0 if slow < 0.7 else 24.0 if slow < 0.9 else 90.0 if slow < 0.97 else 170.0
        if now - ticket.opened_at < timedelta(hours=hours):
            continue
        said = f"演示：已受理。{ticket.title}：由值班工程师办理，进展在本单查看。"
        if people.tried("reply", desk.reply, ticket.pk, said, by=people.who("b_desk"), now=now):
            _start_work(people, ticket, now)


def _resolve(people: People, ticket: Ticket, now: datetime) -> None:
    quick = ticket.kind in (TicketKind.REQUEST, TicketKind.FAULT)
    if now - ticket.opened_at < timedelta(days=(0.1 if quick else 1.5) + 1.5 * people.roll("do", ticket.number)):
        return
    said = "演示：已办结，结果附于记录；如有疑问请在本单回复。"
    by = people.who("b_engineer")
    people.tried("resolve", desk.move, ticket.pk, TicketState.RESOLVED, by=by, now=now, text=said)


def _start_work(people: People, ticket: Ticket, now: datetime) -> None:
    """What an application needs beyond its acceptance has a clock of its own, which the desk starts."""
    kind = {**SERVICES, **CRYPTO}.get(ticket.title.removeprefix("演示："), "")
    if not kind or TriggerEvent.objects.filter(kind=kind, subject__of=ticket.number).exists():
        return
    by, of = people.who("b_desk"), {"of": ticket.number}
    people.tried("work", duties.record_event, kind, at=now, by=by, now=now, subject=of, note=ticket.title)


def _close_tickets(people: People, now: datetime) -> None:
    """甲方 confirms what was resolved; a part that was replaced is told with its papers first."""
    for ticket in Ticket.objects.filter(state=TicketState.RESOLVED).select_related("asset").order_by("id"):
        done = ticket.resolved_at or now
        if ticket.channel == "sweep" and ticket.resolved_by is None:
            _part(people, ticket, now)
        if now - done < timedelta(days=0.3 + 3.5 * people.roll("close", ticket.number)):
            continue
        people.tried("close", desk.move, ticket.pk, TicketState.CLOSED, by=people.who("a_manager"), now=now)


def _part(people: People, ticket: Ticket, now: datetime) -> None:
    kind = ticket.component.partition("/")[0]
    if kind not in ("fan", "psu", "disk") or people.roll("part", ticket.number) > 0.6:
        return
    if TriggerEvent.objects.filter(kind="part_replaced", subject__of=ticket.number).exists():
        return
    note = f"演示：{ticket.title[:60]}，更换全新部件"
    people.tried(
        "part", duties.record_event, "part_replaced", at=now, by=people.who("b_engineer"), now=now,
        file=paper("部件凭证", note), subject={"of": ticket.number}, note=note,
    )  # fmt: skip


# --- pages of the diary ----------------------------------------------------------------------------------------------


def turn(people: People, page: Page, now: datetime) -> None:
    """Do what a page of the diary says, once."""
    people.tried(page.what, VERBS[page.what], people, page, now)


def _event(people: People, page: Page, now: datetime) -> None:
    kind, note = str(page.data["kind"]), str(page.data["note"])
    if TriggerEvent.objects.filter(kind=kind, at=page.at).exists():
        return
    subject = dict(page.data["subject"])
    if subject.get("amount") == EQUAL:
        if (owed := _instalment(kind)) <= 0:  # paid more than the price: nobody sends an invoice
            return
        subject["amount"] = str(owed)
    duties.record_event(
        kind, at=page.at, by=people.who(page.by), now=now, file=paper(kind, note), subject=subject, note=note
    )


def _instalment(kind: str) -> Decimal:
    """What the instalment that an invoice event belongs to comes to: the contract's figure, or what the price leaves."""
    wanted = sources.event_detail(kind).instalment
    part = next(p for p in payments.statement().parts if p.instalment.id == wanted)
    return part.amount if part.amount is not None else part.instalment.amount


def _ticket(people: People, page: Page, now: datetime) -> None:
    title = str(page.data["title"])
    if Ticket.objects.filter(title=title, opened_at__gte=page.at, opened_at__lt=page.at + timedelta(hours=1)).exists():
        return
    kind, channel = str(page.data["kind"]), str(page.data["channel"])
    desk.open_ticket(kind, title, by=people.who(page.by), now=now, body="请尽快办理，谢谢。", channel=channel)


def _finding(people: People, page: Page, now: datetime) -> None:
    names = ("component", "kind", "name", "severity", "origin")
    asset = Asset.objects.filter(code=page.data["code"]).first()
    if asset is not None:
        findings.report(asset, by=people.who(page.by), now=now, **{n: str(page.data[n]) for n in names})


def _close_finding(people: People, page: Page, now: datetime) -> None:
    found = (
        Finding.objects.filter(asset__code=page.data["code"], closed_at__isnull=True).exclude(origin="sweep").first()
    )
    if found is not None:
        findings.close(found, by=people.who(page.by), now=now, reason=str(page.data["reason"]))


def _propose(people: People, page: Page, now: datetime) -> None:
    note = str(page.data["note"])
    if PlanVersion.objects.filter(note=note).exists():
        return
    folder = sources.folder()
    current = plans.plan_at(now)
    plan = CHANGES[page.data["change"]](current.plan if current else folder.plan)
    plans.propose(plan, folder=folder, by=people.who(page.by), now=now, note=note)


def _decide(people: People, page: Page, now: datetime) -> None:
    row = PlanVersion.objects.filter(state="proposed").order_by("-version").first()
    if row is None:
        return
    decide = plans.approve if page.data["approve"] else plans.refuse
    decide(row.version, by=people.who(page.by), now=now, reason=str(page.data["reason"]))


def _first(plan: Plan) -> Plan:
    """Our own hosts share a machine with everything else here: their load says nothing below 8 a core."""
    shared = Limit(kind="load", component="load", warn_high=8, crit_high=16, unit="每核")
    kept = [one for one in plan.limits if (one.kind, one.component) != ("load", "load")]
    return msgspec.structs.replace(plan, limits=[*kept, shared])


def _lines(plan: Plan, changes: Mapping[str, Mapping[str, JSON]]) -> list[Any]:
    return [msgspec.structs.replace(line, **changes.get(line.obligation, {})) for line in plan.lines]


def _loosen(plan: Plan) -> Plan:
    limits = [
        msgspec.structs.replace(one, warn_high=90, crit_high=97) if one.kind == "storage" else one
        for one in plan.limits
    ]
    return msgspec.structs.replace(
        plan, lines=_lines(plan, {"S1.1-remote": {"coverage_target": Decimal(90)}}), limits=limits
    )


def _agreed(plan: Plan) -> Plan:
    return msgspec.structs.replace(plan, lines=_lines(plan, {"S1.1-remote": {"coverage_target": Decimal(98)}}))


def _pending(plan: Plan) -> Plan:
    return msgspec.structs.replace(plan, assets=[code for code in plan.assets if code != "UPS-H-01"])


def _lay_down(people: People, page: Page, now: datetime) -> None:
    data = {name: str(value) for name, value in page.data.items()}
    demo_worth.lay_down(people.who(page.by), data, now)


def _settle(people: People, page: Page, now: datetime) -> None:
    demo_worth.settle(people.who(page.by), str(page.data["item"]), now)


def _between(people: People, page: Page, now: datetime) -> None:
    demo_between.ACTS[page.data["act"]](people.who(page.by), page.data, now)


def _confirm_price(people: People, page: Page, now: datetime) -> None:
    demo_worth.confirm_price(people.who(page.by), now)


def _commit(people: People, page: Page, now: datetime) -> None:
    demo_worth.commit(people.who(page.by), people.seed, page.data, now)


def _reveal(people: People, page: Page, now: datetime) -> None:
    demo_worth.reveal(people.who(page.by), people.seed, page.data, now)


CHANGES: Mapping[str, Callable[[Plan], Plan]] = {
    "first": _first, "loosen": _loosen, "agreed": _agreed, "pending": _pending,
}  # fmt: skip
VERBS: Mapping[str, Callable[[People, Page, datetime], None]] = {
    "event": _event, "ticket": _ticket, "finding": _finding, "close_finding": _close_finding,
    "propose": _propose, "decide": _decide, "lay_down": _lay_down, "settle": _settle, "commit": _commit,
    "reveal": _reveal, "confirm_price": _confirm_price, "between": _between,
}  # fmt: skip
