"""The shipped contract in an instance of its own, and short words for what tests of dealings do again and again."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.db import transaction

from tests.duties.conftest import People
from tests.duties.world import at
from yunwei.accounts import staff
from yunwei.accounts.models import Account
from yunwei.contract.folder import FILES
from yunwei.duties import books, consents
from yunwei.duties.models import Consent
from yunwei.duties.papers import File
from yunwei.ledger import keys
from yunwei.ledger import services as ledger

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
FILE = File("paper.pdf", b"%PDF signed", "application/pdf")
NOW = at("2026-10-12 09:00")


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, people: People) -> Path:
    """The contract folder of an instance that runs the shipped contract; its accounts are in the ledger."""
    (tmp_path / "contract").mkdir()
    for name in FILES:
        if (source := CONTRACTS / "qingpu-2026" / name).exists():
            shutil.copy(source, tmp_path / "contract")
    keys.create(tmp_path)
    monkeypatch.setattr(settings, "INSTANCE", tmp_path)
    monkeypatch.setattr(books, "_seen", {})
    with transaction.atomic():
        for account in Account.objects.all():
            data = {"role": account.role, "organisation": account.organisation.code, "party": account.party}
            ledger.record("accounts.account.created", account.username, data, at=NOW, actor="system:init")
    books.bring_up_to_date(NOW)
    return tmp_path / "contract"


def change(contract: Path, name: str, **values: object) -> None:
    """Change top-level values of a file of the folder."""
    path = contract / name
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text("utf-8")), **values}, allow_unicode=True), "utf-8")


def asked(
    people: People, obligation: str = "G2", subject: str = "P-1>P-2", start: str = "2026-10-13 09:00",
    end: str = "2026-10-16 18:00", now: datetime = NOW,
) -> Consent:  # fmt: skip
    """A consent that 乙方 asked for."""
    return consents.ask(
        obligation, subject=subject, what="为什么", starts=at(start), ends=at(end), by=people.vendor, now=now
    )


def granted(
    people: People, obligation: str = "G2", subject: str = "P-1>P-2", answered: str = "2026-10-12 15:00"
) -> Consent:
    """A consent that 甲方 granted."""
    row = asked(people, obligation, subject)
    return consents.answer(row.pk, grant=True, by=people.client, now=at(answered), file=FILE)


def team(people: People, *codes: str, key: str = "P-1") -> None:
    """People whom 乙方 entered and 甲方 confirmed."""
    for code in codes:
        staff.enter(code, f"演示人员{code}", "工程师", key_person=code == key, file=FILE, by=people.vendor, now=NOW)
        staff.confirm(code, accept=True, by=people.client, now=NOW)
