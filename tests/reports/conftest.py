"""One month, made once for all tests of this folder; each test's own writes are rolled back after it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction

from tests.reports import month as scene
from yunwei.accounts.models import Account
from yunwei.ledger import artifacts
from yunwei.reports import fonts, period

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"


@dataclass(frozen=True)
class World:
    """The month of the scene, twelve days long."""

    people: dict[str, Account]
    of: period.Period
    folder: Path


@pytest.fixture(scope="session")
def contract(instance_folder: Path) -> Path:
    """The instance's contract folder."""
    target = instance_folder / "contract"
    if not target.exists():
        shutil.copytree(CONTRACTS / "qingpu-2026", target)
    return instance_folder


@pytest.fixture(scope="package")
def month(contract: Path, django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """A month with everything in it."""
    with django_db_blocker.unblock():
        around = transaction.atomic()
        around._from_testcase = True  # type: ignore[attr-defined] - the sequencer's own transaction may stand inside it
        with around:
            people = scene.crew()
            scene.play(people, days=12, devices=12)
            yield World(people, period.parse("monthly", "2026-11", "Asia/Shanghai"), contract)
            transaction.set_rollback(True)


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance that is a demo."""
    monkeypatch.setattr(settings, "YUNWEI", {**settings.YUNWEI, "demo": True})


@pytest.fixture
def files_back() -> Iterator[None]:
    """Puts the artifact files back that a test had removed by law: the rows are rolled back, the disk is not."""
    there = {path: path.read_bytes() for path in artifacts.folder().glob("*/*")}
    yield
    for path, content in there.items():
        if not path.exists():
            path.write_bytes(content)


@pytest.fixture(scope="session")
def chosen() -> dict[str, fonts.Chosen]:
    """The faces of this machine."""
    return fonts.choose(fonts.faces(None))
