"""The whole platform as it is run: idle, and over a sweep of 10,000 endpoints that is judged and stored."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.load import Load
from bench.mix import FARM_NICE, LATENCY_MS, Mix, mix
from bench.model import Claim, Figure, Row, RowFunction, Spread, at_most
from bench.site import Platform, site
from bench.watch import Watch, name_of, pss_mib, tree

IDLE_MIB, SWEEP_MIB, SWEEP_S = 350, 600, 60
#: what a sweep of any size waits for its last dead BMC and its start; the tenth of a sweep cannot wait a tenth of it
DEAD_S = 8
#: seconds a sweep of the register may take before the bench gives up
MOST_S = 1800.0
PATHS = ("/today", "/sweeps", "/findings", "/assets", "/evidence", "/occurrences", "/tickets")
RATE = 5.0  # pages a second: a third of what the web process gives on one busy core (45 ms each, measured at load 7)
PAGES_BOUND = (
    "The pages: the web process's own interpreter and the kernel's scheduler; workers stand back by 10, collectors by 15, the"
    f" farm by {FARM_NICE}, each with its whole session, and SQLite's readers wait for no writer. What nobody can stand back"
    " from is the other half of a core: two hyperthreads slow each other"
)


def idle(quick: bool) -> Row:
    """Idle memory of the whole embedded platform"""
    rest, times = (10, 2) if quick else (300, 10)
    with site() as platform, platform.serve() as pid:
        Load(platform.url, RATE, PATHS).end()  # somebody has looked at every page
        time.sleep(rest)
        looks, parts = [], {}
        for _look in range(times):
            processes = tree(pid)
            parts = {name: _of(processes, name) for name in dict.fromkeys(map(name_of, processes))}
            looks.append(sum(parts.values()))
            time.sleep(2)
    return Row(
        claims=(Claim("PSS of all processes of `yunwei serve`", at_most(IDLE_MIB, "MiB"), Spread.of(looks)),),
        figures=tuple(Figure(name, "PSS", Spread.of([mib]), "MiB") for name, mib in parts.items()),
        equal=f"{len(processes)} processes, all alive {rest} s after somebody had looked at {len(PATHS)} pages",
        bound=(
            "the interpreter with Django and the modules of all rooms, once for web and worker each: what they share of"
            " libraries is counted once; collectors are started by the first job and end a minute after the last"
        ),
    )


def _of(pids: list[int], name: str) -> float:
    return pss_mib(pid for pid in pids if name_of(pid) == name)


@dataclass
class Sweeps:
    """What the rounds gave."""

    wall: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    by_name: dict[str, list[float]] = field(default_factory=dict)
    farm: list[float] = field(default_factory=list)
    void: str = ""

    def add(self, told: dict[str, Any], watch: Watch) -> None:
        """One round."""
        self.wall.append(told["ended_at"] - told["started_at"])
        self.waited.append(told["started_at"] - told["submitted_at"])
        self.peak.append(watch.peak_mib)
        self.cpu.append(watch.cpu_s)
        for name, used in watch.by_name.items():
            self.by_name.setdefault(name, []).append(used)
        self.farm.append(watch.beside_s)


@dataclass
class Pages:
    """What a visitor met: the 99th percentile of a page in seconds, idle and beside a sweep, and what of it."""

    idle: list[float] = field(default_factory=list)
    storing: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    asked: int = 0

    def add(self, quiet: dict[str, Any], busy: dict[str, Any]) -> str:
        """One round; the first answer that was no page, or ""."""
        self.idle.append(p99(quiet["took"]))
        self.storing.append(p99(busy["took"]))
        self.ratios.append(self.storing[-1] / self.idle[-1])
        self.asked += len(busy["took"])
        return str((quiet["bad"] + busy["bad"] or [""])[0])


@contextmanager
def met(count: int) -> Iterator[tuple[Mix, Platform, int]]:
    """A platform that has met every device once and has the client's word for each; then some of them die."""
    with mix(count) as farm, site() as platform:
        platform.register(farm.farms)
        with platform.serve() as pid:
            platform.run("contact:bench:0:1", most_s=MOST_S)
            platform.hand.ask("confirm")
            farm.bury()
            yield farm, platform, pid


def swept(farm: Mix, platform: Platform, pid: int, turn: int, into: Sweeps) -> str:
    """One measured sweep, with other devices broken than in the one before; why it counts for nothing, or ""."""
    farm.break_others(turn)
    run = f"look:bench:{turn}:1"
    with Watch(pid, beside=farm.pids) as watch:
        told = platform.run(run, most_s=MOST_S)
    into.add(told, watch)
    proved = platform.proved(run)
    return farm.wrong(proved["devices"], proved["open"])


def sweep(quick: bool) -> Row:
    """Sweep of 10,000 endpoints (500 when quick), judged and stored in SQLite, and pages meanwhile"""
    count, times, rest = (500, 1, 8.0) if quick else (10_000, 3, 30.0)
    found, pages, beside = Sweeps(), Pages(), Sweeps()
    with met(count) as (farm, platform, pid):
        before = platform.hand.ask("sizes")
        for turn in range(1, times + 1):
            if why := swept(farm, platform, pid, turn, found):
                return Row(void=f"round {turn}: {why}")
        grown = _grown(before, platform.hand.ask("sizes"), count * times)
        visitor = Load(platform.url, RATE, PATHS)
        try:
            for turn in range(times + 1, 2 * times + 1):
                visitor.go()
                time.sleep(rest)
                quiet = visitor.stop()
                visitor.go()
                why = swept(farm, platform, pid, turn, beside)
                if why := pages.add(quiet, visitor.stop()) or why:
                    return Row(void=f"round {turn}, with a visitor: {why}")
        finally:
            visitor.end()
    return Row(
        claims=(
            Claim("wall of a sweep, from its start until it is judged", at_most(SWEEP_S * count / 10_000 + (DEAD_S if quick else 0), "s"), Spread.of(found.wall)),
            Claim("memory of the platform at its peak", at_most(SWEEP_MIB, "MiB"), Spread.of(found.peak)),
            Claim("p99 of a page, storing / idle", at_most(2), Spread.of(pages.ratios), "the same pages on the same platform, idle"),
        ),
        figures=(
            Figure("platform", "CPU of a sweep", Spread.of(found.cpu), "s"),
            *(Figure(f"of that {name}", "CPU of a sweep", Spread.of(used), "s") for name, used in found.by_name.items()),
            Figure("farm", "CPU of a sweep, on the same cores", Spread.of(found.farm), "s"),
            Figure("platform", "from submission to start", Spread.of(found.waited), "s"),
            *(Figure("storage", name, Spread.of([value]), "bytes") for name, value in grown.items()),
            Figure("idle", "p99 of a page", Spread.of(v * 1000 for v in pages.idle), "ms"),
            Figure("storing", "p99 of a page", Spread.of(v * 1000 for v in pages.storing), "ms"),
            Figure("platform", "wall of a sweep with a visitor beside it", Spread.of(beside.wall), "s"),
            Figure("platform", "memory with a visitor beside it", Spread.of(beside.peak), "MiB"),
        ),
        equal=(
            f"{count:,} devices told of in every round, {len(farm.broken)} with an injected fault and found with its very"
            f" findings, {len(farm.dead)} dead and unproven, all others passed; the findings of the round before closed;"
            f" {pages.asked:,} pages asked for meanwhile, every one answered 200 with its title"
        ),
        bound=f"{_bound(found, count)}. {PAGES_BOUND}",
        notes=(
            (f"half switches, a third of them with 65 ports; half BMCs without $expand over TLS; {LATENCY_MS:.0f} ms before every"
             " answer; other devices are broken in every round, the dead stay dead"),
            "memory is that of all processes of `yunwei serve` and their collectors",
            (f"the visitor, in rounds of its own: {RATE:.0f} pages a second at fixed moments ({' '.join(PATHS)}), whether or not"
             " those before were answered"),
        ),
    )  # fmt: skip


def _bound(found: Sweeps, count: int) -> str:
    """What the wall of a sweep is made of: cores, and what no core can shorten."""
    cores = len(os.sched_getaffinity(0))
    wall, cpu, farm = (statistics.median(each) for each in (found.wall, found.cpu, found.farm))
    return (
        f"the {cores} cores, busy {(cpu + farm) / (cores * wall):.0%} of the time: {cpu * 1000 / count:.1f} ms of the platform and"
        f" {farm * 1000 / count:.1f} ms of the farm for each device. With the farm elsewhere the same work needs"
        f" {cpu / cores:.0f} s. Of a BMC's share a TLS handshake is the largest piece, of a switch's decoding BER in Python;"
        f" no sweep with a dead BMC is shorter than the 6 s it is waited for"
    )


def _grown(before: dict[str, Any], after: dict[str, Any], looks: int) -> dict[str, float]:
    """Bytes a device and sweep, by where they are."""
    return {
        f"{name} per device and sweep": (after[key] - before[key]) / looks
        for name, key in (("database", "database"), ("artifacts", "artifacts"), ("engine", "engine"))
    }


def p99(took: list[float]) -> float:
    """The 99th percentile."""
    return statistics.quantiles(took, n=100, method="inclusive")[98]


ROWS: dict[str, RowFunction] = {"platform-idle": idle, "sweep": sweep}
