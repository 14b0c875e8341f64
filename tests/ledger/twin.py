"""verify.html in a real browser, as the client has it: opened from a file, the network off. For tests that hold the two
verifiers together. Debian's chromium; its absence fails.

In a thread of its own, because the driver keeps an event loop there and Django would take our tests for async code.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import Browser, Page, sync_playwright

from yunwei.ledger import verify

PAGE = Path(verify.__file__).with_name("verify.html")
CHROMIUM = "/usr/bin/chromium"
ARGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", "--no-first-run", "--disable-default-apps")  # fmt: skip
_T = TypeVar("_T")

#: The engine of the page, called as its own buttons call it, with files made of bytes.
CHECK = """
async ([bundle, fingerprint, heads, maxBytes]) => {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const file = ([name, text]) => new File([bytes(text)], name);
  const input = { fingerprint, heads: heads.map(file), maxBytes };
  if (bundle !== null) input.bundle = file(["b.zip", bundle]);
  const told = await yunwei.jobs.verify(input, () => {});
  const fill = (m) => typeof m === "object" ? m.t.replace(/\\{(\\d)\\}/g, (_, i) => fill(m.a[i])) : String(m);
  for (const f of told.findings) Object.assign(f, { place: fill(f.place), text: fill(f.text) });
  return told;
}
"""


class Twin:
    """One page that answers many questions."""

    def __init__(self) -> None:
        self.thread = ThreadPoolExecutor(1)
        self.wrong: list[str] = []
        self.page: Page = self.thread.submit(self._open).result()

    def _open(self) -> Page:
        self.driver = sync_playwright().start()
        self.browser: Browser = self.driver.chromium.launch(executable_path=CHROMIUM, args=list(ARGS))
        return self.new_page()

    def new_page(self, **options: Any) -> Page:
        """The page in a context of its own, offline; what it should not do is noted. Only for `do`."""
        context = self.browser.new_context(locale="zh-CN", **options)
        context.set_offline(True)
        page = context.new_page()
        page.on("console", lambda m: self.wrong.append(f"console: {m.text}"))
        page.on("pageerror", lambda e: self.wrong.append(f"error: {e}"))
        page.on(
            "request", lambda r: self.wrong.append(f"request: {r.url}") if r.url[:5] not in ("file:", "blob:") else None
        )
        page.goto(PAGE.as_uri())
        return page

    def do(self, what: Callable[[], _T]) -> _T:
        """Run something with the browser in its thread."""
        return self.thread.submit(what).result()

    def check(
        self,
        bundle: bytes | None,
        fingerprint: str,
        heads: Sequence[tuple[str, bytes]] = (),
        max_bytes: int = verify.MAX_BYTES,
    ) -> dict[str, Any]:
        """What the page's engine finds: ok, findings, facts, heads."""
        text = [(name, base64.b64encode(data).decode()) for name, data in heads]
        whole = None if bundle is None else base64.b64encode(bundle).decode()
        told: dict[str, Any] = self.do(lambda: self.page.evaluate(CHECK, [whole, fingerprint, text, max_bytes]))
        assert not self.wrong, self.wrong
        return told

    def close(self) -> None:
        """End the browser with the tests."""
        self.thread.submit(lambda: (self.browser.close(), self.driver.stop())).result(timeout=20)
        self.thread.shutdown()


@functools.cache
def twin() -> Twin:
    """The one browser of this process, opened when first asked for."""
    return Twin()
