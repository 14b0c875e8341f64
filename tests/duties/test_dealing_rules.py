"""The rules of consents, of service and of slots, as properties over what could ever be written down."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunwei.contract.check_dealings import OUTCOMES
from yunwei.contract.schema import Way
from yunwei.duties import notices
from yunwei.duties.consents import Grant, covers
from yunwei.duties.errors import DutyError
from yunwei.duties.onsite import Slot, coverage

moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
MINUTE = timedelta(minutes=1)


@given(answered=moments, starts=moments, length=st.timedeltas(MINUTE, timedelta(days=90)), act=moments)
def test_only_what_is_asked_first_is_covered(
    answered: datetime, starts: datetime, length: timedelta, act: datetime
) -> None:
    grant = Grant(answered, starts, starts + length)
    assert covers(grant, act) == (answered < act and starts <= act < starts + length)
    assert not covers(grant, answered), "at the answer itself it was not asked before"
    assert not covers(grant, starts + length), "the end is outside"


@given(answered=moments, starts=moments, length=st.timedeltas(MINUTE, timedelta(days=90)), act=moments, revoked=moments)
def test_taking_it_back_takes_only_what_comes_after(
    answered: datetime, starts: datetime, length: timedelta, act: datetime, revoked: datetime
) -> None:
    whole, cut = Grant(answered, starts, starts + length), Grant(answered, starts, starts + length, revoked)
    if act < revoked:
        assert covers(cut, act) == covers(whole, act)
    else:
        assert not covers(cut, act)


ways = st.builds(
    Way, st.just("w"), st.just("w"), st.just("w"), st.lists(st.sampled_from(sorted(OUTCOMES)), min_size=1, unique=True),
    by_day=st.booleans(),
)  # fmt: skip


@given(
    way=ways, sent=moments, outcome=st.sampled_from(sorted(OUTCOMES)), after=st.timedeltas(timedelta(), timedelta(30))
)
def test_only_what_the_way_names_serves_and_never_before_it_was_sent(
    way: Way, sent: datetime, outcome: str, after: timedelta
) -> None:
    moment = notices.effective(way, sent, outcome, sent + after)
    assert (moment is not None) == (outcome in way.outcomes)
    assert moment is None or sent <= moment == sent + after
    with pytest.raises(DutyError):
        notices.effective(way, sent, outcome, sent - timedelta(seconds=1))


SLOTS = (Slot("am", "09:00", "12:00"), Slot("pm", "13:00", "17:00"))
DAYS = [date(2026, 10, d) for d in range(9, 16)]
entries = st.dictionaries(st.tuples(st.sampled_from(DAYS), st.sampled_from(["am", "pm", "night"])), st.integers(0, 3))


@given(days=st.lists(st.sampled_from(DAYS), unique=True), there=entries, least=st.integers(1, 3))
def test_a_slot_is_open_or_covered_and_a_hundred_means_every_one(
    days: list[date], there: dict[tuple[date, str], int], least: int
) -> None:
    found = coverage(days, SLOTS, there, least)
    assert found.total == 2 * len(days)
    assert set(found.open) == {(d, s.id) for d in days for s in SLOTS if there.get((d, s.id), 0) < least}
    assert (found.share is None) == (not days)
    assert found.share is None or ((found.share == Decimal(100)) == (not found.open))


@given(days=st.lists(st.sampled_from(DAYS), unique=True, min_size=1), there=entries, key=st.sampled_from(DAYS))
def test_one_more_person_never_opens_a_slot(days: list[date], there: dict[tuple[date, str], int], key: date) -> None:
    more = {**there, (key, "am"): there.get((key, "am"), 0) + 1}
    assert set(coverage(days, SLOTS, more).open) <= set(coverage(days, SLOTS, there).open)
