"""A visitor of the pages at a fixed rate: every request has its moment, whether the ones before it were answered or not.

`python -m bench.load URL RATE PATH…` logs in, then reads lines: `go` starts asking, `stop` ends it and prints one line of
JSON with the seconds that each answer took. They count from the moment a request was due: a server that stalls is charged
for all who had to wait meanwhile, also for those who could not even ask.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import aiohttp

from bench import env
from bench.site import PASSWORD, USER, clean

TITLE = re.compile(rb"<title>([^<]*)</title>")
#: seconds after which an answer counts as that many
LONGEST_S = 30.0


class Load:
    """The process of the visitor, from the bench's side."""

    def __init__(self, url: str, rate: float, paths: Sequence[str]) -> None:
        command = [sys.executable, "-m", "bench.load", url, str(rate), *paths]
        self._process = subprocess.Popen(
            command, cwd=env.ROOT, env=clean(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        self._line()  # logged in, every page seen once

    def _line(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"the visitor ended with {self._process.wait(10)}")
        told: dict[str, Any] = json.loads(line)
        return told

    def _say(self, word: str) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(word + "\n")
            self._process.stdin.flush()

    def go(self) -> None:
        """Start asking."""
        self._say("go")

    def stop(self) -> dict[str, Any]:
        """Stop asking: {"took": seconds, "bad": what was no page}."""
        self._say("stop")
        return self._line()

    def end(self) -> None:
        """No more words: it ends by itself."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait(30)


async def _log_in(http: aiohttp.ClientSession, url: str) -> None:
    async with http.get(f"{url}/login") as page:
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', await page.text())
    if token is None:
        raise SystemExit("no login form")
    form = {"username": USER, "password": PASSWORD, "csrfmiddlewaretoken": token.group(1)}
    async with http.post(f"{url}/login", data=form, headers={"Referer": f"{url}/login"}) as page:
        if page.status != 200 or page.url.path == "/login":
            raise SystemExit(f"not let in: {page.status} {page.url.path}")


async def _one(http: aiohttp.ClientSession, address: str, due: float, took: list[float], bad: list[str]) -> None:
    """One page: it must be a whole page of ours, with status 200 and a title."""
    try:
        async with http.get(address, timeout=aiohttp.ClientTimeout(total=LONGEST_S), allow_redirects=False) as answer:
            body = await answer.read()
            if answer.status != 200 or not TITLE.search(body):
                bad.append(f"{answer.status} {address}")
    except (aiohttp.ClientError, TimeoutError) as error:
        bad.append(f"{type(error).__name__} {address}")
    took.append(time.perf_counter() - due)


async def _ask(http: aiohttp.ClientSession, url: str, rate: float, paths: Sequence[str], stop: asyncio.Event) -> Any:
    took: list[float] = []
    bad: list[str] = []
    open_now: set[asyncio.Task[None]] = set()
    start, number = time.perf_counter(), 0
    while not stop.is_set():
        due = start + number / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(_one(http, url + paths[number % len(paths)], due, took, bad))
        open_now.add(task)
        task.add_done_callback(open_now.discard)
        number += 1
    if open_now:
        await asyncio.wait(open_now)
    return {"took": took, "bad": bad[:5], "seconds": time.perf_counter() - start}


async def main(url: str, rate: float, paths: Sequence[str]) -> None:
    """Log in, warm up, then obey."""
    loop = asyncio.get_running_loop()
    connector = aiohttp.TCPConnector(limit=0)
    jar = aiohttp.CookieJar(unsafe=True)  # cookies of an address, not of a name
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as http:
        await _log_in(http, url)
        bad: list[str] = []
        for path in paths:
            await _one(http, url + path, 0.0, [], bad)
        if bad:
            raise SystemExit(f"no pages: {bad}")
        sys.stdout.write(json.dumps({"ready": True}) + "\n")
        sys.stdout.flush()
        stop, asking = asyncio.Event(), None
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            if line.strip() == "go":
                stop.clear()
                asking = asyncio.create_task(_ask(http, url, rate, paths, stop))
            elif asking is not None:
                stop.set()
                sys.stdout.write(json.dumps(await asking) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), sys.argv[3:]))
