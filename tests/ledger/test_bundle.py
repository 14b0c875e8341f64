"""Bundles: what holds is accepted, what was changed is named."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.ledger.kit import NOW, check, claim, fill, first, write

from yunwei.ledger import services

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
