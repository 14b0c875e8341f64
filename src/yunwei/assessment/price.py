"""From score to price and balance: a configured table (合同 5.1 leaves the formula blank), Decimal, to the fen, half up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from yunwei.contract.schema import PriceStep
from yunwei.kernel.money import HUNDRED, yuan

ZERO = Decimal(0)


def step_of(score: Decimal, table: Sequence[PriceStep]) -> PriceStep:
    """The highest step that the score reaches. Raises ValueError for a table that has none."""
    reached = [step for step in table if score >= step.start]
    if not reached:
        raise ValueError(f"no step for a score of {score}")
    return max(reached, key=lambda step: step.start)


def final_price(total: Decimal, score: Decimal, table: Sequence[PriceStep]) -> Decimal:
    """The contract's final price for a year's score; never above the contract's own amount ("all-in", 合同 5.1)."""
    step = step_of(score, table)
    if step.per_cent is not None:
        price = total * step.per_cent / HUNDRED
    elif step.over is not None:
        price = total * score / step.over
    else:
        raise ValueError("a step without a share")
    return yuan(min(total, max(ZERO, price)))


def balance(price: Decimal, paid: Iterable[Decimal], set_off: Iterable[Decimal] = ()) -> Decimal:
    """What is left of a price when what was paid and what was set off with a ground (合同 7.1.2) is taken away.

    It may be negative: that is never paid, there is no claw-back clause, and it goes to the parties (待协商).
    """
    return yuan(price - sum(paid, ZERO) - sum(set_off, ZERO))


def mean(months: Sequence[tuple[Decimal, int]]) -> Decimal:
    """The year's score: the mean of the months' scores, a partial month weighing by its days. `months` are (score, days)."""
    days = sum(n for _score, n in months)
    if days <= 0:
        raise ValueError("no days")
    return yuan(sum((score * n for score, n in months), ZERO) / days)
