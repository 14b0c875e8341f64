"""What the web process does a second, beside gunicorn where that is installed, and what forty open streams cost the pages.

    python tests/server/measure_web.py INSTANCE [ROUNDS]     (an instance of `yunwei demo --once`)

Loopback, 16 connections kept alive, servers and pages in turns within every round, so that a noisy machine is noisy to
all of them; figures are ratios to the first server. Not a test: nothing is asserted (docs/adr/0009 has the figures).
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

PATHS = ("/static/django_htmx/htmx-2.min.js", "/api/docs", "/evidence", "/today/body")
CLIENTS, SECONDS, STREAMS = 16, 2.0, 40
PEOPLE = ("b_engineer", "b_manager", "a_manager", "auditor", "tenant")  # one account has at most eight streams
COOKIES = f"""
from yunwei.server import instance; instance.setup()
from django.test import Client
from yunwei.accounts.models import Account
for name in {PEOPLE}:
    c = Client(); c.force_login(Account.objects.get(username=name))
    print(';'.join(m.key + '=' + m.value for m in c.cookies.values()))
"""


async def _client(port: int, head: bytes, end: float, took: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < end:
        begun = time.perf_counter()
        writer.write(head)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not answer.startswith(b"http/1.1 200"):
            raise SystemExit(answer.decode())
        if length := re.search(rb"content-length: (\d+)", answer):
            await reader.readexactly(int(length[1]))
        else:
            while size := int(await reader.readline(), 16):
                await reader.readexactly(size + 2)
            await reader.readline()
        took.append(time.perf_counter() - begun)
        if b"connection: close" in answer:
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


async def load(port: int, path: str, cookie: str, seconds: float) -> tuple[float, float]:
    """Requests a second and the median time of one, in ms."""
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n".encode()
    took: list[float] = []
    end = time.perf_counter() + seconds
    await asyncio.gather(*(_client(port, head, end, took) for _ in range(CLIENTS)))
    return len(took) / seconds, statistics.median(took) * 1e3


async def streams(port: int, cookies: list[str]) -> list[asyncio.StreamWriter]:
    """Open forty streams and leave them open."""
    opened = []
    for i in range(STREAMS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies[i % len(cookies)]}\r\n\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(answer.decode())
        opened.append(writer)
    return opened


def start(kind: str, folder: Path, port: int) -> subprocess.Popen[bytes]:
    """A server on the same data with a port of its own."""
    own = Path(tempfile.mkdtemp(prefix="yunwei-web-"))
    for part in folder.iterdir():
        if part.name != "yunwei.toml":
            (own / part.name).symlink_to(part)
    (own / "yunwei.toml").write_text(re.sub(r"port = \d+", f"port = {port}", (folder / "yunwei.toml").read_text()))
    words = ["yunwei.server.web"]
    if kind == "gunicorn":
        words = ["gunicorn", "yunwei.server.wsgi:application", "--worker-class", "gthread", "--threads", "4"]
        words += ["-b", f"127.0.0.1:{port}", "--log-level", "error"]
    env = os.environ | {"YUNWEI_INSTANCE": str(own)}
    process = subprocess.Popen([sys.executable, "-m", *words], env=env, stderr=subprocess.DEVNULL)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if process.poll() is not None:
                raise SystemExit(f"{kind} did not start") from None
            time.sleep(0.2)
        else:
            return process


def memory(pid: int) -> float:
    """MB that a process and its children hold."""
    total = 0.0
    for one in [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]:
        total += int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{one}/status").read_text())[1]) / 1024  # type: ignore[index]
    return total


def main() -> None:
    folder, rounds = Path(sys.argv[1]).resolve(), int((sys.argv[2:] or ["5"])[0])
    env = os.environ | {"YUNWEI_INSTANCE": str(folder)}
    cookies = subprocess.check_output([sys.executable, "-c", COOKIES], env=env, text=True).split()
    kinds = ["web", f"web, {STREAMS} streams", *(["gunicorn"] if importlib.util.find_spec("gunicorn") else [])]
    running = {kind: (8690 + i, start(kind, folder, 8690 + i)) for i, kind in enumerate(kinds)}
    try:
        found = asyncio.run(measure(running, cookies, rounds))
    finally:
        for _port, process in running.values():
            process.terminate()
            process.wait()
    for path, by_kind in found.items():
        base = [rate for rate, _ms in by_kind[kinds[0]]]
        for kind, runs in by_kind.items():
            ratio = sorted(rate / first for (rate, _ms), first in zip(runs, base, strict=True))
            middle = statistics.median
            sys.stdout.write(
                f"{path:38} {kind:16} ratio {ratio[0]:.2f} / {middle(ratio):.2f} / {ratio[-1]:.2f}"
                f"  {middle(rate for rate, _ms in runs):6.0f}/s  p50 {middle(ms for _rate, ms in runs):6.1f} ms\n"
            )


Running = dict[str, tuple[int, subprocess.Popen[bytes]]]


async def measure(running: Running, cookies: list[str], rounds: int) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """All rounds, then what the servers hold and how long the one with streams takes to stop."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for port, _process in running.values():
        for path in PATHS:
            await load(port, path, cookies[0], 1.0)
    streaming_port, streaming = running[f"web, {STREAMS} streams"]
    kept = await streams(streaming_port, cookies)
    for _ in range(rounds):
        for path in PATHS:
            for kind, (port, _process) in running.items():
                found[path][kind].append(await load(port, path, cookies[0], SECONDS))
    for kind, (_port, process) in running.items():
        sys.stdout.write(f"{kind}: {memory(process.pid):.0f} MB\n")
    begun = time.perf_counter()
    streaming.send_signal(signal.SIGTERM)
    await asyncio.to_thread(streaming.wait)
    sys.stdout.write(f"stop with {len(kept)} open streams: {time.perf_counter() - begun:.2f} s\n")
    return found


if __name__ == "__main__":
    main()
