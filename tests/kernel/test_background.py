"""Standing back: said to the kernel where it listens, and no reason to fail where it does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from yunwei.kernel import background


@pytest.fixture
def leads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A process that leads its session, and by how much it was made nicer."""
    told: list[int] = []
    monkeypatch.setattr(os, "nice", told.append)
    monkeypatch.setattr(os, "getsid", lambda _pid: os.getpid())
    return told


def test_who_leads_a_session_lets_it_stand_back_too(
    leads: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "AUTOGROUP", tmp_path / "autogroup")
    background.stand_back(7)
    assert (leads, (tmp_path / "autogroup").read_text()) == ([7], "7")


def test_a_session_of_somebody_else_is_left_alone(
    leads: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "AUTOGROUP", tmp_path / "autogroup")
    monkeypatch.setattr(os, "getsid", lambda _pid: 1)
    background.stand_back(7)
    assert leads == [7]
    assert not (tmp_path / "autogroup").exists()


def test_where_it_cannot_be_said_work_goes_on(
    leads: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "AUTOGROUP", tmp_path)  # a folder: neither missing nor forbidden
    background.stand_back(7)
    assert leads == [7]
