"""The contract day from end to end: the command a new user types, then the client's own check of its evidence.

Everything is real but the equipment: processes, SQLite, the durable engine, protocols, signatures. What was broken in the
district must be found, what was made blind must be unproven for its own reason, and nothing else.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.server.test_instance import yunwei
from yunwei.lab import district

pytestmark = pytest.mark.component
CONTENT = {"fan_failed": "fan/", "port_errors": "port/", "psu_lost": "psu/", "disk_predicted": "disk/"}
BLIND = {"dead": "not_reached", "unauthorized": "auth", "identity_changed": "identity_changed", "frozen": "frozen"}


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("demo") / "demo"
    told = yunwei("demo", "--once", "--json", "--folder", folder, "--port", "0")
    assert told.returncode == 0, told.stderr[-3000:]
    return folder, json.loads(told.stdout)


def test_every_fault_that_was_set_is_found_and_no_other(day):
    _folder, told = day
    found = {(asset, component.split("/")[0] + "/") for asset, component, _k, _s in told["faults"]}
    of_devices = {pair for pair in found if not pair[0].startswith("HOST-")}  # hosts are this machine as it is
    wanted = {(asset, CONTENT[fault]) for asset, fault in district.FAULTS.items() if fault in CONTENT}
    assert of_devices == wanted


def test_every_blinded_device_is_unproven_for_its_own_reason_and_no_other(day):
    _folder, told = day
    wanted = {asset: BLIND[fault] for asset, fault in district.FAULTS.items() if fault in BLIND}
    wanted |= dict.fromkeys(district.UNCONFIRMED, "identity_unconfirmed")
    assert {asset: reason for asset, reason, _detail in told["inspection"]["unproven"]} == wanted


def test_faults_are_tickets_and_the_day_is_in_the_books(day):
    _folder, told = day
    components = {(asset, component) for asset, component, _kind, _severity in told["faults"]}
    assert told["tickets"]["fault"] == len(components)
    assert told["occurrences"]["kept"] >= 2
    assert told["occurrences"]["unproven"] >= 1, "a look with blind devices is not kept at 100 % coverage"
    assert told["demo"] is True


def test_the_client_checks_it_alone_and_finds_a_change(day, tmp_path: Path):
    folder, told = day
    handover = tmp_path / "handover"
    assert yunwei("evidence", "handover", handover, instance=folder).returncode == 0
    bundle = tmp_path / "day.zip"
    exported = yunwei(
        "evidence", "export", "--from", "1", "--to", str(told["ledger"]["entries"]), "--out", bundle, instance=folder
    )
    assert exported.returncode == 0, exported.stderr
    verify = [sys.executable, "-I", "-S", str(handover / "verify.py")]
    fingerprint = (handover / "key-fingerprint.txt").read_text().split()[0]
    check = [*verify, str(bundle), "--key-fingerprint", fingerprint]
    good = subprocess.run(check, capture_output=True, text=True, check=False, timeout=120)
    assert good.returncode == 0, good.stdout
    with sqlite3.connect(folder / "data" / "yunwei.sqlite3") as db:
        row = db.execute("SELECT id, body FROM ledger_intake WHERE kind = 'inspect.run.judged'").fetchone()
        db.execute(
            "UPDATE ledger_intake SET body = ? WHERE id = ?", (row[1].replace(b'"failed":', b'"fai1ed":'), row[0])
        )
    db.close()
    assert yunwei(
        "evidence", "export", "--from", "1", "--to", str(told["ledger"]["entries"]), "--out", bundle, instance=folder
    ).returncode in (0, 1)
    bad = subprocess.run(check, capture_output=True, text=True, check=False, timeout=120)
    assert bad.returncode == 1
    assert f"记录 {row[0]}" in bad.stdout, "the place is named"
