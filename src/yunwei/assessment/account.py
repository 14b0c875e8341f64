"""The account between the parties as page, command and API tell it: one set of figures from one place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from yunwei.assessment import interest, payments
from yunwei.contract import check_between
from yunwei.contract.between import Late
from yunwei.contract.schema import Folder

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Account:
    """The statement with what stands beside it: statutory interest, and purchases added by supplements."""

    statement: payments.Statement
    late: Late | None
    interest: list[interest.Interest]
    added: Decimal

    @property
    def set_off(self) -> Decimal:
        """What was set off and accepted."""
        return sum((off.amount for off in self.statement.set_offs if off.accepted), ZERO)


def told(folder: Folder, now: datetime) -> Account:
    """The account as the books stand now."""
    statement, late = payments.statement(), interest.rule(folder)
    found = interest.owed(folder, statement.parts, now) if late else []
    return Account(statement, late, found, check_between.added(folder))


def as_json(one: Account) -> dict[str, Any]:
    """For programs; amounts are decimals in yuan, null where nobody agreed on one."""
    told_ = one.statement
    return {
        "total": told_.total, "score": told_.score, "price": told_.price, "paid": told_.paid, "set_off": one.set_off,
        "balance": told_.balance, "negative": told_.negative, "added": one.added,
        "instalments": [
            {
                "id": p.instalment.id, "clause": p.instalment.clause, "amount": p.amount, "capitals": p.capitals,
                "due_at": p.occurrence.due_at if p.occurrence else None,
                "state": p.occurrence.state if p.occurrence else "", "paid": p.paid,
                "anchors": [{"event": a.event.id, "at": a.at, "ignored": list(a.ignored)} for a in p.anchors],
            }
            for p in told_.parts
        ],
        "missing": [{"what": m.what, "who": m.who, "item": m.item} for m in told_.missing],
        "interest": [
            {
                "instalment": i.part.instalment.id, "principal": i.principal, "due": i.due, "until": i.until,
                "days": i.days, "amount": i.amount, "running": i.running,
            }
            for i in one.interest
        ],
    }  # fmt: skip
