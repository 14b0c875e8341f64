"""Who makes an account, who lets it in, and who changes a password; each as a command."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from typer.testing import CliRunner

from yunwei.accounts import services
from yunwei.accounts.backend import AccountBackend
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


def test_a_role_stands_on_its_own_side_and_a_name_is_one_person_s(people: dict[str, Account]) -> None:
    for role, side in (("a_manager", "B"), ("b_manager", "A"), ("tenant", "A"), ("assessor", "B"), ("a_superior", "A")):
        with pytest.raises(AccountError, match="角色"):
            make("new", role, side, "sysadmin")
    with pytest.raises(AccountError, match="没有角色"):
        make("new", "king", "A", "sysadmin")
    with pytest.raises(AccountError, match="已被使用"):
        make("a_manager", "a_manager", "A", "sysadmin")
    assert Account.objects.count() == len(people)


def test_nobody_wakes_an_account_but_a_live_security_officer_of_its_side(people: dict[str, Account]) -> None:
    ghost = make("ghost", "secadmin", "A", "sysadmin")
    officer = people["secadmin"]
    with pytest.raises(AccountError):
        services.activate(ghost, by=ghost, now=NOW)
    officer.is_active = False
    with pytest.raises(AccountError):
        services.activate(ghost, by=officer, now=NOW)
    officer.is_active = True
    services.activate(ghost, by=officer, now=NOW)
    assert ghost.is_active


def test_a_new_password_opens_a_locked_account(people: dict[str, Account]) -> None:
    account = people["a_manager"]
    Account.objects.filter(pk=account.pk).update(failed_logins=4, locked_until=NOW)
    account.refresh_from_db()
    services.set_password(account, "another-password", by="secadmin", now=NOW)
    account.refresh_from_db()
    assert (account.failed_logins, account.locked_until) == (0, None)
    assert account.password != "another-password"
    assert account.check_password("another-password")


def test_an_unknown_name_costs_as_much_as_a_wrong_password(
    people: dict[str, Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who answers faster tells which names exist: each try hashes once, whatever was wrong."""
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def counted(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return str(encode(self, password, salt))

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    backend = AccountBackend()
    for name in ("nobody", "a_manager"):
        assert backend.authenticate(None, username=name, password="wrong") is None
    assert hashed == ["wrong", "wrong"]


def test_a_closed_account_neither_enters_nor_stays(people: dict[str, Account]) -> None:
    account = people["a_manager"]
    services.set_password(account, "its-password", by="secadmin", now=NOW)
    backend = AccountBackend()
    assert backend.authenticate(None, username="a_manager", password="its-password") == account
    assert backend.get_user(account.pk) == account
    Account.objects.filter(pk=account.pk).update(is_active=False)
    assert backend.authenticate(None, username="a_manager", password="its-password") is None
    assert backend.get_user(account.pk) is None
