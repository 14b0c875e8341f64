"""今日: what it says is what the tables hold; a fixed number of statements; nothing a device is called becomes markup."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.ui import scene
from tests.ui.tags import Tags
from yunwei.duties.models import Occurrence, State
from yunwei.duties.web import day, today, year
from yunwei.inspect.models import DeviceSweep, Finding
from yunwei.kernel.verdict import Reason
from yunwei.ledger.models import Entry, Intake
from yunwei.runs.models import Run
from yunwei.ui import words
from yunwei.ui.vocabulary import EVENTS, REASONS

pytestmark = pytest.mark.django_db
#: the frame (session, account, chain of heads) and one statement a card
STATEMENTS = 26


@pytest.fixture
def at_the_day(settings, monkeypatch):
    """The pages' clock stands at the scene's moment."""
    settings.YUNWEI = {"demo": True}
    monkeypatch.setattr(today, "now_of_instance", lambda: scene.NOW)


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_the_page_says_what_the_tables_hold(client: Client, people, at_the_day):
    scene.play(people, assets=10)
    client.force_login(people["b_engineer"])
    said = text_of(client.get("/").content.decode())
    assert "巡检看清 8 / 10 台" in said
    assert "有故障 2" in said
    assert "未证明 2" in said
    assert "无应答 SW-0004 SW-0009" in said
    assert "演示" in said
    assert "待双方确认" in said, "the price formula of 5.1 is blank: no sum is invented"
    assert "咨询扩容" in said, "the clock says what it is about"
    assert "3 个工作日（合同）" in said, "a clock names its rule and whose number it is"
    found = Finding.objects.order_by("id").first()
    assert found is not None
    assert f"№ {Entry.objects.get(intake_id=found.evidence).seq}" in said, "a finding shows its ledger number"
    judged = Intake.objects.get(kind="inspect.run.judged")
    assert f"{scene.RUN} № {judged.entry.seq}" in said


def test_statements_do_not_grow_with_the_tables(client: Client, people, at_the_day):
    scene.play(people, assets=10, occurrences=10)
    client.force_login(people["b_engineer"])
    client.get("/")
    few = statements(client)
    zone = DeviceSweep.objects.first().asset.zone  # type: ignore[union-attr]
    grow(zone)
    many = statements(client)
    assert Occurrence.objects.count() > 1000
    assert few == many
    assert many <= STATEMENTS


def statements(client: Client) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get("/").status_code == 200
    plans = [q["sql"] for q in captured if "contract_planversion" in q["sql"]]
    assert len(plans) == 1, "the approved plan is fetched once"
    return len(captured)


def grow(zone) -> None:
    from yunwei.assets.models import Asset

    assets = Asset.objects.bulk_create(
        Asset(code=f"MORE-{i:04d}", name=f"更多 {i}", kind="device", zone=zone, category="ups") for i in range(1000)
    )
    DeviceSweep.objects.bulk_create(
        DeviceSweep(run_id=scene.RUN, asset=a, observed_at=scene.NOW, verdict="fail") for a in assets
    )
    Finding.objects.bulk_create(
        Finding(asset=a, key="k", component="fan/1", kind="state", name="风扇", severity="warning",
                opened_at=scene.NOW, last_seen_at=scene.NOW)
        for a in assets
    )  # fmt: skip
    Occurrence.objects.bulk_create(
        Occurrence(obligation="S2.3-backup", period=f"x-{i}", owes="B", kind="result", basis="plan", counts=True,
                   starts_at=scene.NOW, due_at=scene.NOW + timedelta(hours=i % 9), state=State.DUE)
        for i in range(1000)
    )  # fmt: skip


EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def test_names_of_devices_and_tickets_stay_text(client: Client, people, at_the_day):
    scene.play(people, assets=5, name=EVIL)
    Run.objects.update(
        outcome={"coverage": {"unproven": {EVIL: 1}, "not_proven": [[EVIL, EVIL, EVIL]]}, "control": {EVIL: False}}
    )
    Intake.objects.filter(kind="inspect.run.judged").update(subject=f"{scene.RUN}")
    client.force_login(people["b_engineer"])
    for address in ("/", "/today/body"):
        page = client.get(address).content.decode()
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        tags = Tags(page)
        assert "img" not in tags.names
        assert not [name for name in tags.attributes if name.startswith("on")]
        assert tags.names.count("script") == (2 if address == "/" else 0), "the page's own two files"


def test_an_empty_instance_claims_nothing(client: Client, people, at_the_day):
    client.force_login(people["b_engineer"])
    page = client.get("/")
    said = text_of(page.content.decode())
    assert "巡检尚未开始" in said
    assert "今日尚无巡检记录" in said
    assert "没有应答，义务不会自动执行" in said
    assert "尚无甲方审定的服务方案" in said
    assert "— 尚无已结" in said
    assert "100.0" not in said
    assert "看清" not in said.split("履行热图")[0].split("今日巡检")[-1], "nothing was seen"


def test_an_inspection_that_broke_off_is_not_told_as_one_that_ended(client: Client, people, at_the_day):
    scene.play(people, assets=5)
    Run.objects.update(state="failed")
    client.force_login(people["b_engineer"])
    assert "巡检没有完成" in text_of(client.get("/").content.decode())


def test_an_asset_that_no_row_tells_of_is_unproven(people, at_the_day):
    scene.play(people, assets=5)
    run = Run.objects.get()
    run.outcome["coverage"]["agreed"] = 9
    run.save()
    sweep = today.model(scene.NOW)["sweep"]
    assert (sweep.agreed, sweep.proven, sweep.unproven) == (9, 4, 5)


def test_the_end_of_a_month_belongs_to_that_month(people, at_the_day):
    from zoneinfo import ZoneInfo

    from yunwei.duties.sources import folder

    zone = ZoneInfo("Asia/Shanghai")
    end = scene.NOW.astimezone(zone).replace(month=10, day=1, hour=0, minute=0)  # 24:00 of 30 September
    Occurrence.objects.create(
        obligation="S2.4", period="2026-09", owes="B", kind="look", basis="plan", counts=True,
        starts_at=end - timedelta(days=30), due_at=end, state=State.KEPT,
    )  # fmt: skip
    found = year.heat(folder(), None, scene.NOW, zone)
    cells = dict(zip(found.months, found.rows[0].cells, strict=False))
    assert cells["9月"].level == "h5"
    assert cells["10月"].level == "hn"
    Occurrence.objects.update(settled_at=end - timedelta(days=45))
    cells = dict(zip(found.months, year.heat(folder(), None, scene.NOW, zone).rows[0].cells, strict=False))
    assert (cells["8月"].level, cells["9月"].level) == ("h5", "hn"), "done before its time: the month it was done in"


@pytest.mark.parametrize(
    ("states", "level", "text"),
    [
        ({"kept": 10}, "h5", ""),
        ({"kept": 99, "late": 1}, "h4", ""),
        ({"kept": 19, "missed": 1}, "h2", "95"),
        ({"kept": 9, "missed": 1}, "h1", "90"),
        ({"unproven": 3}, "hu", "3"),
        ({"kept": 29, "unproven": 1}, "h2 some", "1"),
        ({}, "hn", ""),
        ({"due": 4}, "hf", ""),
    ],
)
def test_a_cell_never_hides_what_is_unproven(states, level, text):
    from datetime import date

    cell = year._cell(states, date(2026, 11, 1), date(2026, 11, 1), "")
    assert (cell.level, cell.text) == (level, text)


def test_a_share_is_shown_only_of_something_that_exists():
    nothing = dict.fromkeys(("kept", "late", "unproven", "missed"), 0)
    assert year.ring_of(nothing)[1] == "—"
    assert year.ring_of(nothing | {"unproven": 4})[1] == "0.0"
    assert year.ring_of(nothing | {"kept": 3, "unproven": 1})[1] == "75.0"


def test_both_parties_clocks_run_side_by_side(people, at_the_day):
    from yunwei.duties import services as duties

    scene.play(people, assets=5)
    duties.record_event(
        "plan_submitted", at=scene.NOW, by=people["b_manager"], now=scene.NOW, note="报送方案",
        file=duties.File("plan.txt", b"x"),
    )  # fmt: skip
    duties.bring_up_to_date(scene.NOW)
    assert {"甲方", "乙方"} <= {clock.owner for clock in today.model(scene.NOW)["clocks"]}


def test_what_is_missed_stays_overdue_until_it_is_done(people, at_the_day):
    scene.play(people, assets=5)
    clock = Occurrence.objects.filter(period__startswith="event:", due_at__isnull=False).first()
    assert clock is not None
    later = clock.due_at + timedelta(hours=2)
    Occurrence.objects.filter(pk=clock.pk).update(state=State.MISSED)
    shown = next(c for c in today.model(later)["clocks"] if c.left.startswith("超过"))
    assert shown.tone == "bad"
    Occurrence.objects.filter(pk=clock.pk).update(state=State.LATE)
    assert not [c for c in today.model(later)["clocks"] if c.left.startswith("超过")]


def test_nothing_new_is_not_sent_again(client: Client, people, at_the_day):
    scene.play(people, assets=5)
    client.force_login(people["b_engineer"])
    first = client.get("/today/body", headers={"YW-Live": "1"})
    known = {"YW-Live": "1", "YW-Seen": first["YW-Mark"]}
    assert client.get("/today/body", headers=known).status_code == 204
    Finding.objects.update(severity="warning")
    assert client.get("/today/body", headers=known).status_code == 200


def test_a_session_that_ended_brings_the_whole_page_to_the_login(client: Client, people):
    response = client.get("/today/body", headers={"HX-Request": "true"})
    assert response.status_code == 401
    assert response["HX-Refresh"] == "true"
    assert not response.content


def test_every_reason_has_a_word():
    assert {str(r) for r in Reason} == set(REASONS)


def test_every_record_that_a_day_makes_has_a_word(people, at_the_day):
    scene.play(people, assets=5)
    kinds = set(Intake.objects.values_list("kind", flat=True))
    assert len(kinds) > 5
    assert kinds <= set(EVENTS)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("device: warn<=900 crit<=600", "设备阈值 ≤900 警告 ≤600 严重"),
        ("plan: warn>=80 crit>=90", "方案阈值 ≥80 警告 ≥90 严重"),
        ("explained by: psu/1", "见 psu/1"),
        ("", ""),
    ],
)
def test_a_limit_says_whose_it_is(told, said):
    assert words.limit(told) == said


def test_a_day_ends_at_its_own_24_00():
    from zoneinfo import ZoneInfo

    zone = ZoneInfo("Asia/Shanghai")
    midnight = scene.NOW.astimezone(zone).replace(hour=0, minute=0) + timedelta(days=1)
    assert words.due(midnight, scene.NOW, zone) == "24:00"
    assert words.due(midnight + timedelta(days=1), scene.NOW, zone) == "11-27 24:00"
    assert words.due(midnight + timedelta(hours=9), scene.NOW, zone) == "11-27 09:00"


def test_payments_wait_for_their_invoice_and_say_so(people):
    from zoneinfo import ZoneInfo

    from yunwei.duties.sources import folder

    first, balance = day.payments(folder(), [], scene.NOW, ZoneInfo("Asia/Shanghai"))
    assert (first.amount, first.note) == (folder().contract.instalments[0].amount, "尚无发票记录")
    assert balance.amount is None
    assert "627,540.00" in balance.note


def test_a_department_goes_to_its_own_page_and_never_sees_this_one(client: Client, people, at_the_day):
    scene.play(people, assets=5)
    client.force_login(people["tenant"])
    assert client.get("/")["Location"] == "/portal"
    assert client.get("/today/body").status_code == 403


def test_everything_on_the_page_leads_to_what_it_is_about(client: Client, people, at_the_day):
    scene.play(people, assets=10)
    client.force_login(people["b_engineer"])
    page = client.get("/").content.decode()
    targets = {t for t in re.findall(r'href="(/[^"#]*)', page) if not t.startswith("/static/")}
    duty = Occurrence.objects.get(obligation="S1.2", period="2026-11-26")
    found = Finding.objects.order_by("id").first()
    assert found is not None
    number = Entry.objects.get(intake_id=found.evidence).seq
    for address in (
        f"/occurrences/{duty.pk}", "/obligations/S1.2", f"/findings/{found.pk}", "/assets/SW-0004", f"/evidence/{number}",
        f"/sweeps/{scene.RUN}",
    ):  # fmt: skip
        assert address in targets, address
    for address in sorted(targets):
        assert client.get(address).status_code == 200, address


def test_a_head_that_nobody_received_is_not_told_as_delivered(client: Client, people, at_the_day, tmp_path, settings):
    from yunwei.ledger import heads

    scene.play(people, assets=5)
    settings.YUNWEI = {"demo": True, "ledger": {"push": [str(tmp_path)]}}
    client.force_login(people["a_manager"])
    assert "送达甲方 尚未送达" in text_of(client.get("/").content.decode())
    heads.push(scene.NOW)
    assert "送达甲方 2026-11-26 10:30" in text_of(client.get("/").content.decode())
    heads.HeadPush.objects.update(at=scene.NOW - timedelta(hours=2))
    assert "逾期，自 2026-11-26 08:30" in text_of(client.get("/").content.decode())


def test_what_waits_for_the_other_side_is_said(client: Client, people, at_the_day):
    from yunwei.duties import services as duties

    scene.play(people, assets=5)
    row = Occurrence.objects.get(obligation="S1.2", period="2026-11-26")
    duties.state_proof(row.pk, statement="查过", file=duties.File("p.txt", b"x"), by=people["b_manager"], now=scene.NOW)
    client.force_login(people["a_manager"])
    assert "已举证，待对方确认" in text_of(client.get("/").content.decode())
