"""A month of the contract to look at: kept, late, missed, unproven, overdue; proofs and claims that wait for an answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import transaction

from yunwei.accounts.models import Account
from yunwei.assets.models import Asset, Zone
from yunwei.contract import plans
from yunwei.contract.models import PlanVersion
from yunwei.duties import services as duties
from yunwei.duties.models import Occurrence, State
from yunwei.duties.sources import folder
from yunwei.duties.transitions import locked, move
from yunwei.ledger import services as ledger

#: 2026-04-10 11:00 in Shanghai, a Friday
NOW = datetime(2026, 4, 10, 3, 0, tzinfo=UTC)
START = datetime(2026, 4, 6, 1, 0, tzinfo=UTC)
FILE = duties.File("记录.pdf", b"%PDF-1.7 record", "application/pdf")


def row(obligation: str, period: str) -> Occurrence:
    """One occurrence by its name."""
    return Occurrence.objects.get(obligation=obligation, period=period)


def play(people: dict[str, Account], assets: int = 3) -> None:
    """The plan counts from 6 April on. S1.2: kept, late, unanswered; S3.1: missed; S1.1-remote of the 7th: unproven."""
    zone = Zone.objects.create(code="gov", name="政务外网区")
    Asset.objects.bulk_create(
        Asset(code=f"SW-{i:02d}", name=f"交换机 {i}", kind="device", zone=zone) for i in range(assets)
    )
    plan = plans.propose(folder().plan, folder=folder(), by=people["b_manager"], now=START)
    plans.approve(plan.version, by=people["a_manager"], now=START)
    _day(people, "2026-04-06", kept=("S1.2", "S2.3-backup"))
    _day(people, "2026-04-07", kept=("S2.3-backup",), blind=("S1.1-remote",))
    at = datetime(2026, 4, 8, 2, 0, tzinfo=UTC)
    proof = duties.state_proof(
        row("S1.2", "2026-04-07").pk, statement="补查", file=FILE, by=people["b_manager"], now=at
    )
    duties.answer_proof(proof.pk, confirm=True, by=people["a_manager"], now=at)
    duties.state_proof(row("S1.2", "2026-04-08").pk, statement="已查", file=FILE, by=people["b_manager"], now=at)
    duties.record_event("paper_handed_over", at=at, by=people["b_manager"], now=at, note="请示扩容", file=FILE)
    duties.record_event("request_received", at=at, by=people["a_manager"], now=at, note="咨询")
    duties.bring_up_to_date(NOW)
    duties.close_overdue(NOW)
    ledger.sequence(NOW)


def _day(people: dict[str, Account], day: str, kept: tuple[str, ...], blind: tuple[str, ...] = ()) -> None:
    """One evening: what was done is stated and confirmed in time; the rest runs out at midnight."""
    at = datetime.fromisoformat(f"{day}T15:00:00+08:00").astimezone(UTC)
    duties.bring_up_to_date(at)
    for name in kept:
        proof = duties.state_proof(row(name, day).pk, statement="已做", file=FILE, by=people["b_manager"], now=at)
        duties.answer_proof(proof.pk, confirm=True, by=people["a_manager"], now=at)
    for name in blind:
        with transaction.atomic():
            found = locked(row(name, day).pk)
            found.coverage = {"agreed": 3, "proven": 2}
            move(found, State.UNPROVEN, now=at, actor="system:duties", cause="unknown", detail="覆盖 2/3，目标 100%")
    duties.close_overdue(at + timedelta(hours=9))
    duties.bring_up_to_date(at + timedelta(hours=12))


def second_version(people: dict[str, Account]) -> PlanVersion:
    """One line looser, one limit tighter, one asset out."""
    import msgspec

    plan = folder().plan
    lines = [
        msgspec.structs.replace(line, cadence=msgspec.structs.replace(line.cadence, every="week", due_time="24:00"))
        if line.obligation == "S1.2" and line.cadence
        else line
        for line in plan.lines
    ]
    limits = [msgspec.structs.replace(plan.limits[0], warn_high=70.0), *plan.limits[1:]]
    body = msgspec.structs.replace(plan, lines=lines, limits=limits)
    return plans.propose(
        body, folder=folder(), by=people["b_manager"], now=NOW, note="二季度", assets=["SW-00", "SW-01"]
    )
