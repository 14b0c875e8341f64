"""`make chaos` in its short form: some crashes of a played day, and that the harness can fail at all."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from scripts.registry import Entry, Registry

import bench.rows
from chaos import __main__ as chaos_main
from chaos import state
from chaos.forks import child
from chaos.model import Ask, NotHere, Outcome
from chaos.points import Point, Points, begun, reached

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.component
@pytest.mark.parametrize(("scenario", "points"), [("every-point-sqlite", 5), ("every-point-postgres", 2)])
def test_some_crashes_of_a_day_change_nothing(scenario: str, points: int) -> None:
    seed = secrets.randbelow(1_000_000)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("YUNWEI", "DJANGO", "DATABASE_URL"))}
    command = [sys.executable, "-m", "chaos", "--seed", str(seed), "--points", str(points), scenario]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, f"seed {seed}\n{done.stdout[-6000:]}{done.stderr[-2000:]}"
    assert f"{points} crashes" in done.stdout


def survived(_ask: Ask) -> Outcome:
    """Survived"""
    return Outcome(count=3, unit="kills")


def lost(_ask: Ask) -> Outcome:
    """Lost"""
    return Outcome(count=3, unit="kills", failures=["kill 2: a ticket is gone"])


def idle(_ask: Ask) -> Outcome:
    """Broke nothing"""
    return Outcome()


def absent(_ask: Ask) -> Outcome:
    """Needs what is not here"""
    raise NotHere("no server")


def broken(_ask: Ask) -> Outcome:
    """Breaks off"""
    raise RuntimeError("no lab")


@pytest.mark.parametrize(
    ("scenario", "code", "word"),
    [
        (survived, 0, "survived: 3 kills"),
        (lost, 1, "a ticket is gone"),
        (idle, 1, "FAILED: 0"),
        (absent, 1, "no server"),
        (broken, 1, "no lab"),
    ],
)
def test_what_was_not_survived_or_not_done_ends_with_1(
    scenario, code: int, word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        Registry, "chosen", lambda _all, _names: [Entry("one", "One", survived), Entry("two", "Two", scenario)]
    )
    assert chaos_main.main(["--seed", "7"]) == code
    out = capsys.readouterr().out
    assert word in out
    assert "seed 7" in out


#: two scenarios that go on until they are told to end, each with a process of its own that has something to clean up
FOREVER = """
import os, sys, time
from pathlib import Path
from scripts.registry import Entry, Registry
from chaos import __main__ as chaos_main
from chaos.forks import child

place = Path(sys.argv[1])

def inner(name):
    try:
        (place / f"{name}.pid").write_text(str(os.getpid()))
        time.sleep(300)
    finally:
        (place / f"{name}.clean").touch()

def scenario(name):
    def act(ask):
        try:
            child(None, lambda: inner(name), patience=300)
        finally:
            (place / f"{name}.left").touch()
    return Entry(name, name, act)

Registry.chosen = lambda _all, _names: [scenario("one"), scenario("two"), scenario("three")]
sys.exit(chaos_main.main(["--seed", "7", "--jobs", "2"]))
"""


def test_what_ends_chaos_ends_everything_it_started(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", FOREVER, str(tmp_path)], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: len([p for p in tmp_path.glob("*.pid") if p.read_text()]) == 2, 60)
        process.terminate()
        assert process.wait(60) == 143
    finally:
        process.kill()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "one.clean", "one.left", "one.pid", "two.clean", "two.left", "two.pid",
    ]  # fmt: skip
    for file in tmp_path.glob("*.pid"):
        assert not Path(f"/proc/{file.read_text()}").exists()


def wait_for(true: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_scenarios_are_done_at_once_and_each_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meet(me: str, other: str) -> Callable[[Ask], Outcome]:
        def scenario(_ask: Ask) -> Outcome:
            (tmp_path / me).write_text(str(os.getpid()))
            wait_for((tmp_path / other).exists, 30)
            return Outcome(count=1)

        return scenario

    both = [Entry("a", "A", meet("a", "b")), Entry("b", "B", meet("b", "a"))]
    monkeypatch.setattr(Registry, "chosen", lambda _all, _names: both)
    assert chaos_main.main(["--seed", "7", "--jobs", "2"]) == 0
    assert len({os.getpid(), *(int((tmp_path / name).read_text()) for name in "ab")}) == 3


def test_a_name_is_itself_before_it_is_the_beginning_of_others() -> None:
    rows: Registry[Callable[[], None]] = Registry(bench.rows, "ROWS", "row")
    assert [row.name for row in rows.chosen(["sweep"])] == ["sweep"]
    assert {row.name for row in rows.chosen(["ledger"])} >= {"ledger-append", "ledger-verify"}


def test_an_unknown_scenario_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert chaos_main.main(["no-such-scenario"]) == 2
    assert "no-such-scenario" in capsys.readouterr().err


def test_every_scenario_has_a_name_and_a_title() -> None:
    found = chaos_main.SCENARIOS.entries()
    assert found
    for entry in found:
        assert entry.name == entry.name.lower()
        assert entry.title != entry.name


def test_a_child_dies_at_its_point_and_nowhere_else(tmp_path: Path) -> None:
    trace = tmp_path / "trace"

    def work() -> str:
        points = Points(trace, Point("before commit", 2))
        for label in ("before step look of r1", "before commit", "after commit", "before commit", "after commit"):
            points.reach(label)
        return "lived"

    ended = child(tmp_path / "log", work)
    assert ended.code == -signal.SIGKILL
    assert ended.killed
    assert [str(point) for point in reached(trace)][-1] == "before commit #2"
    assert begun(trace) == {("r1", "look")}


def test_a_child_that_hangs_or_raises_is_told(tmp_path: Path) -> None:
    hung = child(tmp_path / "log", lambda: time.sleep(60), patience=0.2)
    assert "hung" in hung.problem
    assert Path(__file__).name in hung.problem  # and where
    raised = child(tmp_path / "log", lambda: 1 / 0)
    assert raised.code == 3
    assert "ZeroDivisionError" in raised.problem
    assert child(tmp_path / "log", lambda: {"n": 1}).value == {"n": 1}


def test_twice_and_lost_show_and_moments_and_row_numbers_do_not() -> None:
    def rows(*said: list[object]) -> dict[str, dict[str, int]]:
        return {"records": state.counted(said)}

    once = rows(["ticket", "event:17", {"at": "2026-06-30T09:00:00+08:00", "proof": 4}, "a" * 64])
    again = rows(["ticket", "event:19", {"at": "2026-07-01T10:11:12.5+08:00", "proof": 9}, "b" * 64])
    assert state.differences(once, again) == []
    twice = rows(["ticket", "event:17", {"proof": 4}], ["ticket", "event:17", {"proof": 4}])
    assert "2 instead of 1" in state.differences(rows(["ticket", "event:17", {"proof": 4}]), twice)[0]
    assert "0 instead of 1" in state.differences(once, rows())[0]


def test_a_record_is_compared_by_what_it_is_about_and_not_by_its_number() -> None:
    def line(number: int, records: dict[int, str]) -> dict[str, dict[str, int]]:
        return {"sheets": state.counted([["2026-06", {"lines": [{"evidence": number}]}]], None, records)}

    first = line(4, {4: "inspect.run.judged run:a", 5: "inspect.run.judged run:b"})
    assert state.differences(first, line(5, {4: "inspect.run.judged run:b", 5: "inspect.run.judged run:a"})) == []
    assert len(state.differences(first, line(5, {5: "inspect.run.judged run:b"}))) == 2


def test_of_a_long_row_the_place_is_told_at_which_it_differs() -> None:
    rows = [{"sheets": state.counted([["x" * 900 + end]])} for end in ("kept", "lost")]
    assert any("lost" in told for told in state.differences(*rows))
