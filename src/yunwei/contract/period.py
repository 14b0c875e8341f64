"""The service period: readings that stand side by side, their union for duties, the confirmed one for money."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from yunwei.contract.errors import ContractError
from yunwei.contract.schema import Contract, PeriodReading
from yunwei.kernel.i18n import _


class Span(NamedTuple):
    """Calendar days in the contract's zone, both inside."""

    start: date
    end: date

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.start <= day <= self.end


def union(contract: Contract) -> Span:
    """From the earliest start to the latest end of all readings. Raises ContractError when there is none."""
    if not contract.periods:
        raise ContractError(_("合同没有服务期"), where=contract.id)
    return Span(min(p.start for p in contract.periods), max(p.end for p in contract.periods))


def confirmed(contract: Contract) -> PeriodReading | None:
    """The reading both parties confirmed by a document; None while they have not."""
    return next((reading for reading in contract.periods if reading.confirmed), None)


def recommended(contract: Contract) -> PeriodReading | None:
    """The reading we propose for confirmation; a single reading needs no recommendation."""
    if len(contract.periods) == 1:
        return contract.periods[0]
    return next((reading for reading in contract.periods if reading.recommended), None)


def duty_span(contract: Contract) -> Span:
    """The days on which duties run: the confirmed readings, or the union of all until one is confirmed."""
    agreed = [reading for reading in contract.periods if reading.confirmed]
    if agreed:
        return Span(min(p.start for p in agreed), max(p.end for p in agreed))
    return union(contract)


def money_span(contract: Contract) -> Span | None:
    """The days on which money and penalties may count: only inside a confirmed reading; None = open."""
    return duty_span(contract) if confirmed(contract) else None
