"""The page follows the house: by stream, by polling, and it says which; a real web process, a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.server import live_kit
from tests.ui.conftest import CONTRACTS
from yunwei.accounts.models import Role
from yunwei.ledger import services as ledger

pytestmark = [pytest.mark.component, pytest.mark.django_db(transaction=True)]
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
SOON = 30_000  # milliseconds: what takes a second may take long on a loaded machine
NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    # the driver's event loop runs in this thread, so Django would take our own set-up and clean-up for async code
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
            yield browser
            browser.close()
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    """A folder for the web process, with a contract."""
    folder = tmp_path / "web"
    folder.mkdir()
    shutil.copytree(CONTRACTS / "qingpu-2026", folder / "contract")
    return folder


def enter(browser: Browser, port: int, session: str) -> BrowserContext:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN")
    name, _sep, value = session.partition("=")
    context.add_cookies([{"name": name, "value": value, "url": f"http://127.0.0.1:{port}"}])
    return context


def says(page: Page, word: str) -> None:
    expect(page.locator("[data-live-state]")).to_have_text(word, timeout=SOON)


def change(subject: str) -> None:
    with transaction.atomic():
        ledger.record("desk.ticket.moved", subject, {}, at=NOW, actor="engineer")
    ledger.sequence(NOW)


def test_a_page_follows_without_a_reload_and_says_how(chromium, instance):
    """轮询 when a stream is refused, 已断开 when the server is gone, 实时 by stream: all by itself and without a reload."""
    session = live_kit.cookie(live_kit.account("engineer", Role.B_ENGINEER, "B"))
    asked: list[str] = []
    with live_kit.web(instance, events=0) as site:
        context = enter(chromium, site.port, session)
        page = context.new_page()
        page.on("request", lambda r: asked.append(r.url))
        page.goto(f"http://127.0.0.1:{site.port}/")
        says(page, "轮询")
        page.evaluate("window.kept = true")
        change("T-by-polling")
        expect(page.locator("main")).to_contain_text("T-by-polling", timeout=SOON)
        site.process.kill()
        site.process.wait()
        says(page, "已断开")
        expect(page.locator("#stale")).to_contain_text("没有应答", timeout=2 * SOON)
    with live_kit.web(instance, port=site.port):
        says(page, "实时")
        expect(page.locator("#stale")).to_be_hidden(timeout=SOON)
        asked.clear()
        change("T-by-stream")
        expect(page.locator("main")).to_contain_text("T-by-stream", timeout=SOON)
        for _wait in range(50):  # the fetch of the reconnection may have brought it before the event did
            if any("/today/body" in url for url in asked):
                break
            page.wait_for_timeout(100)
        assert 1 <= len([url for url in asked if "/today/body" in url]) <= 4, (
            "by the event, not by asking over and over"
        )
        assert page.evaluate("window.kept"), "never reloaded"
        assert {url.split("/")[2] for url in asked} == {f"127.0.0.1:{site.port}"}, "no request to another origin"
        context.close()


def test_the_end_of_a_session_leads_to_the_login_by_itself(chromium, instance):
    session = live_kit.cookie(live_kit.account("engineer", Role.B_ENGINEER, "B"))
    with live_kit.web(instance, beat_s=1.0) as site:
        context = enter(chromium, site.port, session)
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{site.port}/")
        says(page, "实时")
        SessionStore(session.partition("=")[2]).delete()
        expect(page.get_by_role("button", name="登录")).to_be_visible(timeout=SOON)
        context.close()


def test_live_requests_are_marked_and_unchanged_parts_are_not_swapped(chromium, instance):
    session = live_kit.cookie(live_kit.account("engineer", Role.B_ENGINEER, "B"))
    heads: list[dict[str, Any]] = []
    answers: list[int] = []
    with live_kit.web(instance) as site:
        context = enter(chromium, site.port, session)
        page = context.new_page()
        page.route("**/events", lambda route: route.fulfill(status=503, body="busy"))
        page.on("request", lambda r: heads.append(r.headers) if "/today/body" in r.url else None)
        page.on("response", lambda r: answers.append(r.status) if "/today/body" in r.url else None)
        page.goto(f"http://127.0.0.1:{site.port}/")
        says(page, "轮询")
        live_kit.wait(lambda: page.wait_for_timeout(200) or 204 in answers, "an unchanged answer")
        assert all(head["yw-live"] == "1" for head in heads)
        assert "yw-seen" in heads[-1]
        context.close()
