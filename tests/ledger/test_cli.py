"""The commands about evidence: nobody's name stands in the ledger without its password, and 乙方 removes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.ledger.kit import NOW, fill
from typer.testing import CliRunner

from yunwei.accounts.models import Account, Organisation
from yunwei.accounts.services import AccountError
from yunwei.cli import common, evidence
from yunwei.cli.main import app
from yunwei.ledger.models import Artifact, Intake

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (common, evidence):
        monkeypatch.setattr(module, "open_instance", lambda: None)
        monkeypatch.setattr(module, "now", lambda: NOW)
    for name, role, party in (("client", "a_manager", "A"), ("vendor", "b_manager", "B")):
        unit = Organisation.objects.create(code=party, name=party, party=party)
        Account.objects.create(username=name, display_name=name, role=role, organisation=unit, password=f"pw-{name}")


def run(*args: object, stdin: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(app, ["evidence", *map(str, args)], input=stdin)
    if isinstance(result.exception, AccountError):
        raise result.exception
    return result.exit_code, result.output


def test_a_name_in_the_ledger_is_proved(people: None, tmp_path: Path) -> None:
    fill(3)
    with pytest.raises(AccountError):
        run("export", "--out", tmp_path / "b.zip", "--actor", "client", stdin="guess\n")
    assert not Intake.objects.filter(actor="client").exists()
    assert run("export", "--out", tmp_path / "b.zip", "--actor", "client", stdin="pw-client\n")[0] == 0
    assert Intake.objects.filter(actor="client").exists()
    assert run("export", "--out", tmp_path / "c.zip")[0] == 0


def test_only_the_client_has_evidence_removed(people: None) -> None:
    (artifact,) = fill(3)
    words = ("redact", artifact.commitment, "--reason", "个人信息")
    with pytest.raises(AccountError):
        run(*words, "--actor", "vendor", stdin="pw-vendor\n")
    assert run(*words)[0] == 2
    assert Artifact.objects.get(pk=artifact.pk).redacted_at is None
    assert run(*words, "--actor", "client", stdin="pw-client\n")[0] == 0
    assert Artifact.objects.get(pk=artifact.pk).redacted_at == NOW


def test_audit_says_what_differs_and_ends_with_a_finding(people: None) -> None:
    code, output = run("audit", "--json")
    told = json.loads(output)["differences"]
    assert code == 1  # the two accounts of this test were made without a record
    assert {d["subject"] for d in told} == {"client", "vendor"}
    Account.objects.all().delete()
    assert run("audit")[0] == 0
