"""Who makes an account, who lets it in, and who changes a password; each as a command."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from yunwei.accounts import services
from yunwei.accounts.models import Account, Organisation
from yunwei.accounts.services import AccountError
from yunwei.cli import common
from yunwei.cli.main import app
from yunwei.kernel.errors import YunweiError
from yunwei.ledger.audit import audit
from yunwei.ledger.models import Intake

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> dict[str, Account]:
    """What `init` leaves: 乙方's system officer, 甲方's security officer, one manager of each side."""
    monkeypatch.setattr(common, "open_instance", lambda: None)
    monkeypatch.setattr(common, "now", lambda: NOW)
    for code in ("A", "B", "T"):
        Organisation.objects.create(code=code, name=code, party=code)
    roles = (("sysadmin", "B"), ("secadmin", "A"), ("a_manager", "A"), ("b_manager", "B"))
    return {role: make(role, role, side, "system:init") for role, side in roles}


def make(name: str, role: str, side: str, by: str) -> Account:
    return services.create_account(
        username=name, display_name=name, role=role, organisation=Organisation.objects.get(code=side),
        password="first-password", by=by, now=NOW,
    )  # fmt: skip


def run(*args: str, stdin: str) -> str:
    result = CliRunner().invoke(app, ["account", *args], input=stdin)
    if isinstance(result.exception, YunweiError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_an_account_of_the_other_side_sleeps_until_its_own_officer_wakes_it(people: dict[str, Account]) -> None:
    ghost = make("ghost", "a_manager", "A", "sysadmin")
    assert not ghost.is_active
    with pytest.raises(AccountError):  # cannot sign in
        common_sign_in("ghost")
    for by in (people["sysadmin"], people["a_manager"], people["b_manager"]):
        with pytest.raises(AccountError):
            services.activate(ghost, by=by, now=NOW)
    assert audit() == []
    run("activate", "ghost", "--by", "secadmin", stdin="first-password\n")
    assert Account.objects.get(username="ghost").is_active
    assert audit() == []
    with pytest.raises(AccountError):
        services.activate(Account.objects.get(username="ghost"), by=people["secadmin"], now=NOW)


def common_sign_in(name: str) -> None:
    run("password", name, stdin="first-password\nsecond-password\n")


def test_waking_an_account_in_the_table_is_named(people: dict[str, Account]) -> None:
    make("ghost", "a_manager", "A", "sysadmin")
    Account.objects.filter(username="ghost").update(is_active=True)
    assert [(d.subject, d.field) for d in audit()] == [("ghost", "active")]


def test_ones_own_side_and_departments_need_nobody_else(people: dict[str, Account]) -> None:
    assert make("engineer", "b_engineer", "B", "sysadmin").is_active
    assert make("tenant", "tenant", "T", "sysadmin").is_active


def test_a_password_is_changed_by_who_knows_it(people: dict[str, Account]) -> None:
    run("password", "a_manager", stdin="first-password\nsecond-password\n")
    assert Account.objects.get(username="a_manager").check_password("second-password")
    assert "second-password" not in str([bytes(i.body) for i in Intake.objects.all()])
    assert Intake.objects.filter(kind="accounts.password.changed", actor="a_manager").count() == 1
    for stdin in ("first-password\nthird-password\n", "second-password\nshort\n", "second-password\nsecond-password\n"):
        with pytest.raises(AccountError):
            run("password", "a_manager", stdin=stdin)
    assert Account.objects.get(username="a_manager").check_password("second-password")


@pytest.mark.parametrize("name", ["", "x" * 41, "a\nb", "system:duties", "collector:gov"])
def test_no_account_takes_the_name_of_the_software(people: dict[str, Account], name: str) -> None:
    """Actors in the ledger are told apart by their names alone."""
    with pytest.raises(AccountError):
        make(name, "b_engineer", "B", "sysadmin")
