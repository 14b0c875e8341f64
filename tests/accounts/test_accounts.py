"""Who makes an account, who lets it in, who gives it a role and a password; each as a service and as a command."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import IntegrityError
from django.urls import get_resolver
from typer.testing import CliRunner

from tests.accounts.conftest import FIRST, NOW, make
from yunwei.accounts import passwords, services, throttle
from yunwei.accounts.backend import AccountBackend
from yunwei.accounts.errors import AccountError
from yunwei.accounts.models import Account, Organisation, Role, Tries
from yunwei.cli.main import app
from yunwei.kernel.errors import YunweiError
from yunwei.ledger.audit import audit
from yunwei.ledger.models import Intake

pytestmark = pytest.mark.django_db
People = dict[str, Account]


def run(*args: str, stdin: str) -> str:
    result = CliRunner().invoke(app, ["account", *args], input=stdin)
    if isinstance(result.exception, YunweiError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def kinds() -> list[str]:
    return list(Intake.objects.order_by("pk").values_list("kind", flat=True))


def test_what_an_officer_makes_sleeps_and_has_no_password(people: People) -> None:
    for name, role, side in (("ghost", "a_manager", "A"), ("engineer", "b_engineer", "B"), ("other", "tenant", "T")):
        account = make(name, role, side, "sysadmin")
        assert not account.is_active
        assert not account.has_usable_password()
    assert audit() == []


def test_only_the_system_officer_makes_accounts(people: People) -> None:
    for by in ("secadmin", "auditor", "a_manager", "b_manager", "tenant"):
        with pytest.raises(AccountError, match="只有系统管理员"):
            make("ghost", "b_engineer", "B", by)


def test_an_account_of_the_other_side_sleeps_until_its_own_officer_wakes_it(people: People) -> None:
    ghost = make("ghost", "a_manager", "A", "sysadmin")
    for by in (people["sysadmin"], people["a_manager"], people["b_manager"], people["b_secadmin"], people["auditor"]):
        with pytest.raises(AccountError):
            services.activate(ghost, by=by, now=NOW)
    told = run("activate", "ghost", "--by", "secadmin", stdin=FIRST + "\n")
    ghost.refresh_from_db()
    first = told.strip().rpartition("：")[2]
    assert ghost.is_active
    assert ghost.check_password(first)
    assert ghost.must_change
    assert audit() == []
    with pytest.raises(AccountError, match="已经启用"):
        services.activate(ghost, by=people["secadmin"], now=NOW)
    assert first not in str([bytes(i.body) for i in Intake.objects.all()])


def test_nobody_wakes_what_the_same_person_made_or_is(people: People) -> None:
    officer = people["secadmin"]
    ghost = make("ghost", "secadmin", "A", "sysadmin")
    with pytest.raises(AccountError):
        services.activate(ghost, by=ghost, now=NOW)
    Account.objects.filter(pk=ghost.pk).update(made_by="secadmin")
    ghost.refresh_from_db()
    with pytest.raises(AccountError):
        services.activate(ghost, by=officer, now=NOW)
    Account.objects.filter(pk=ghost.pk).update(made_by="sysadmin")
    ghost.refresh_from_db()
    officer.is_active = False
    with pytest.raises(AccountError):
        services.activate(ghost, by=officer, now=NOW)
    officer.is_active = True
    services.activate(ghost, by=officer, now=NOW)
    assert ghost.is_active


def test_the_graded_party_has_no_hand_on_other_sides_accounts(people: People) -> None:
    tenant = make("other", "tenant", "T", "sysadmin")
    with pytest.raises(AccountError):
        services.activate(tenant, by=people["b_secadmin"], now=NOW)
    for name in ("a_manager", "tenant", "auditor"):
        with pytest.raises(AccountError):
            services.put_to_sleep(people[name], by=people["b_secadmin"], now=NOW)
        with pytest.raises(AccountError):
            services.new_password(people[name], by=people["sysadmin"], now=NOW)
    assert services.activate(tenant, by=people["secadmin"], now=NOW)


def test_neither_party_ever_holds_a_password_of_the_other(people: People) -> None:
    engineer = make("engineer", "b_engineer", "B", "sysadmin")
    assert services.activate(engineer, by=people["secadmin"], now=NOW) == "", "甲方 may wake it, and is told nothing"
    with pytest.raises(AccountError, match="不归您发放"):
        services.new_password(engineer, by=people["secadmin"], now=NOW)
    first = services.new_password(engineer, by=people["sysadmin"], now=NOW)
    assert engineer.check_password(first)
    assert kinds()[-1] == "accounts.password.given"
    services.new_password(engineer, by=people["b_secadmin"], now=NOW)
    assert kinds()[-1] == "accounts.password.reset"
    for by in ("b_manager", "auditor", "engineer"):
        with pytest.raises(AccountError):
            services.new_password(engineer, by=Account.objects.get(username=by), now=NOW)
    assert audit() == []


def test_a_sleeping_account_gets_no_password(people: People) -> None:
    engineer = make("engineer", "b_engineer", "B", "sysadmin")
    with pytest.raises(AccountError, match="没有启用"):
        services.new_password(engineer, by=people["sysadmin"], now=NOW)


def test_who_is_put_to_sleep_is_out_and_may_be_woken_again(people: People) -> None:
    services.put_to_sleep(people["b_manager"], by=people["secadmin"], now=NOW)
    assert AccountBackend().get_user(people["b_manager"].pk) is None
    assert audit() == []
    with pytest.raises(AccountError, match="没有启用"):
        services.put_to_sleep(people["b_manager"], by=people["secadmin"], now=NOW)
    with pytest.raises(AccountError):
        services.put_to_sleep(people["secadmin"], by=people["secadmin"], now=NOW)
    assert services.activate(people["b_manager"], by=people["secadmin"], now=NOW) == "", "it still has its password"
    assert people["b_manager"].check_password(FIRST)
    assert audit() == []


def test_a_role_changes_within_its_side_and_never_to_or_from_an_officer(people: People) -> None:
    manager = people["b_manager"]
    services.change_role(manager, "b_desk", by=people["secadmin"], now=NOW)
    assert Account.objects.get(username="b_manager").role == Role.B_DESK
    assert audit() == []
    for role in ("sysadmin", "secadmin", "auditor"):
        with pytest.raises(AccountError, match="三员"):
            services.change_role(manager, role, by=people["secadmin"], now=NOW)
    with pytest.raises(AccountError, match="三员"):
        services.change_role(people["sysadmin"], "b_manager", by=people["secadmin"], now=NOW)
    with pytest.raises(AccountError, match="角色"):
        services.change_role(manager, "a_manager", by=people["secadmin"], now=NOW)
    with pytest.raises(AccountError, match="已经是"):
        services.change_role(manager, "b_desk", by=people["secadmin"], now=NOW)
    for by in ("sysadmin", "auditor", "a_manager", "b_manager"):
        with pytest.raises(AccountError, match="不归您管理"):
            services.change_role(manager, "b_manager", by=people[by], now=NOW)


def test_one_person_has_one_account_and_is_never_two_officers(people: People) -> None:
    make("officer", "sysadmin", "B", "sysadmin", person="1001")
    with pytest.raises(AccountError, match="1001"):
        make("officer2", "auditor", "B", "sysadmin", person="1001")
    assert make("elsewhere", "a_manager", "A", "sysadmin", person="1001").person == "1001", "another unit's number"
    with pytest.raises(IntegrityError):
        Account.objects.create(
            username="forced", display_name="x", role="auditor", organisation=Organisation.objects.get(code="B"),
            person="1001", password=None,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"is_active": True}, "active"),
        ({"role": "b_manager"}, "role"),
        ({"made_by": "secadmin"}, "made_by"),
        ({"password_changed_at": NOW - timedelta(days=1)}, "password_changed_at"),
    ],
)
def test_what_was_changed_in_the_table_alone_is_named(people: People, change: dict[str, object], field: str) -> None:
    make("ghost", "b_engineer", "B", "sysadmin")
    Account.objects.filter(username="ghost").update(**change)
    assert [(d.subject, d.field) for d in audit()] == [("ghost", field)]


def test_a_waking_that_nobody_could_do_counts_for_nothing(people: People) -> None:
    """A record written by hand, in the name of who may not: the audit goes by who says it."""
    from django.db import transaction

    from yunwei.ledger import services as ledger

    make("ghost", "b_engineer", "B", "sysadmin")
    Account.objects.filter(username="ghost").update(is_active=True)
    for actor in ("sysadmin", "b_manager", "ghost"):
        with transaction.atomic():
            ledger.record("accounts.account.activated", "ghost", {}, at=NOW, actor=actor)
        assert [(d.subject, d.field) for d in audit()] == [("ghost", "active")], actor
    with transaction.atomic():
        ledger.record("accounts.account.activated", "ghost", {}, at=NOW, actor="secadmin")
    assert audit() == []


def test_a_password_is_changed_by_who_knows_it(people: People) -> None:
    run("password", "a_manager", stdin=f"{FIRST}\nSecond-password-2\n")
    assert Account.objects.get(username="a_manager").check_password("Second-password-2")
    assert "Second-password" not in str([bytes(i.body) for i in Intake.objects.all()])
    assert Intake.objects.filter(kind="accounts.password.changed", actor="a_manager").count() == 1
    good = "Second-password-2"
    for stdin in (f"{FIRST}\nThird-password-3\n", f"{good}\nshort\n", f"{good}\n{good}\n", f"{good}\n{FIRST}\n"):
        with pytest.raises(AccountError):
            run("password", "a_manager", stdin=stdin)
    assert Account.objects.get(username="a_manager").check_password(good)


def test_nobody_acts_with_a_password_that_somebody_else_chose(people: People) -> None:
    Account.objects.filter(username="secadmin").update(must_change=True)
    make("ghost", "b_engineer", "B", "sysadmin")
    with pytest.raises(AccountError, match="先更改口令"):
        run("activate", "ghost", "--by", "secadmin", stdin=FIRST + "\n")
    run("password", "secadmin", stdin=f"{FIRST}\nSecond-password-2\n")
    run("activate", "ghost", "--by", "secadmin", stdin="Second-password-2\n")


def test_commands_count_wrong_passwords_like_the_login_page(people: People) -> None:
    for _n in range(5):
        with pytest.raises(AccountError):
            run("activate", "x", "--by", "secadmin", stdin="wrong\n")
    with pytest.raises(AccountError, match="锁定"):
        run("activate", "x", "--by", "secadmin", stdin=FIRST + "\n")
    assert "accounts.locked" in kinds()


def test_a_command_asks_for_the_code_too(people: People) -> None:
    import pyotp

    from yunwei.accounts import totp, wall

    seed = totp.propose(people["secadmin"])
    at = wall.now()
    totp.confirm(people["secadmin"], pyotp.TOTP(seed).at(at), wall=at, now=NOW)
    make("ghost", "b_engineer", "B", "sysadmin")
    with pytest.raises(AccountError):
        run("activate", "ghost", "--by", "secadmin", stdin=FIRST + "\n")
    with pytest.raises(AccountError):
        run("activate", "ghost", "--by", "secadmin", stdin=FIRST + "\n000000\n")
    later = pyotp.TOTP(seed).at(at + timedelta(seconds=30))
    run("activate", "ghost", "--by", "secadmin", stdin=f"{FIRST}\n{later}\n")


def test_commands_of_the_officers(people: People) -> None:
    said = run("add", "li", "--name", "李", "--role", "b_engineer", "--organisation", "B", "--person", "77", "--by", "sysadmin",
               stdin=FIRST + "\n")  # fmt: skip
    assert "等待安全管理员启用" in said
    run("activate", "li", "--by", "secadmin", stdin=FIRST + "\n")
    assert "口令" in run("new-password", "li", "--by", "sysadmin", stdin=FIRST + "\n")
    run("role", "li", "b_desk", "--by", "secadmin", stdin=FIRST + "\n")
    charge_until_locked("li")
    run("unlock", "li", "--by", "secadmin", stdin=FIRST + "\n")
    with pytest.raises(AccountError, match="没有被锁定"):
        run("unlock", "li", "--by", "secadmin", stdin=FIRST + "\n")
    with pytest.raises(AccountError, match="没有绑定"):
        run("totp-reset", "li", "--by", "secadmin", stdin=FIRST + "\n")
    run("sleep", "li", "--by", "secadmin", stdin=FIRST + "\n")
    assert "李" in run("list", stdin="")
    assert audit() == []


def charge_until_locked(name: str) -> None:
    from yunwei.accounts import wall
    from yunwei.accounts.policy import policy

    for _n in range(5):
        throttle.charge(name, "", policy(), wall.now())
    assert Tries.objects.get().until


@pytest.mark.parametrize("name", ["", "x" * 41, "a\nb", "system:duties", "collector:gov"])
def test_no_account_takes_the_name_of_the_software(people: People, name: str) -> None:
    """Actors in the ledger are told apart by their names alone."""
    with pytest.raises(AccountError):
        make(name, "b_engineer", "B", "sysadmin")


def test_a_role_stands_on_its_own_side_and_a_name_is_one_person_s(people: People) -> None:
    for role, side in (("a_manager", "B"), ("b_manager", "A"), ("tenant", "A"), ("assessor", "B"), ("a_superior", "A")):
        with pytest.raises(AccountError, match="角色"):
            make("new", role, side, "sysadmin")
    with pytest.raises(AccountError, match="没有角色"):
        make("new", "king", "A", "sysadmin")
    with pytest.raises(AccountError, match="已被使用"):
        make("a_manager", "a_manager", "A", "sysadmin")
    assert Account.objects.count() == len(people)


def test_a_new_password_opens_a_locked_account_and_is_changed_first(people: People) -> None:
    charge_until_locked("tenant")
    made = services.new_password(people["tenant"], by=people["secadmin"], now=NOW)
    assert not Tries.objects.exists()
    account = Account.objects.get(username="tenant")
    assert account.check_password(made)
    assert passwords.must_change(account, passwords.policy(), NOW)


def test_a_closed_account_neither_enters_nor_stays(people: People) -> None:
    account, backend = people["a_manager"], AccountBackend()
    assert backend.authenticate(None, username="a_manager", password=FIRST) == account
    assert backend.get_user(account.pk) == account
    Account.objects.filter(pk=account.pk).update(is_active=False)
    assert backend.authenticate(None, username="a_manager", password=FIRST) is None
    assert backend.get_user(account.pk) is None


def test_there_is_no_superuser_and_no_admin() -> None:
    """Whoever could do everything could undo the three officers."""
    assert not hasattr(Account.objects, "create_superuser")
    assert not {f.name for f in Account._meta.get_fields()} & {"is_superuser", "is_staff", "groups", "user_permissions"}
    assert "django.contrib.admin" not in settings.INSTALLED_APPS
    views = [str(p.callback.__module__) for p in get_resolver().url_patterns if getattr(p, "callback", None)]
    assert not [v for v in views if v.startswith("django.contrib.admin")]
    with pytest.raises(TypeError):
        Account(username="root", is_superuser=True)
