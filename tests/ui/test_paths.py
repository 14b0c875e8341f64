"""The five people's main paths in one story, in a real browser, wide and narrow: a department asks, the engineer takes it up and
answers, the client confirms, the manager states a duty and builds a report, the auditor has a record proved and the trail of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.ui import scene
from tests.ui.test_browser import SIZES, Watched, chromium, sideways  # noqa: F401 - a fixture
from yunwei.desk.models import Ticket
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Entry, Intake
from yunwei.reports.models import Report
from yunwei.ui.context import now

pytestmark = [
    pytest.mark.long,
    pytest.mark.once,
    pytest.mark.component,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def world(live_server, contract, settings) -> str:
    settings.YUNWEI = {"demo": True, "clock": {"offset_s": (scene.NOW - datetime.now(UTC)).total_seconds()}}
    scene.play(scene.crew(), assets=8, occurrences=10)
    return str(live_server.url)


class Person:
    """One person at one browser; what the browser complains of is kept."""

    def __init__(self, browser: Browser, site: str, name: str, size: str) -> None:
        self.watched, self.site = Watched(browser, site, SIZES[size]), site
        self.page: Page = self.watched.page
        self.page.goto(f"{site}/login")
        self.page.get_by_label("账号").fill(name)
        self.page.get_by_label("口令").fill(name)
        self.page.get_by_role("button", name="登录", exact=True).click()
        expect(self.page.locator("main h1")).to_be_visible()

    def go(self, address: str) -> Page:
        self.page.goto(self.site + address)
        return self.page

    def leave(self) -> None:
        assert not sideways(self.page)
        self.page.goto("about:blank")
        self.watched.context.close()
        assert self.watched.wrong == []


@pytest.mark.parametrize("size", list(SIZES))
def test_one_story_of_five_people(chromium: Browser, world: str, size: str):  # noqa: F811 - the fixture
    number = department_asks(Person(chromium, world, "tenant", size))
    engineer_answers(Person(chromium, world, "b_engineer", size), number)
    client_confirms(Person(chromium, world, "a_manager", size), number)
    department_closes(Person(chromium, world, "tenant", size), number)
    manager_reports(Person(chromium, world, "b_manager", size))
    auditor_checks(Person(chromium, world, "auditor", size), number)


def department_asks(person: Person) -> str:
    page = person.go("/portal/new")
    page.locator("input[name=kind][value=request]").check()
    page.get_by_label("什么事，一句话").fill("申请开通 8443 端口")
    page.get_by_role("button", name="提交").click()
    expect(page.locator("main h1")).to_be_visible()
    ticket = Ticket.objects.latest("id")
    assert (ticket.title, ticket.requester.code) == ("申请开通 8443 端口", "edu")
    expect(page.locator("main")).to_contain_text("工作日")  # its clock names its rule
    person.leave()
    return ticket.number


def engineer_answers(person: Person, number: str) -> None:
    page = person.go("/tickets")
    page.get_by_role("link", name=re.compile(number)).first.click()
    page.locator("[data-ack]").click()
    expect(page.locator("#acts")).not_to_contain_text("待受理")
    page.locator("form.say textarea").fill("今天 16 时前开通")
    page.get_by_role("button", name="发送").click()
    expect(page.locator("#history")).to_contain_text("今天 16 时前开通")
    person.leave()
    assert Ticket.objects.get(number=number).state in ("accepted", "working")


def client_confirms(person: Person, number: str) -> None:
    page = person.go(f"/tickets/{number}")
    page.get_by_role("button", name="确认收到服务").first.click()
    expect(page.locator("#clocks")).to_contain_text("已履行")
    person.leave()


def department_closes(person: Person, number: str) -> None:
    page = person.go(f"/portal/tickets/{number}")
    expect(page.locator("#history")).to_contain_text("今天 16 时前开通")
    expect(page.locator("main")).not_to_contain_text("b_engineer")  # a role, never a name
    person.leave()


def manager_reports(person: Person) -> None:
    page = person.go("/reports")
    page.get_by_role("button", name="生成").click()
    expect(page.locator("main h1")).to_be_visible(timeout=60_000)
    built = Report.objects.latest("id")
    expect(page.locator("main")).to_contain_text("PDF")
    assert built.pdf
    person.leave()


def auditor_checks(person: Person, number: str) -> None:
    ledger.sequence(now())
    intake = Intake.objects.filter(subject=number).earliest("id")
    seq = Entry.objects.get(intake=intake).seq
    page = person.go(f"/evidence/{seq}")
    page.get_by_role("link", name="核验这条记录").click()
    expect(page.locator("#checked")).to_contain_text("SM2")
    assert page.locator("#checked .t-bad").count() == 0
    page = person.go("/audit")
    expect(page.locator("main")).to_contain_text("auditor")
    person.leave()
    assert Intake.objects.filter(kind="ledger.read", actor="auditor").exists()
