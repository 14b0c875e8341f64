"""A replayed span of the contract, end to end and in two goes: what broke was found, nothing happened twice, all of it
follows from the ledger, and the client's verifier agrees.

Everything is real but the equipment and the hurry: services, signatures, protocols over loopback, SQLite.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.server.test_instance import yunwei
from yunwei.cli import demo_between, demo_diary
from yunwei.cli.demo_replay import MORE, Score, Steps
from yunwei.cli.demo_stage import PEOPLE, contract_folder
from yunwei.contract.folder import load
from yunwei.lab import district, weather

SINCE, MIDDLE, UNTIL = date(2026, 2, 3), date(2026, 2, 7), date(2026, 2, 11)
MODELS = ("SW-ACC", "SW-NET", "SRV-D", "SRV-B", "STO-O", "UPS-A")
SEED = "tests-39"
FOUND = {"fan_failed": "fan", "psu_lost": "psu", "disk_predicted": "disk", "port_errors": "port"}
PLAY = """
import sys
from datetime import date
from pathlib import Path
from yunwei.cli import demo_replay as replay
from yunwei.lab import district
folder, until, seed, *models = sys.argv[1:]
score = replay.Score(date(2026, 2, 3), date.fromisoformat(until), seed, district.few(1, models), hosts=False)
replay.play(Path(folder), score, once=True, as_json=True, port=0)
"""


def play(folder: Path, until: date) -> dict[str, Any]:
    command = [sys.executable, "-c", PLAY, str(folder), until.isoformat(), SEED, *MODELS]
    env = {k: v for k, v in os.environ.items() if not k.startswith(("YUNWEI", "DJANGO"))}  # an instance of its own
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    assert SEED in done.stderr, "the seed is printed"
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("replay") / "demo"
    first = play(folder, MIDDLE)
    return folder, first, play(folder, UNTIL)


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(folder / "data" / "yunwei.sqlite3") as db:
        found = db.execute(sql).fetchall()
    db.close()
    return found


@pytest.mark.component
def test_every_day_was_looked_at_and_what_was_broken_at_midnight_is_found(year):
    folder, _first, _told = year
    spells = weather.weather(district.few(1, MODELS), SEED, SINCE, UNTIL)
    assert any(s.fault in FOUND for s in spells), "a seed under which something breaks"
    looked = {
        (run.split(":")[2], code): (verdict, json.loads(facts))
        for run, code, verdict, facts in rows(
            folder,
            "SELECT s.run_id, a.code, s.verdict, s.facts FROM inspect_devicesweep s JOIN assets_asset a ON a.id = s.asset_id "
            "WHERE s.run_id LIKE 'look:S1.1-remote:%:1'",
        )
    }
    days = [SINCE + timedelta(days=n) for n in range((UNTIL - SINCE).days + 1)]
    assert {day for day, _code in looked} == {f"{day}" for day in days}
    checked = 0
    for day in days[4:]:  # identities are agreed by then
        at = weather.moment(day, 0.01)
        for code in {code for _day, code in looked}:
            now = [s.fault for s in spells if s.code == code and s.at(at)]
            verdict, facts = looked[f"{day}", code]
            kinds = {fault["component"].split("/")[0] for fault in facts.get("faults", ())}
            assert kinds == {FOUND[f] for f in now if f in FOUND}, (day, code, now)
            assert (verdict == "fail") == bool(kinds)
            checked += bool(kinds)
    assert checked, "something was broken at some midnight"


@pytest.mark.component
def test_it_went_on_where_it_was_left_and_nothing_happened_twice(year):
    folder, first, told = year
    assert (first["day"], told["day"]) == (f"{MIDDLE}", f"{UNTIL}")
    assert told["replay"]["days"] == (UNTIL - MIDDLE).days + 1, "only what was missing was played, from the day left on"
    assert told["ledger"]["entries"] > first["ledger"]["entries"]
    for once in (
        "SELECT kind, at, COUNT(*) FROM duties_triggerevent WHERE kind IN ('contract_effective', 'plan_submitted') GROUP BY 1",
        "SELECT title, date(opened_at), COUNT(*) FROM desk_ticket WHERE channel != 'sweep' GROUP BY 1, 2",
        "SELECT occurrence_id, stated_at, COUNT(*) FROM duties_manualproof GROUP BY 1, 2",
        "SELECT note, version, COUNT(*) FROM contract_planversion GROUP BY 1",
    ):
        found = rows(folder, once)
        assert found
        assert {count for *_key, count in found} == {1}, once
    assert not rows(folder, "SELECT 1 FROM ledger_intake WHERE kind LIKE 'ledger.clock.%'"), "time never ran back"
    assert told["replay"]["refused"] == {}


@pytest.mark.component
def test_people_prove_answer_and_decide_by_the_ordinary_services(year):
    folder, _first, _told = year
    ((kept,),) = rows(folder, "SELECT COUNT(*) FROM duties_occurrence WHERE state = 'kept'")
    assert kept > 30
    proofs = dict(rows(folder, "SELECT confirmed, COUNT(*) FROM duties_manualproof GROUP BY 1"))
    assert proofs.get(1, 0) > 20
    assert rows(folder, "SELECT version, state FROM contract_planversion") == [(1, "approved")]
    assert not rows(
        folder,
        "SELECT 1 FROM duties_manualproof WHERE answered_by_id = stated_by_id OR answered_at < stated_at",
    )
    answered = rows(folder, "SELECT state FROM desk_ticket WHERE channel != 'sweep'")
    assert {"closed", "resolved"} & {state for (state,) in answered}


@pytest.mark.component
def test_its_rows_follow_from_the_ledger_and_the_client_can_check_it_alone(year, tmp_path: Path):
    folder, _first, told = year
    assert rows(folder, "SELECT body FROM ledger_intake WHERE kind = 'instance.created'")[0][0].find(b'"demo":true') > 0
    bodies = [json.loads(body) for (body,) in rows(folder, "SELECT body FROM ledger_head")]
    assert all(body["demo"] is True for body in bodies), "every head says 演示"
    audit = yunwei("evidence", "audit", "--json", instance=folder)
    assert audit.returncode == 0, audit.stdout + audit.stderr
    handover, bundle = tmp_path / "handover", tmp_path / "all.zip"
    assert yunwei("evidence", "handover", handover, instance=folder).returncode == 0
    span = ("--from", "1", "--to", str(told["ledger"]["entries"]))
    assert yunwei("evidence", "export", *span, "--out", bundle, instance=folder).returncode == 0
    fingerprint = (handover / "key-fingerprint.txt").read_text().split()[0]
    check = [sys.executable, "-I", "-S", str(handover / "verify.py"), str(bundle), "--key-fingerprint", fingerprint]
    good = subprocess.run(check, capture_output=True, text=True, check=False, timeout=200)
    assert good.returncode == 0, good.stdout


@pytest.mark.component
def test_the_instance_lives_on_at_the_day_it_was_played_to(year):
    folder, _first, told = year
    out = yunwei("duty", "list", "--json", instance=folder)
    assert out.returncode == 0, out.stderr
    settings = (folder / "yunwei.toml").read_text(encoding="utf-8")
    offset = int(settings.partition("offset_s = ")[2].split()[0])
    now = (datetime.now(UTC) + timedelta(seconds=offset)).astimezone(ZoneInfo("Asia/Shanghai"))
    assert now.date() == UNTIL
    assert told["day"] == f"{UNTIL}"


@pytest.mark.component
def test_another_play_is_not_mixed_into_a_folder(year):
    folder, _first, _told = year
    other = yunwei(
        "demo", "--since", "2026-02-04", "--until", "2026-02-13", "--once", "--folder", folder, "--port", "0"
    )
    assert other.returncode != 0
    assert "2026-02-03" in other.stderr


def test_the_clock_goes_forward_only():
    start = datetime(2026, 2, 3, 1, tzinfo=UTC)
    clock = Steps(start)
    assert clock.now() >= start
    later = clock.jump(start + timedelta(days=1))
    assert timedelta(0) <= later - (start + timedelta(days=1)) < timedelta(seconds=5)
    assert clock.jump(start) >= later
    assert abs(clock.now() - datetime.now(UTC) - timedelta(seconds=clock.ahead_s())) < timedelta(seconds=1)


def test_a_play_ends_now_or_in_the_evening_of_its_last_day():
    now = datetime(2026, 11, 25, 3, tzinfo=UTC)
    assert Score(SINCE).end(now) == now
    assert Score(SINCE, date(2026, 11, 25)).end(now) == now
    assert Score(SINCE, date(2027, 2, 28)).end(now) == weather.moment(date(2027, 2, 28), 18.5)


def test_the_diary_knows_its_contract_and_its_people():
    folder = load(contract_folder())
    kinds = {e.id: e for e in folder.event_details}
    people = {name: org for name, _shown, _role, org in (*PEOPLE, *MORE)}
    pages = demo_diary.pages("any", SINCE, date(2027, 2, 28))
    verbs = {
        "event",
        "ticket",
        "propose",
        "decide",
        "finding",
        "close_finding",
        "lay_down",
        "settle",
        "commit",
        "reveal",
        "confirm_price",
        "between",
    }
    assert verbs == {p.what for p in pages}
    items = {item.id for item in folder.open_items}
    duties = {o.id for o in folder.obligations}
    for page in pages:
        assert page.by in people
        if page.what == "event":
            side = "A" if page.by.startswith("a_") else "B"
            assert side in kinds[page.data["kind"]].by
        if page.what == "between":
            assert page.data["act"] in demo_between.ACTS
            assert page.data.get("duty") in {None, *duties}
        if page.what in ("lay_down", "settle"):
            assert page.data["item"] in items
    assert {*demo_diary.SERVICES.values(), *demo_diary.CRYPTO.values()} <= set(kinds)


def test_what_the_client_commits_to_is_what_it_pulls_and_later_reveals():
    pages = demo_diary.pages("any", SINCE, date(2027, 2, 28))
    committed = [p for p in pages if p.what == "commit"]
    pulled = [(s.code, s.start) for s in weather.PULLED]
    assert [
        (p.data["code"], weather.moment(date(2026, *p.data["pulled"][:2]), p.data["pulled"][2])) for p in committed
    ] == pulled
    assert [dict(p.data) for p in pages if p.what == "reveal"] == [dict(p.data) for p in committed]
    for page, spell in zip(committed, weather.PULLED, strict=True):
        assert page.at < spell.start


def test_a_longer_diary_begins_like_a_shorter_one():
    whole = demo_diary.pages("any", SINCE, date(2026, 11, 25))
    short = demo_diary.pages("any", SINCE, date(2026, 6, 17))
    assert short == whole[: len(short)]
    assert demo_diary.pages("another", SINCE, date(2026, 6, 17)) != short
