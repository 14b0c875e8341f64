"""yw.js alone: a scripted server on loopback serves one page, its part and the stream; a real browser reads it."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import django_htmx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

import yunwei.ui

pytestmark = pytest.mark.component
SOON = 30_000
SCRIPT = Path(yunwei.ui.__file__).parent / "static" / "yw" / "yw.js"
HTMX = Path(django_htmx.__file__).parent / "static" / "django_htmx" / "htmx-2.min.js"
FILES = {"/yw.js": SCRIPT, "/htmx.js": HTMX}
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
PAGE = """<!doctype html><html lang="zh" data-events="/events"><head><meta charset="utf-8"><title>n {n}</title>
<meta name="htmx-config" content='{{"includeIndicatorStyles": false, "allowEval": false, "selfRequestsOnly": true}}'>
<script src="/htmx.js" defer></script><script src="/yw.js" type="module"></script></head><body>
<header><input name="q" type="search" data-search><span data-live-state="polling" data-say-live="实时"
 data-say-polling="轮询" data-say-cut="已断开"><span>轮询</span></span><button data-theme-toggle>t</button></header>
<nav class="rail"><a href="/#tickets" data-key="t">工单</a></nav><dialog id="keys"><form method="dialog"><button>x</button></form></dialog>
<main><p id="stale" hidden data-say="{{n}} 秒"></p><h1>{where}</h1>
<form data-filters><select name="state"><option value="">-</option><option value="open"{open}>open</option></select>
<input type="search" name="q" value="{q}"></form>
<div id="part" data-live="{topics}" hx-get="/part">{part}</div>
</main></body></html>"""
PART = """<p id="count">{n}</p><details id="more"><summary>more</summary>text</details><ul data-rows>
<li data-href="/#1"><a href="/#1">eins</a></li><li data-href="/#2"><a href="/#2">zwei</a><button data-ack>受理</button></li></ul>
<form id="talk"><textarea name="words"></textarea><button id="send" type="button">send</button></form>
<button data-copy="SM3:abc" id="copy">copy</button><button data-copy="#count" id="copy2">copy</button>
<dialog id="inner"><form method="dialog"><button>x</button></form></dialog>"""


class Script:
    """What the server says; tests change it."""

    def __init__(self) -> None:
        self.n, self.topics, self.ids, self.beat = 0, "runs:7 desk", True, 30.0
        self.stream_status, self.part_status = 200, 200
        self.streams: list[queue.Queue[tuple[str, Any] | None]] = []
        self.parts: list[dict[str, str]] = []
        self.pages: list[str] = []

    def tell(self, name: str, **data: Any) -> None:
        for stream in self.streams:
            stream.put((name, data))

    def page(self, path: str, said: dict[str, str]) -> str:
        chosen, part = " selected" if said.get("state") else "", PART.format(n=self.n)
        return PAGE.format(n=self.n, where=path, topics=self.topics, part=part, q=said.get("q", ""), open=chosen)

    def hold(self, stream: queue.Queue[tuple[str, Any] | None], out: Any) -> None:
        """Write what a stream is told until it is told None or its client is gone."""
        self.streams.append(stream)
        try:
            while (said := stream.get()) is not None:
                out.write(f"event: {said[0]}\ndata: {json.dumps(said[1])}\n\n".encode())
        except OSError:
            pass
        finally:
            self.streams.remove(stream)

    def change(self, *topics: str) -> None:
        self.n += 1
        self.tell("change", topics=topics)


class Handler(BaseHTTPRequestHandler):
    script: Script

    def log_message(self, *_words: Any) -> None: ...

    def _send(self, body: str, kind: str = "text/html; charset=utf-8", status: int = 200, **more: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", "default-src 'self'")
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body.encode())

    def do_GET(self) -> None:
        path, _sep, query = self.path.partition("?")
        special = {"/events": self._stream, "/part": self._part}.get(path)
        if special is not None:
            special()
        elif path in FILES:
            self._send(FILES[path].read_text(), "text/javascript; charset=utf-8")
        elif path == "/":
            self.script.pages.append(self.path)
            said = {k: v for k, _s, v in (one.partition("=") for one in query.split("&"))}
            self._send(self.script.page(self.path, said))
        else:
            self._send("", status=404)

    def _part(self) -> None:
        self.script.parts.append(dict(self.headers.items()))
        mark = f"m{self.script.n}"
        if self.script.part_status != 200:
            self._send("", status=self.script.part_status)
        elif self.headers.get("YW-Seen") == mark:
            self.send_response(204)
            self.send_header("YW-Mark", mark)
            self.end_headers()
        else:
            self._send(PART.format(n=self.script.n), YW_Mark=mark)

    def _stream(self) -> None:
        if self.script.stream_status != 200:
            self._send("", status=self.script.stream_status)
            return
        mine: queue.Queue[tuple[str, Any] | None] = queue.Queue()
        mine.put(("hello", {"beat": self.script.beat, "ids": self.script.ids}))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.script.hold(mine, self.wfile)
        self.close_connection = True


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def site(script: Script) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Scripted", (Handler,), {"script": script}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    for stream in list(script.streams):
        stream.put(None)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, site: str, script: Script) -> Iterator[Page]:
    context = chromium.new_context()
    opened = context.new_page()
    opened.set_default_timeout(SOON)
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.goto(site)
    yield opened
    assert wrong == []
    context.close()


def says(page: Page, word: str) -> None:
    expect(page.locator("[data-live-state]")).to_have_text(word, timeout=SOON)


def counts(page: Page, n: int) -> None:
    expect(page.locator("#count")).to_have_text(str(n), timeout=SOON)


def settled(page: Page, script: Script) -> int:
    """How often the part was fetched, once nothing more comes."""
    page.wait_for_timeout(2500)
    return len(script.parts)


def test_only_what_a_part_follows_is_fetched_again(page, script):
    says(page, "实时")
    script.change("runs", "runs:8", "assets", "duties:x")
    assert settled(page, script) == 0
    for told in (("runs", "runs:7"), ("runs", "runs:*"), ("desk", "desk:T-1")):
        script.change(*told)
        counts(page, script.n)
    assert script.parts[-1]["YW-Live"] == "1"


def test_many_events_are_few_fetches(page, script):
    says(page, "实时")
    for _ in range(30):
        script.change("desk")
        page.wait_for_timeout(50)
    counts(page, 30)
    assert settled(page, script) <= 6


def test_who_is_told_rooms_only_follows_rooms(page, script):
    script.ids = False
    page.reload()
    says(page, "实时")
    script.change("runs")
    counts(page, 1)


def test_somebody_at_work_in_a_part_is_left_alone(page, script):
    says(page, "实时")
    words = page.locator("textarea")
    words.fill("尚未写完")
    script.change("desk")
    page.locator("h1").click()  # even when the cursor is elsewhere: what was typed is not thrown away
    assert settled(page, script) == 0
    expect(words).to_have_value("尚未写完")
    words.fill("")
    page.locator("h1").click()
    counts(page, 1)
    page.evaluate("document.querySelector('#inner').showModal()")
    script.change("desk")
    assert settled(page, script) == 1
    page.keyboard.press("Escape")
    counts(page, 2)
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#count'))")
    script.change("desk")
    assert settled(page, script) == 2
    page.evaluate("getSelection().removeAllRanges()")
    counts(page, 3)


def test_the_readers_place_outlives_a_swap(page, script):
    says(page, "实时")
    page.locator("#more summary").click()
    page.keyboard.press("j")
    page.keyboard.press("j")
    script.change("desk")
    counts(page, 1)
    assert page.evaluate("document.activeElement.dataset.href") == "/#2"
    assert page.evaluate("document.querySelector('#more').open")


def test_no_stream_is_polling_and_no_answer_is_cut_and_both_end_by_themselves(page, script):
    says(page, "实时")
    script.stream_status = 503
    script.tell("end")
    says(page, "轮询")
    script.n = 5
    counts(page, 5)
    script.part_status = 502
    says(page, "已断开")
    script.part_status = script.stream_status = 200
    says(page, "实时")


def test_a_stream_that_falls_silent_is_not_called_live(page, script):
    script.beat = 0.5
    page.reload()
    says(page, "实时")  # and then not one beat
    script.stream_status = 503
    says(page, "轮询")


def test_the_keyboard_walks_menu_rows_search_and_help(page, script):
    says(page, "实时")
    page.keyboard.press("/")
    expect(page.locator("[data-search]")).to_be_focused()
    page.keyboard.type("gt?j")
    expect(page.locator("[data-search]")).to_have_value("gt?j")
    page.locator("h1").click()
    for key, href in (("j", "/#1"), ("j", "/#2"), ("j", "/#2"), ("k", "/#1")):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.dataset.href") == href
    page.keyboard.press("Control+j")
    assert page.evaluate("document.activeElement.dataset.href") == "/#1"
    page.keyboard.press("Enter")
    expect(page).to_have_url(page.url.partition("#")[0] + "#1")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(page.locator("[data-ack]")).to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("t")
    assert page.evaluate("document.documentElement.dataset.theme") is None, "not while the help is open"
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("t")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page).to_have_url(page.url.partition("#")[0] + "#tickets")


def test_filters_are_the_address_and_the_cursor_stays(page, script, site):
    says(page, "实时")
    page.evaluate("window.kept = true")
    field = page.locator("form[data-filters] input")
    field.press_sequentially("abc")
    expect(page.locator("h1")).to_have_text("/?q=abc")
    expect(page).to_have_url(f"{site}/?q=abc")
    field.press_sequentially("d")
    expect(page).to_have_url(f"{site}/?q=abcd")
    expect(field).to_be_focused()
    page.locator("select").select_option("open")
    expect(page).to_have_url(f"{site}/?state=open&q=abcd")
    page.go_back()
    expect(page.locator("h1")).to_have_text("/?q=abcd")
    field.fill("")
    expect(page).to_have_url(f"{site}/?state=open" if page.locator("select").input_value() else f"{site}/")
    assert page.evaluate("window.kept"), "never reloaded"
    script.change("desk")
    counts(page, script.n)  # what was swapped in follows too


def test_copying_works_without_a_clipboard_too(page, script):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#copy").click()
    expect(page.locator("#copy")).to_have_class("done")
    assert page.evaluate("navigator.clipboard.readText()") == "SM3:abc"
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject() }")
    page.locator("#copy2").click()
    expect(page.locator("#copy2")).to_have_class("done")
    assert page.evaluate("navigator.clipboard.readText()") == "0"


def test_a_page_nobody_looks_at_keeps_no_stream_and_catches_up(page, script):
    says(page, "实时")
    hide = "v => { Object.defineProperty(document, 'hidden', {value: v, configurable: true}); document.dispatchEvent(new Event('visibilitychange')) }"
    page.evaluate(hide, True)
    deadline = 0
    while script.streams and deadline < 100:
        page.wait_for_timeout(200)
        script.tell("beat")  # a server notices that a client left when it writes
        deadline += 1
    assert script.streams == []
    script.n = 9
    assert settled(page, script) == 0
    page.evaluate(hide, False)
    counts(page, 9)
    says(page, "实时")
