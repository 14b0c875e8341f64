"""大屏: what stands on the wall, what never does, and that a picture which no longer lives says so."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from playwright.sync_api import Browser

from tests.ui import scene
from tests.ui.test_browser import Watched, chromium, sideways  # noqa: F401 - a fixture
from yunwei.accounts.models import Account, Role
from yunwei.contract.schema import Kind
from yunwei.desk import services as desk
from yunwei.desk.models import TicketKind
from yunwei.duties import services as duties
from yunwei.duties.models import Occurrence, State
from yunwei.duties.web import screen, year
from yunwei.ledger import heads
from yunwei.ledger import services as ledger
from yunwei.runs import services as runs
from yunwei.ui import pages

pytestmark = pytest.mark.django_db
BUDGET = tomllib.loads((Path(__file__).parent / "budgets.toml").read_text(encoding="utf-8"))["pages"]["screen-body"]


@pytest.fixture
def world(contract, settings) -> dict[str, Account]:
    settings.YUNWEI = {"demo": True, "clock": {"offset_s": (scene.NOW - datetime.now(UTC)).total_seconds()}}
    crew = scene.crew()
    scene.play(crew, assets=12, occurrences=30)
    return crew


def wall(name: str = "a_manager", address: str = "/screen") -> str:
    client = Client()
    client.force_login(Account.objects.get(username=name))
    return client.get(address, **({"HTTP_HX_REQUEST": "true"} if address.endswith("body") else {})).content.decode()


def kpi(text: str, name: str) -> str:
    """The figure of a card."""
    found = re.search(rf"<dt>{name}</dt><dd><b class=\"num[^>]*>([^<]*)</b>", text)
    assert found, name
    return found[1]


def test_who_reads_the_contract_may_see_it(world):
    for name, account in world.items():
        client = Client()
        client.force_login(account)
        for address in ("/screen", "/screen/body"):
            assert (client.get(address).status_code == 200) == (account.role in pages.READERS), (name, address)
    assert Role.TENANT not in pages.READERS


def test_its_figures_are_those_of_the_tables(world):
    text = wall()
    kept = Occurrence.objects.filter(counts=True, state=State.KEPT).count()
    unproven = Occurrence.objects.filter(counts=True, state=State.UNPROVEN).count()
    assert kept == 12
    assert kpi(text, "按期履行") == str(kept)
    assert kpi(text, "未证明") == str(unproven)
    assert kpi(text, "今日巡检看清") == "10", "two of twelve were not seen"
    assert kpi(text, "未关闭故障") == "2"
    assert "无应答" in text, "why they were not seen"


def test_unproven_is_in_no_figure_of_what_was_kept(world):
    Occurrence.objects.filter(state=State.KEPT).update(state=State.UNPROVEN, cause="vendor")
    text = wall()
    assert kpi(text, "按期履行") == "0"
    assert 't-unp">' in text


def test_no_person_and_nothing_that_somebody_typed(world):
    desk.open_ticket(TicketKind.REQUEST, "王小明的电脑", by=world["tenant"], now=scene.NOW, body="王小明")
    duties.bring_up_to_date(scene.NOW)
    ledger.sequence(scene.NOW)
    world["b_engineer"].display_name = "李大力"
    world["b_engineer"].save()
    for text in (wall(), wall("b_engineer"), wall("b_engineer", "/screen/body")):
        assert "非紧急申请三个工作日内回复" in text, "the clock that the ticket started"
        for name in ("王小明", "李大力", "b_engineer", "a_manager", "tenant", "单位edu"):
            assert name not in text, name


def owe(party: str, count: int, *, due: timedelta, tag: str = "9") -> None:
    obligation = {"A": "A4", "B": "R3"}[party]
    for i in range(count):
        Occurrence.objects.create(
            obligation=obligation, period=f"event:{tag}{i}", clauses=["7.1.10"], owes=party, kind=Kind.RESPOND.value,
            basis="contract", counts=True, starts_at=scene.NOW - timedelta(days=1), due_at=scene.NOW + due,
        )  # fmt: skip


def side(text: str, who: str) -> str:
    """The card of one party's clocks."""
    found = re.search(rf"<h2>{who}的时钟(.*?)</section>", text, re.DOTALL)
    assert found
    return found[1]


def test_both_parties_stand_side_by_side_by_the_same_measure(world):
    Occurrence.objects.filter(period__startswith="event:").delete()
    for party in ("A", "B"):
        owe(party, 3, due=timedelta(hours=2))
        owe(party, 2, due=-timedelta(hours=1), tag="8")
    text = wall()
    a, b = side(text, "甲方"), side(text, "乙方")
    for one in (a, b):
        assert "超过 1 小时 0 分" in one
        assert "×" in one
        assert "逾期" in one
    assert "十五个工作日内书面答复" in a
    assert "十五个工作日内书面答复" not in b
    shown = re.search(r'<th scope="row"><i class="dot bad"></i>逾期未结</th>(.*?)</tr>', text)
    assert shown
    assert len(re.findall("<td>", shown[1])) == 2, "the breaches of both"


def test_what_is_old_says_so_in_large(world):
    assert 'class="old" role="alert">' not in wall(address="/screen/body")
    later = scene.NOW + timedelta(minutes=90)
    said = screen.old(screen.today.health(later), later)
    assert any("工作进程没有应答" in line for line in said)
    assert any("90 分钟没有签名" in line for line in said)
    heads.push(later)
    runs.worker_seen("test", later)
    assert screen.old(screen.today.health(later), later) == []


def test_an_empty_instance_claims_nothing(contract, settings):
    settings.YUNWEI = {"clock": {"offset_s": (scene.NOW - datetime.now(UTC)).total_seconds()}}
    scene.crew()
    text = wall()
    assert kpi(text, "按期履行") == "—"
    assert kpi(text, "今日巡检看清") == "—"
    assert "没有看过，就不能说正常" in text
    assert "没看过的设备除外" in text
    assert "台账还没有签名头" in text


def test_it_costs_the_same_whatever_the_tables_hold(world):
    client = Client()
    client.force_login(world["a_manager"])
    client.get("/screen")

    def statements() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get("/screen/body", HTTP_HX_REQUEST="true").status_code == 200
        return len(seen)

    before = statements()
    assert before <= BUDGET
    owe("A", 40, due=timedelta(hours=3))
    owe("B", 40, due=timedelta(hours=4))
    assert statements() == before


def test_the_rows_that_fit_are_those_where_most_was_not_kept():
    good, bad = year.Cell("h5", "", ""), year.Cell("hu", "1", "")
    rows = [year.HeatRow(f"S{i}", "", "", [good, bad if i >= 30 else good]) for i in range(40)]
    rows[3] = year.HeatRow("S3", "", "", [year.Cell("h1 some", "1", ""), good])
    shown, left_out = screen.worst_first(year.Heat(["a", "b"], 0, rows))
    assert len(shown) == screen.HEAT
    assert len(left_out) == 40 - screen.HEAT
    assert [row.code for row in shown[-10:]] == [f"S{i}" for i in range(30, 40)]
    assert [row.code for row in shown[:4]] == ["S0", "S1", "S2", "S3"], "in the contract's order"
    rows = [year.HeatRow(f"S{i}", "", "", [bad] if i < 20 else [good]) for i in range(30)]
    rows[19] = year.HeatRow("S19", "", "", [bad, bad])
    shown, left_out = screen.worst_first(year.Heat(["a"], 0, rows))
    assert shown[-1].code == "S19", "two months weigh more than one"
    assert sum(screen.not_kept(row) > 0 for row in left_out) == 20 - screen.HEAT


@pytest.mark.component
@pytest.mark.django_db(transaction=True)
def test_on_a_wall_it_fits_is_legible_and_does_not_lie_when_cut(chromium: Browser, live_server, contract, settings):  # noqa: F811
    settings.YUNWEI = {"demo": True, "clock": {"offset_s": (scene.NOW - datetime.now(UTC)).total_seconds()}}
    scene.play(scene.crew(), assets=12, occurrences=30)
    watched = Watched(chromium, str(live_server.url), (1920, 1080))
    page = watched.page
    page.goto(f"{watched.site}/login")
    page.get_by_label("账号").fill("a_manager")
    page.get_by_label("口令").fill("a_manager")
    page.get_by_role("button", name="登录", exact=True).click()
    page.wait_for_url(re.compile(r"(?<!/login)$"))
    page.goto(f"{watched.site}/screen")
    smallest = page.evaluate(SMALLEST)
    assert smallest[0] >= 17, smallest
    assert float(page.evaluate("getComputedStyle(document.querySelector('.kpi b')).fontSize").removesuffix("px")) >= 42
    for size in ((1920, 1080), (1280, 720), (3840, 2160), (1440, 900)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight + 1"), size
        assert not sideways(page), size
    assert page.locator("#stale").is_hidden()
    page.clock.install()
    page.reload()
    page.route("**/screen/body", lambda route: route.abort())
    page.clock.run_for(200_000)
    assert page.locator("#stale").is_visible()
    assert "连接已断开" in page.locator("#stale").inner_text()
    page.set_viewport_size({"width": 390, "height": 844})
    assert not sideways(page)
    watched.context.close()


#: the smallest text on the canvas: its size in pixels and what it says; drawings are in units of their own
SMALLEST = """(() => {
  let least = [99, ""];
  const walker = document.createTreeWalker(document.querySelector(".canvas"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || e.closest("svg, .sr, [hidden]")) continue;
    const size = parseFloat(getComputedStyle(e).fontSize);
    if (size < least[0]) least = [size, walker.currentNode.textContent.trim()];
  }
  return least;
})()"""
