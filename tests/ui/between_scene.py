"""One of each thing that lies between the parties, so that their pages have something to show."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from tests.ui.contract_scene import FILE
from yunwei.accounts.models import Account
from yunwei.assessment import claims, conflicts, force_majeure
from yunwei.contract import closings, supplements
from yunwei.duties import services as duties
from yunwei.duties import sources


def play(people: dict[str, Account], at: datetime) -> dict[str, str]:
    """What stands in the addresses of these pages."""
    a, b = people["a_manager"], people["b_manager"]
    event = duties.record_event(
        "force_majeure_occurred", at=at - timedelta(days=1), by=b, now=at, file=FILE, note="台风"
    )
    case = force_majeure.open_case(event.pk, statement="停电", obligations=["S1.2"], file=FILE, by=b, now=at)
    claims.claim("amount", "7.1.11", statement="误工", file=FILE, by=b, now=at, amount=Decimal("1200.00"))
    row = claims.claim("amount", "9.3", statement="侵权", file=FILE, by=a, now=at, amount=Decimal("600.00"))
    claims.answer(row.pk, "disputed", text="不实", by=b, now=at)
    rules = conflicts.Rule("三十日内修复", "4.1.2"), conflicts.Rule("十五日内修复")
    conflicts.record("修复期限", *rules, ["S1.6", "Q8"], statement="不一", file=FILE, by=b, now=at)
    paper = closings.Paper("补充协议", sources.folder().ranks[0], at.date(), "x.pdf", b"x")
    supplements.propose(sources.folder(), paper, supplements.Changes(Decimal("1000.00")), by=b, now=at)
    return {"case_id": str(case.pk)}
