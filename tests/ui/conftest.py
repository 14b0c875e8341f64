"""An instance with the Qingpu contract and its people."""

from __future__ import annotations

import gettext
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils.translation import trans_real

from yunwei.accounts.models import Account, Organisation, Role

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"


@pytest.fixture
def contract(instance_folder: Path) -> None:
    """The instance's contract folder."""
    target = instance_folder / "contract"
    if not target.exists():
        shutil.copytree(CONTRACTS / "qingpu-2026", target)
    assert instance_folder == settings.INSTANCE


@pytest.fixture
def people(contract: None) -> dict[str, Account]:
    """One account of each business side and an officer; the password is the user name."""
    made: dict[str, Account] = {}
    for code, party in (("A", "A"), ("B", "B"), ("edu", "T"), ("health", "T")):
        Organisation.objects.create(code=code, name=f"单位{code}", party=party)
    for name, role, org in (
        ("a_manager", Role.A_MANAGER, "A"),
        ("b_manager", Role.B_MANAGER, "B"),
        ("b_engineer", Role.B_ENGINEER, "B"),
        ("tenant", Role.TENANT, "edu"),
        ("other", Role.TENANT, "health"),
        ("auditor", Role.AUDITOR, "A"),
    ):
        organisation = Organisation.objects.get(code=org)
        made[name] = Account.objects.create(
            username=name, display_name=name, role=role, organisation=organisation, password=name
        )
    return made


@pytest.fixture
def english() -> Iterator[None]:
    """The English catalogue as it stands in the sources, compiled (the .mo file is not kept)."""
    root = CONTRACTS.parent
    subprocess.run([sys.executable, str(root / "scripts" / "messages.py"), "--compile"], check=True)
    _forget()
    yield
    _forget()


def _forget() -> None:
    """Django and the standard library keep a catalogue once read; another test may have read an older one."""
    trans_real._translations.clear()
    gettext._translations.clear()
