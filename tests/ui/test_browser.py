"""The page in a real browser (Debian's chromium; its absence fails): both sizes, both themes, both languages, live."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.ui import scene
from yunwei.inspect.models import Finding

pytestmark = [pytest.mark.component, pytest.mark.django_db(transaction=True)]
CHROMIUM = "/usr/bin/chromium"
ARGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--disable-default-apps",
)  # fmt: skip
SIZES = {"desk": (1440, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    # the driver's event loop runs in this thread, so Django would take our own set-up and clean-up for async code
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=CHROMIUM, args=list(ARGS))
            yield browser
            browser.close()
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def site(chromium, live_server, contract, settings) -> str:
    """The platform as one server, its clock at the scene's moment, its day played."""
    offset = (scene.NOW - datetime.now(UTC)).total_seconds()
    settings.YUNWEI = {"demo": True, "clock": {"offset_s": offset}}
    assert django_settings.YUNWEI["demo"]
    scene.play(scene.crew(), assets=20, occurrences=30)
    return str(live_server.url)


class Watched:
    """A page whose console, failures and requests are noted."""

    def __init__(self, browser: Browser, site: str, size: tuple[int, int]) -> None:
        self.site = site
        self.context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="zh-CN")
        self.page: Page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("console", lambda m: self._note(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda e: self.wrong.append(str(e)))
        self.page.on("requestfailed", lambda r: self._note(f"{r.url} {r.failure}"))
        self.page.on("request", lambda r: None if r.url.startswith(site) else self.wrong.append(f"elsewhere: {r.url}"))

    def _note(self, text: str) -> None:
        """A poll under way ends with the page that asked: leaving a page is no failure."""
        if not any(word in text for word in ("ERR_ABORTED", "htmx:sendAbort")):
            self.wrong.append(text)

    def log_in(self, name: str = "b_engineer") -> Page:
        self.page.goto(f"{self.site}/")
        assert "/login" in self.page.url
        self.page.get_by_label("账号").fill(name)
        self.page.get_by_label("口令").fill(name)
        self.page.get_by_role("button", name="登录").click()
        expect(self.page.locator("h1")).to_contain_text("今天有")
        self.page.wait_for_load_state()  # the scripts that hear clicks and keys are deferred
        return self.page


@pytest.fixture
def open_page(chromium: Browser, site: str) -> Iterator[type]:
    opened: list[Watched] = []

    def make(size: str = "desk") -> Watched:
        opened.append(Watched(chromium, site, SIZES[size]))
        return opened[-1]

    yield make  # type: ignore[misc]
    for watched in opened:
        watched.page.goto("about:blank")  # no poll may outlive the test's database
        watched.context.close()


def sideways(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


@pytest.mark.parametrize("size", list(SIZES))
def test_from_login_to_today(open_page, size):
    watched = open_page(size)
    page = watched.log_in()
    expect(page.locator("h1")).to_contain_text("巡检看清 16 / 20 台")
    assert not sideways(page)
    assert page.locator("h1").count() == 1
    for landmark in ("main", "navigation", "banner"):
        assert page.get_by_role(landmark).count() == 1, landmark
    assert clipped(page) == []
    page.evaluate("document.querySelector('[data-theme-toggle]').click()")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert not sideways(page)
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert watched.wrong == []


def clipped(page: Page) -> list[str]:
    """Figures and headings whose text does not fit their box."""
    return page.evaluate(
        """[...document.querySelectorAll('h1, h2, .num, .chip, .state, dd, .pay b')]
           .filter(e => e.offsetParent && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline')
           .map(e => e.textContent.trim())"""
    )


def test_every_control_has_a_name_and_every_region_too(open_page):
    page = open_page().log_in()
    nameless = page.evaluate(
        """[...document.querySelectorAll('button, a, input:not([type=hidden]), [role=region], [role=img], nav')]
           .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length)).map(e => e.outerHTML)"""
    )
    assert nameless == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    targets = page.evaluate(
        "[...document.querySelectorAll('a[href^=\"#\"]')].map(e => e.getAttribute('href').slice(1))"
    )
    assert set(targets) <= set(ids)


def test_a_refresh_comes_by_itself_and_leaves_the_reader_in_place(open_page):
    watched = open_page("phone")
    page = watched.log_in()
    assert page.locator("#heat-rows").evaluate("e => e.scrollLeft > 0"), "a phone begins at this month"
    assert page.locator("#year").evaluate("e => e.scrollLeft > 0"), "and at today"
    page.locator("#heat-rows").evaluate("e => e.scrollLeft = 120")
    page.locator("#heat-rows").focus()
    Finding.objects.filter(pk=Finding.objects.order_by("pk").values("pk")[:1]).update(name="换了名字的风扇")
    expect(page.locator("#faults")).to_contain_text("换了名字的风扇", timeout=15_000)
    assert page.locator("#heat-rows").evaluate("e => e.scrollLeft") == 120
    assert page.evaluate("document.activeElement.id") == "heat-rows"
    expect(page.locator("[data-live-state]")).to_have_text("轮询")
    assert watched.wrong == []


def test_a_server_that_does_not_answer_is_not_shown_as_live(open_page):
    watched = open_page()
    page = watched.log_in()
    page.route("**/today/body*", lambda route: route.abort())
    expect(page.locator("[data-live-state]")).to_have_text("已断开", timeout=15_000)
    page.unroute("**/today/body*")
    expect(page.locator("[data-live-state]")).to_have_text("轮询", timeout=15_000)


def test_the_end_of_a_session_leads_to_the_login(open_page):
    watched = open_page()
    page = watched.log_in()
    watched.context.clear_cookies(name="sessionid")
    expect(page.get_by_role("button", name="登录")).to_be_visible(timeout=15_000)
    assert "/login" in page.url


def test_the_keyboard_reaches_the_text_and_the_theme(open_page):
    page = open_page().log_in()
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("跳到正文")
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("t")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_paper_is_light(open_page):
    page = open_page().log_in()
    page.keyboard.press("t")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    themes = page.evaluate(
        """() => { const seen = []; const now = () => seen.push(document.documentElement.dataset.theme); now();
          window.dispatchEvent(new Event('beforeprint')); now(); window.dispatchEvent(new Event('afterprint')); now();
          return seen; }"""
    )
    assert themes == ["dark", "light", "dark"]


def test_english_has_no_chinese_left_but_names(open_page, english):
    watched = open_page()
    page = watched.log_in()
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    said = page.evaluate(
        """() => { const out = []; const skip = e => e.closest('.seal, [lang=zh], [translate=no]');
          const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          while (walk.nextNode()) if (!skip(walk.currentNode.parentElement)) out.push(walk.currentNode.data);
          for (const e of document.querySelectorAll('[title],[aria-label]'))
            if (!skip(e)) out.push(e.getAttribute('title') || '', e.getAttribute('aria-label') || '');
          out.push(document.title); return out; }"""
    )
    left = sorted({text.strip() for text in said if re.search(r"[\u4e00-\u9fff]", text)})
    assert left == []
    assert not sideways(page)
    page.set_viewport_size({"width": 390, "height": 844})
    assert not sideways(page)
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    assert watched.wrong == []
