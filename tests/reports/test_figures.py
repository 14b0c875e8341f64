"""The figures are the books': counted here once more by other queries, with the evidence of each."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal

import pytest

from tests.reports.conftest import World
from tests.reports.month import NOW
from yunwei.assessment import sheets
from yunwei.contract.schema import Owes
from yunwei.desk.models import Ticket
from yunwei.duties.models import Occurrence, State
from yunwei.inspect.models import DeviceSweep, Finding
from yunwei.kernel.canonical import canonical
from yunwei.ledger.models import Entry, Head, Intake
from yunwei.reports import figures, outline_worth, period
from yunwei.reports.evidence import ranges, said, span

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def told(month: World) -> dict:
    return figures.gather(month.of, NOW)


def due_in(month: World):
    return Occurrence.objects.filter(due_at__gt=month.of.start, due_at__lte=month.of.end)


def test_every_state_is_counted_as_the_table_has_it(month: World, told: dict) -> None:
    rows = Counter(due_in(month).filter(counts=True).values_list("state", flat=True))
    undated = Counter(
        Occurrence.objects.filter(counts=True, due_at=None, starts_at__gte=month.of.start, starts_at__lt=month.of.end)
        .values_list("state", flat=True)
    )  # fmt: skip
    both = rows + undated
    s = told["duties"]["sum"]
    for state in ("kept", "late", "missed", "unproven", "exempt"):
        assert both[state], f"the scene has no {state}: this test would prove nothing"
        assert s[state] == both[state]
    assert s["all"] == both.total() == sum(v for k, v in s.items() if k != "all")


def test_both_parties_are_counted_alike_and_add_up(told: dict) -> None:
    parts = told["duties"]["by_party"]
    assert set(parts) == {o.value for o in Owes}
    assert parts["A"]["all"] > 0
    for key, value in told["duties"]["sum"].items():
        assert value == sum(p[key] for p in parts.values())


def test_obligations_add_up_and_every_settled_one_names_the_evidence_of_its_own_record(
    month: World, told: dict
) -> None:
    of_row = {o.pk: o for o in due_in(month).filter(counts=True)}
    numbers = dict(Entry.objects.values_list("intake_id", "seq"))
    for o in told["duties"]["obligations"]:
        mine = [r for r in of_row.values() if r.obligation == o["id"]]
        for state, listed in o["numbers"].items():
            if state not in (State.DUE, State.RUNNING):
                assert Counter(listed) == Counter(numbers[r.evidence] for r in mine if r.state == state)
                subjects = Intake.objects.filter(entry__seq__in=listed).values_list("subject", flat=True)
                assert {s.partition(":")[0] for s in subjects} == {o["id"]}
    assert sum(o["sum"]["all"] for o in told["duties"]["obligations"]) == told["duties"]["sum"]["all"]
    days = told["duties"]["days"]
    assert len(days) == 30
    dated = due_in(month).filter(counts=True).count()
    assert sum(d["sum"]["all"] for d in days) == dated


def test_what_is_due_at_the_midnight_that_ends_the_month_belongs_to_it(month: World, told: dict) -> None:
    last = due_in(month).filter(due_at=month.of.end, counts=True).count()
    assert last, "nothing is due at 24:00 of the last day: this test would prove nothing"
    of_day = told["duties"]["days"][-1]
    assert of_day["day"] == "2026-11-30"
    assert of_day["sum"]["all"] >= last
    after = figures.gather(period.of(period.Kind.MONTHLY, month.of.last + period.ONE_DAY, "Asia/Shanghai"), NOW)
    assert all(
        d["sum"]["all"] == 0 or d["day"] > "2026-12-01" or d["day"] == "2026-12-01" for d in after["duties"]["days"]
    )
    counted = due_in(month).filter(due_at=month.of.end).values_list("obligation", "period")
    assert not {(r["obligation"], r["period"]) for r in after["duties"]["special"]} & set(counted)


def test_unproven_is_told_by_all_four_causes(month: World, told: dict) -> None:
    rows = Counter(due_in(month).filter(state=State.UNPROVEN, counts=True).values_list("cause", flat=True))
    assert set(told["unproven"]["by_cause"]) == {"vendor", "client", "third", "unknown"}
    assert {c: n for c, n in told["unproven"]["by_cause"].items() if n} == dict(rows)
    assert len([n for n in told["unproven"]["by_cause"].values() if n]) > 1
    assert all(r["number"] for r in told["unproven"]["rows"])


def test_sweeps_findings_and_tickets(month: World, told: dict) -> None:
    looks = Counter(DeviceSweep.objects.values_list("verdict", flat=True))
    sweeps = told["sweeps"]
    assert (sweeps["agreed"], sweeps["proven"]) == (looks.total(), looks["pass"] + looks["fail"])
    assert sum(sweeps["causes"].values()) == looks["unproven"] > 0
    for row in sweeps["rows"]:
        assert Intake.objects.get(entry__seq=row["number"]).subject == row["run"]
    found = told["findings"]
    assert (
        found["opened"] == Finding.objects.filter(opened_at__gte=month.of.start, opened_at__lt=month.of.end).count() > 0
    )
    assert (
        found["closed"] == Finding.objects.filter(closed_at__gte=month.of.start, closed_at__lt=month.of.end).count() > 0
    )
    assert found["open"] == Finding.objects.filter(closed_at=None).count()
    kinds = told["tickets"]["kinds"]
    assert kinds["request"]["opened"] == Ticket.objects.count() == 2
    assert kinds["request"]["closed"] == Ticket.objects.exclude(closed_at=None).count() == 1


def test_the_ledgers_growth_is_that_of_its_heads(month: World, told: dict) -> None:
    last = Head.objects.filter(at__lt=month.of.end).order_by("-number").first()
    assert last is not None
    assert told["ledger"]["last"]["size"] == last.size
    assert told["ledger"]["entries"] == last.size
    assert told["ledger"]["last"]["root"] == bytes(last.root).hex()


def test_a_week_has_what_its_days_have(month: World) -> None:
    week = period.parse("weekly", "2026-W45", "Asia/Shanghai")
    of_days = [figures.gather(period.of(period.Kind.DAILY, d, week.zone), NOW) for d in week.days]
    whole = figures.gather(week, NOW)
    for key in ("kept", "late", "missed", "unproven", "exempt"):
        assert whole["duties"]["sum"][key] == sum(d["duties"]["sum"][key] for d in of_days)
    assert whole["sweeps"]["agreed"] == sum(d["sweeps"]["agreed"] for d in of_days) > 0
    assert whole["findings"]["opened"] == sum(d["findings"]["opened"] for d in of_days)


def test_reading_changes_nothing_and_reads_the_same_twice(month: World, told: dict) -> None:
    before = Intake.objects.count()
    assert figures.read(month.of, NOW) == told
    assert Intake.objects.count() == before
    assert json.loads(canonical(told)) == told  # plain data: it can be kept and read again


def test_it_is_read_again_while_somebody_writes(month: World, monkeypatch: pytest.MonkeyPatch) -> None:
    moves = iter([1, 2, 2, 2])
    asked: list[int] = []
    monkeypatch.setattr(figures, "_last_intake", lambda: next(moves))
    monkeypatch.setattr(figures, "gather", lambda *_a: asked.append(1) or {"n": len(asked)})
    assert figures.read(month.of, NOW) == {"n": 2}


def test_nobody_by_name(month: World, told: dict) -> None:
    text = json.dumps(told, ensure_ascii=False)
    for account in month.people.values():
        assert f'"{account.username}"' not in text


def test_what_counts_for_nothing_is_in_no_sum_and_says_why(month: World, told: dict) -> None:
    loose = Occurrence.objects.filter(counts=True, state=State.KEPT, due_at__gt=month.of.start).first()
    assert loose is not None
    Occurrence.objects.filter(pk=loose.pk).update(counts=False, why="方案未审定")
    again = figures.gather(month.of, NOW)
    assert again["duties"]["sum"]["all"] == told["duties"]["sum"]["all"] - 1
    assert again["duties"]["uncounted"] == told["duties"]["uncounted"] + 1
    row = next(o for o in again["duties"]["obligations"] if o["id"] == loose.obligation)
    assert row["why"] == "方案未审定"


def test_evidence_numbers_in_few_letters() -> None:
    assert ranges([3, 1, 2, 7, 9, 10]) == "1–3、7、9、10"
    assert ranges([0, None, 4]) == "4、待编号 1 条、无证据 1 条"
    assert ranges([]) == "—"
    assert (said(5), said(0), said(None)) == ("№ 5", "待编号", "无证据")
    assert (span([9, 3, 3]), span([4]), span([None]), span([None, 0])) == ("№ 3…9", "№ 4", "无证据", "待编号")


def test_a_monthly_report_tells_the_sheet_of_its_month_and_no_other_report_does(month: World, told: dict) -> None:
    worth = told["assessment"]
    assert worth["state"] == "trial"
    assert worth["adopted"] is False
    sheet = sheets.computed(month.of.key)
    assert (Decimal(worth["score"]), Decimal(worth["lost"])) == (sheet.score, sheet.lost)
    assert [Decimal(i["lost"]) for i in worth["items"]] == [i.lost for i in sheet.items]
    assert worth["more"] == len([line for line in sheet.lines if line.points]) - len(worth["lines"])
    assert [line["key"] for line in worth["lines"]] == [line.key for line in sheet.lines if line.points][:40]
    section = outline_worth.assessment(worth)
    assert section.title == "月度考核"
    assert "只供参考" in str(section.blocks)
    week = period.of(period.Kind.WEEKLY, month.of.first, month.of.zone)
    assert figures.gather(week, NOW)["assessment"] is None
