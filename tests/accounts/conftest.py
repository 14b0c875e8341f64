"""People of both sides, officers included, and a machine clock that the test holds."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from yunwei.accounts import services, wall
from yunwei.accounts.models import Account, Organisation
from yunwei.cli import common

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
NOW = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
FIRST = "First-password-1"
ROLES = (
    ("sysadmin", "sysadmin", "B"),
    ("secadmin", "secadmin", "A"),
    ("b_secadmin", "secadmin", "B"),
    ("auditor", "auditor", "A"),
    ("a_manager", "a_manager", "A"),
    ("b_manager", "b_manager", "B"),
    ("tenant", "tenant", "T"),
)


@pytest.fixture
def contract(instance_folder: Path) -> None:
    """The instance's contract folder: pages name the contract."""
    target = instance_folder / "contract"
    if not target.exists():
        shutil.copytree(CONTRACTS / "qingpu-2026", target)


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch, contract: None, settings: Any) -> dict[str, Account]:
    """What `init` leaves, and some more; the first passwords are changed already. The instance's clock is at NOW."""
    settings.YUNWEI = {"clock": {"offset_s": (NOW - datetime.now(UTC)).total_seconds()}}
    monkeypatch.setattr(common, "open_instance", lambda: None)
    monkeypatch.setattr(common, "now", lambda: NOW)
    for code in ("A", "B", "T"):
        Organisation.objects.create(code=code, name=f"单位{code}", party=code)
    made = {name: make(name, role, side, "system:init", FIRST) for name, role, side in ROLES}
    Account.objects.update(must_change=False)
    for account in made.values():
        account.must_change = False
    return made


def make(name: str, role: str, side: str, by: str, password: str = "", person: str = "") -> Account:
    """An account, by the service."""
    return services.create_account(
        username=name, display_name=name, role=role, organisation=Organisation.objects.get(code=side), by=by,
        password=password, person=person, now=NOW,
    )  # fmt: skip


class Wall:
    """The machine's clock in the test's hand."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.at

    def on(self, **by: float) -> None:
        """Let time pass."""
        self.at += timedelta(**by)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Wall:
    """Sessions, locks and codes go by this clock."""
    held = Wall()
    monkeypatch.setattr(wall, "now", held)
    return held
