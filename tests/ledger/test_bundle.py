"""Bundles: what holds is accepted, what was changed is named."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from datetime import timedelta

import pytest
from tests.ledger.kit import NOW, VERIFY, check, claim, fill, first, write

from yunwei.ledger import bundle, keys, services

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("a", "b"), [(1, None), (1, 1), (5, 5), (8, 14), (9, 20), (30, 30), (15, 29)])
def test_every_range_of_an_honest_ledger_holds(tmp_path, a, b):
    fill(30)
    findings, facts = check(write(tmp_path / "b.zip", a, b))
    assert [str(f) for f in findings] == []
    assert facts["from"] == a
    assert facts["size"] == 30


def test_the_same_range_gives_the_same_bytes(tmp_path):
    fill(20)
    assert write(tmp_path / "a.zip", 3, 17).read_bytes() == write(tmp_path / "b.zip", 3, 17).read_bytes()


def test_more_than_one_window_of_nodes(tmp_path):
    for i in range(300):
        claim(i)
    services.sequence(NOW)
    claim(300)
    services.sequence(NOW + timedelta(hours=1))
    assert first(write(tmp_path / "b.zip", 130, 200)) is None


def test_who_watches_an_export_hears_how_far_it_is(tmp_path):
    fill(30)
    heard: list[tuple[int, int]] = []
    bundle.write(9, 20, tmp_path / "b.zip", lambda done, total: heard.append((done, total)))
    assert heard == [(12, 12)]


def test_the_verifier_counts_on_a_terminal_and_nowhere_else(tmp_path):
    """A bar in a pipe or a log is noise; on the client's terminal a year of records takes a while."""
    for i in range(1000):
        claim(i)
    services.sequence(NOW)
    path = str(write(tmp_path / "b.zip"))
    command = [sys.executable, "-I", str(VERIFY), "--key-fingerprint", keys.fingerprint(), path]
    assert subprocess.run(command, capture_output=True, check=True).stderr == b""
    ours, theirs = pty.openpty()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=theirs, check=True)
    os.close(theirs)
    assert "1000 / 1000" in os.read(ours, 1000).decode()
    os.close(ours)
