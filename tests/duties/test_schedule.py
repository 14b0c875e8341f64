"""What falls due when: pure, against an invented contract and against both contracts of the repository."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.duties.world import LINES, OBLIGATIONS, READINGS, SHANGHAI, at, deadline, duty, folder, plan, plan_cadence
from tests.kernel.test_calendar import SCHEDULE_2027
from yunwei.contract.folder import load
from yunwei.contract.schema import Basis, Cadence, Kind, PeriodReading, PlanLine
from yunwei.duties.periods import CadenceError
from yunwei.duties.schedule import Due, EventAt, PlanAt, occurrences
from yunwei.kernel.calendar import Calendar, parse_schedules

CALENDAR = Calendar()
FOREVER = at("2030-01-01 00:00")
CONTRACTS = sorted(p.parent for p in (Path(__file__).parents[2] / "contracts").glob("*/contract.yaml"))
APPROVED = [PlanAt(1, plan(), date(2026, 3, 4))]


def due_of(found: list[Due], obligation: str) -> dict[str, Due]:
    return {d.period: d for d in found if d.obligation == obligation}


def local(moment: datetime | None) -> str:
    assert moment is not None
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


def schedule(
    *events: EventAt, plans: list[PlanAt] | None = None, until: datetime = FOREVER, **changes: object
) -> list[Due]:
    return occurrences(folder(**changes), APPROVED if plans is None else plans, events, CALENDAR, until)


def test_duties_run_over_the_union_of_the_readings_until_one_is_confirmed() -> None:
    days = due_of(schedule(), "look-day")
    assert min(days) == "2026-01-29"
    assert max(days) == "2027-02-03"
    assert len(days) == 371
    late, early = READINGS
    confirmed = due_of(schedule(periods=[msgspec.structs.replace(late, confirmed=True), early]), "look-day")
    assert (min(confirmed), max(confirmed), len(confirmed)) == ("2026-02-04", "2027-02-03", 365)


def test_period_keys_and_due_times() -> None:
    found = schedule()
    assert local(due_of(found, "look-day")["2026-11-25"].due_at) == "2026-11-25 18:00"
    assert local(due_of(found, "look-week")["2026-W48"].due_at) == "2026-11-28 00:00"  # 24:00 of Friday the 27th
    assert local(due_of(found, "own-month")["2026-06"].due_at) == "2026-06-11 00:00"
    assert local(due_of(found, "look-week")["2026-W48"].starts_at) == "2026-11-23 00:00"
    # the first week begins where the term does; the last one's Friday is outside of it
    assert local(due_of(found, "look-week")["2026-W05"].starts_at) == "2026-01-29 00:00"
    assert "2027-W05" not in due_of(found, "look-week")
    assert "2026-01" not in due_of(found, "own-month")  # its tenth was before the term


@pytest.mark.parametrize(
    ("cadence", "key", "due"),
    [
        (plan_cadence("quarter"), "2026-Q1", "2026-04-01 00:00"),
        (plan_cadence("quarter"), "2027-Q1", "2027-02-04 00:00"),  # cut to the term
        (plan_cadence("quarter", day=31), "2026-Q2", "2026-07-01 00:00"),  # June has thirty days
        (plan_cadence("year"), "2026", "2027-01-01 00:00"),
        (plan_cadence("month", day=31), "2026-02", "2026-03-01 00:00"),
        (plan_cadence("month"), "2027-02", "2027-02-04 00:00"),
        (plan_cadence("week"), "2026-W53", "2027-01-04 00:00"),
        (plan_cadence("once", offset_days=14), "once", "2026-02-13 00:00"),
        (plan_cadence("day"), "2026-02-17", "2026-02-18 00:00"),
    ],
)
def test_every_cadence(cadence: Cadence, key: str, due: str) -> None:
    plans = [PlanAt(1, plan(lines=[PlanLine("walk-week", cadence=cadence)]), date(2026, 1, 1))]
    assert local(due_of(schedule(plans=plans), "walk-week")[key].due_at) == due


def test_an_unknown_cadence_is_an_error() -> None:
    plans = [PlanAt(1, plan(lines=[PlanLine("walk-week", cadence=plan_cadence("fortnight"))]), date(2026, 1, 1))]
    with pytest.raises(CadenceError, match="fortnight"):
        schedule(plans=plans)


def test_working_days_follow_the_calendar_and_are_provisional_where_it_is() -> None:
    days = due_of(schedule(), "backup")
    assert "2026-02-14" in days  # make-up Saturday
    assert "2026-02-16" not in days
    assert not days["2026-12-31"].provisional
    assert days["2027-01-04"].provisional


def test_people_get_the_next_working_day_and_machines_do_not_rest() -> None:
    lines = [PlanLine(name, cadence=plan_cadence("month", day=1)) for name in ("report", "walk-week")]
    found = schedule(plans=[PlanAt(1, plan(lines=lines), date(2026, 1, 1))])
    assert local(due_of(found, "report")["2026-05"].due_at) == "2026-05-07 00:00"  # 1 to 5 May are off
    assert "顺延" in due_of(found, "report")["2026-05"].why
    assert local(due_of(found, "walk-week")["2026-05"].due_at) == "2026-05-02 00:00"
    assert due_of(found, "report")["2027-01"].provisional
    assert not due_of(found, "walk-week")["2027-01"].provisional


def test_what_the_contract_owes_needs_no_plan() -> None:
    found = schedule(EventAt("1", "asked", at("2026-02-13 10:00")), plans=[])
    assert {d.obligation for d in found if d.counts} == {"own-month", "hotline", "reply"}
    reply = due_of(found, "reply")["event:1"]
    assert (local(reply.due_at), reply.basis) == ("2026-02-26 00:00", "contract")
    assert len(due_of(found, "hotline")) == 14


def test_what_the_plan_alone_adds_counts_from_the_approval_day_on() -> None:
    days = due_of(schedule(), "look-day")
    assert not days["2026-03-03"].counts
    assert "未经甲方审定" in days["2026-03-03"].why
    assert days["2026-03-04"].counts
    assert not days["2026-03-04"].why
    assert not any(d.counts for d in due_of(schedule(plans=[]), "look-day").values())
    unapproved = due_of(schedule(plans=[PlanAt(1, plan())]), "look-day")
    assert len(unapproved) == 371
    assert not any(d.counts for d in unapproved.values())


def test_a_plan_cannot_loosen_what_the_contract_itself_states() -> None:
    lines = [
        PlanLine("own-month", cadence=plan_cadence("year")),
        PlanLine("reply", deadline=deadline(9, "working_day", Basis.PLAN)),
    ]
    found = schedule(
        EventAt("1", "asked", at("2026-03-02 10:00")), plans=[PlanAt(1, plan(lines=lines), date(2026, 1, 1))]
    )
    assert len(due_of(found, "own-month")) == 12
    assert local(due_of(found, "reply")["event:1"].due_at) == "2026-03-06 00:00"


def test_a_platform_default_never_counts() -> None:
    ours = due_of(schedule(EventAt("1", "asked", at("2026-06-02 10:00"))), "ours")["event:1"]
    assert (ours.counts, ours.basis) == (False, "platform")
    assert "平台默认" in ours.why


def two_versions(one: Cadence, two: Cadence, approved: date) -> dict[str, Due]:
    plans = [
        PlanAt(1, plan(1, [PlanLine("walk-week", cadence=one)]), date(2026, 1, 1)),
        PlanAt(2, plan(2, [PlanLine("walk-week", cadence=two)]), approved),
    ]
    return due_of(schedule(plans=plans), "walk-week")


def test_what_was_due_before_an_approval_stays_as_it_was() -> None:
    found = two_versions(
        plan_cadence("day", due_time="12:00"), plan_cadence("day", due_time="18:00"), date(2026, 6, 10)
    )
    assert (local(found["2026-06-09"].due_at), found["2026-06-09"].plan_version) == ("2026-06-09 12:00", 1)
    assert (local(found["2026-06-10"].due_at), found["2026-06-10"].plan_version) == ("2026-06-10 18:00", 2)
    assert len(found) == 371


@pytest.mark.parametrize(("one", "two"), [(5, 25), (25, 5), (10, 10), (0, 1)])
def test_a_period_falls_due_once_when_a_new_version_moves_its_day(one: int, two: int) -> None:
    found = two_versions(plan_cadence("month", day=one), plan_cadence("month", day=two), date(2026, 6, 10))
    months = [f"2026-{m:02}" for m in range(2, 13)]
    assert all(month in found for month in months)
    assert len(found) == len({d.period for d in found.values()})
    assert found["2026-07"].plan_version == 2
    assert found["2026-05"].plan_version == 1
    assert found["2026-06"].plan_version == (2 if (one, two) == (10, 10) else 1)


def test_another_cadence_replaces_the_old_one_from_its_approval_on() -> None:
    found = two_versions(plan_cadence("day"), plan_cadence("week", weekday=5), date(2026, 6, 10))
    assert max(k for k in found if "W" not in k) == "2026-06-09"
    assert min(k for k in found if "W" in k) == "2026-W24"


def test_events_start_clocks_at_their_local_day() -> None:
    found = schedule(
        EventAt("1", "asked", datetime(2026, 2, 12, 17, tzinfo=UTC)),  # the 13th in Shanghai
        EventAt("2", "paper", at("2026-02-10 09:00")),
        EventAt("3", "fault", at("2026-05-01 23:30")),
        EventAt("4", "ended", at("2027-02-03 18:00")),
        EventAt("5", "storm", at("2026-02-03 08:00")),
    )
    told = {d.obligation: (local(d.due_at), d.provisional) for d in found if d.period.startswith("event") and d.due_at}
    assert told == {
        "reply": ("2026-02-26 00:00", False),
        "ours": ("2026-02-13 02:00", False),
        "answer": ("2026-03-10 00:00", False),
        "fix": ("2026-05-02 03:30", False),
        "summary": ("2027-02-04 00:00", True),
        "handover": ("2027-02-24 00:00", True),
        "notice": ("2026-02-25 00:00", False),
    }


def test_a_clock_starts_at_the_latest_of_its_anchors_and_waits_for_the_rest() -> None:
    invoice, effective = (
        EventAt("1", "invoice", at("2026-02-10 09:00")),
        EventAt("2", "effective", at("2026-02-03 09:00")),
    )
    waiting = due_of(schedule(invoice), "pay")["event:1"]
    assert (waiting.due_at, waiting.waiting) == (None, ("effective",))
    assert local(due_of(schedule(invoice, effective), "pay")["event:1"].due_at) == "2026-03-03 00:00"
    later = EventAt("3", "effective", at("2026-03-02 09:00"))
    started = due_of(schedule(invoice, later), "pay")["event:1"]
    assert local(started.due_at) == "2026-03-17 00:00"
    assert started.starts_at == later.at


def test_a_clock_may_run_from_another_event_than_its_trigger() -> None:
    duties = [duty("x", Kind.RESPOND, trigger="fault", deadline=deadline(1, "hour", Basis.CONTRACT, "paper"))]
    fault, paper = EventAt("1", "fault", at("2026-05-06 10:00")), EventAt("2", "paper", at("2026-05-06 12:00"))
    assert due_of(schedule(fault, obligations=duties), "x")["event:1"].waiting == ("paper",)
    assert local(due_of(schedule(fault, paper, obligations=duties), "x")["event:1"].due_at) == "2026-05-06 13:00"


def test_a_vague_word_gives_no_due_time() -> None:
    vague = due_of(schedule(EventAt("1", "fault", at("2026-05-06 10:00"))), "vague")["event:1"]
    assert vague.due_at is None
    assert not vague.counts
    assert "没有写明时限" in vague.why


def test_bans_and_consents_never_fall_due() -> None:
    found = schedule(EventAt("1", "asked", at("2026-05-06 10:00")))
    assert not due_of(found, "ban")
    assert not due_of(found, "consent")


def test_only_what_has_begun() -> None:
    now = at("2026-03-04 10:00")
    assert all(d.starts_at <= now for d in schedule(until=now))
    assert "2026-03-04" in due_of(schedule(until=now), "look-day")
    assert "2026-03-05" not in due_of(schedule(until=now), "look-day")


def test_a_provisional_date_settles_when_the_schedule_arrives() -> None:
    event = [EventAt("4", "ended", at("2027-02-03 18:00"))]
    known = occurrences(folder(), APPROVED, event, Calendar(parse_schedules(SCHEDULE_2027)), FOREVER)
    settled = due_of(known, "handover")["event:4"]
    assert (local(settled.due_at), settled.provisional) == ("2027-02-25 00:00", False)


def test_a_deadline_inside_a_cadence_counts_from_the_period_s_start() -> None:
    duties = [duty("monthly", Kind.DELIVER, cadence=Cadence(every="month", basis=Basis.CONTRACT),
                   deadline=deadline(5, "working_day", Basis.CONTRACT))]  # fmt: skip
    found = due_of(schedule(obligations=duties), "monthly")
    assert local(found["2026-10"].due_at) == "2026-10-14 00:00"  # 8, 9, 10 (make-up), 12, 13 October


#: four months, so that many cases take little time
SHORT = folder(periods=[PeriodReading("short", date(2026, 1, 29), date(2026, 5, 28), "测试")])
events = st.lists(
    st.builds(
        EventAt,
        id=st.integers(1, 10**6).map(str),
        kind=st.sampled_from(["asked", "paper", "fault", "invoice", "effective", "ended", "storm"]),
        at=st.integers(1_769_000_000, 1_781_000_000).map(lambda s: datetime.fromtimestamp(s, UTC)),
    ),
    unique_by=lambda e: e.id,
    max_size=6,
)
approvals = st.lists(st.dates(date(2026, 1, 1), date(2026, 6, 1)), max_size=3)
moments = st.integers(1_769_000_000, 1_781_000_000).map(lambda s: datetime.fromtimestamp(s, UTC))


@settings(max_examples=25)
@given(events, approvals, moments, moments)
def test_whatever_happens(recorded: list[EventAt], approved: list[date], one: datetime, two: datetime) -> None:
    earlier, later = sorted((one, two))
    plans = [PlanAt(n, plan(n), day) for n, day in enumerate(sorted(approved), 1)]
    found = occurrences(SHORT, plans, recorded, CALENDAR, later)
    # the same input gives the same list, in another order of events too
    assert found == occurrences(SHORT, plans, list(reversed(recorded)), CALENDAR, later)
    # one occurrence per obligation and period
    assert max(Counter(d.key for d in found).values(), default=1) == 1
    # nothing that was due is forgotten or changed by the passing of time alone
    assert {d.key: d for d in occurrences(SHORT, plans, recorded, CALENDAR, earlier)}.items() <= {
        d.key: d for d in found
    }.items()
    first = min(approved, default=date.max)
    for d in found:
        assert d.due_at is None or d.due_at >= d.starts_at
        assert d.kind not in ("ban", "consent")
        if d.basis == "plan" and d.due_at is not None:
            day = (
                (d.starts_at if d.period.startswith("event") else d.due_at - timedelta(seconds=1))
                .astimezone(SHANGHAI)
                .date()
            )
            assert not d.counts or day >= first
        if d.basis == "contract" and d.due_at is not None:
            assert d.counts


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda p: p.name)
def test_the_whole_term_of_each_contract(path: Path) -> None:
    contract = load(path)
    first = min(p.start for p in contract.contract.periods)
    begin = datetime(first.year, first.month, first.day, tzinfo=SHANGHAI)
    recorded = [EventAt(str(n), kind, begin + timedelta(days=n)) for n, kind in enumerate(contract.events, 1)]
    plans = [PlanAt(1, contract.plan, first + timedelta(days=30))]
    found = occurrences(contract, plans, recorded, CALENDAR, begin + timedelta(days=1200))
    assert len(found) > 50
    assert any(d.counts for d in found)


@pytest.mark.parametrize(
    ("obligation", "recorded", "due"),
    [
        ("P1", {"invoice_received_first": "2026-02-03", "contract_effective": "2026-02-03"}, "2026-02-24"),  # 5.2.1
        ("P1", {"invoice_received_first": "2026-02-10", "contract_effective": "2026-02-03"}, "2026-03-02"),
        ("P1", {"invoice_received_first": "2026-01-30", "contract_effective": "2026-02-03"}, "2026-02-24"),
        ("R3", {"request_received": "2026-02-13"}, "2026-02-25"),  # 2.1
        ("R3", {"request_received": "2026-05-03"}, "2026-05-08"),
        ("A4", {"paper_handed_over": "2026-02-10"}, "2026-03-09"),  # 7.1.10
        ("F2", {"force_majeure_occurred": "2026-02-03"}, "2026-02-24"),  # 11.3
        ("G12", {"end_of_term": "2027-02-03"}, "2027-02-03"),  # 7.2.16, at the end itself
        ("G13", {"end_of_term": "2027-02-03"}, "2027-02-23"),
        ("L1", {"contract_effective": "2026-02-03"}, "2026-02-05"),
        ("L2", {"contract_effective": "2026-02-03"}, "2026-02-12"),
    ],
)
def test_the_clocks_of_the_real_contract(obligation: str, recorded: dict[str, str], due: str) -> None:
    contract = load(next(p for p in CONTRACTS if p.name == "qingpu-2026"))
    happened = [EventAt(str(n), kind, at(f"{day} 15:00")) for n, (kind, day) in enumerate(recorded.items())]
    found = [d for d in occurrences(contract, [], happened, CALENDAR, FOREVER) if d.obligation == obligation]
    assert [local(d.due_at - timedelta(days=1))[:10] for d in found if d.due_at] == [due]
    assert found[0].counts
    assert found[0].provisional == due.startswith("2027")


def test_the_lines_of_the_test_plan_are_all_used() -> None:
    assert {line.obligation for line in LINES} <= {o.id for o in OBLIGATIONS}
