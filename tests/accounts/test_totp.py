"""The second factor: RFC 6238's own numbers, one use of each code, and nothing readable in the database."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest
from django.test import Client

from tests.accounts.conftest import FIRST, NOW, Wall
from yunwei.accounts import services, totp
from yunwei.accounts.errors import AccountError
from yunwei.accounts.models import Account, SecondFactor
from yunwei.ledger.models import Intake

pytestmark = pytest.mark.django_db
People = dict[str, Account]
#: RFC 6238 appendix B (SHA-1, the last 6 of its 8 digits)
RFC = [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037")]
RFC_SEED = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(("seconds", "code"), RFC)
def test_the_numbers_of_the_rfc(seconds: int, code: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    assert totp._step(RFC_SEED, code, at) == seconds // 30
    assert totp._step(RFC_SEED, "000000", at) is None


def test_one_step_off_is_let_in_two_are_not() -> None:
    at = datetime.fromtimestamp(1234567890, UTC)
    for steps, taken in ((-2, False), (-1, True), (0, True), (1, True), (2, False)):
        code = pyotp.TOTP(RFC_SEED).at(at + timedelta(seconds=30 * steps))
        assert (totp._step(RFC_SEED, code, at) is not None) == taken, steps


@pytest.fixture
def bound(people: People, clock: Wall) -> tuple[Account, str, list[str]]:
    account = people["tenant"]
    seed = totp.propose(account)
    return account, seed, totp.confirm(account, pyotp.TOTP(seed).at(clock()), wall=clock(), now=NOW)


def test_a_code_counts_once_and_so_does_everything_before_it(
    bound: tuple[Account, str, list[str]], clock: Wall
) -> None:
    account, seed, _codes = bound
    first = pyotp.TOTP(seed).at(clock())
    assert totp.verify(account, first, wall=clock(), now=NOW) == "", "the code that confirmed it is used up"
    clock.on(seconds=30)
    second = pyotp.TOTP(seed).at(clock())
    clock.on(seconds=30)
    third = pyotp.TOTP(seed).at(clock())
    assert totp.verify(account, third, wall=clock(), now=NOW) == "totp"
    assert totp.verify(account, third, wall=clock(), now=NOW) == "", "somebody looked over the shoulder"
    assert totp.verify(account, second, wall=clock(), now=NOW) == "", "an earlier one, still within the drift"


def test_the_wall_clock_counts_whatever_the_instance_s_says(bound: tuple[Account, str, list[str]], clock: Wall) -> None:
    """The instance stands at NOW, months away from the machine: the phone knows nothing of it."""
    account, seed, _codes = bound
    clock.on(seconds=60)
    assert abs(clock() - NOW) > timedelta(days=1)
    assert totp.verify(account, pyotp.TOTP(seed).at(clock()), wall=clock(), now=NOW) == "totp"


@pytest.mark.parametrize(
    "typed", ["", "12345", "1234567", "abcdef", "１２３４５６", "-12345", "ABCD-EFGH-IJKL-MNOP", "\x00" * 6]
)
def test_what_is_no_code_is_refused(bound: tuple[Account, str, list[str]], clock: Wall, typed: str) -> None:
    assert totp.verify(bound[0], typed, wall=clock(), now=NOW) == ""


def test_a_factor_that_was_never_confirmed_counts_for_nothing(people: People, clock: Wall) -> None:
    seed = totp.propose(people["tenant"])
    assert totp.propose(people["tenant"]) == seed, "the page may be loaded twice"
    assert not totp.has(people["tenant"])
    assert totp.verify(people["tenant"], pyotp.TOTP(seed).at(clock()), wall=clock(), now=NOW) == ""
    with pytest.raises(AccountError, match="不对"):
        totp.confirm(people["tenant"], "000000", wall=clock(), now=NOW)
    assert not totp.has(people["tenant"])


def test_nobody_gets_the_seed_of_a_factor_in_use(bound: tuple[Account, str, list[str]]) -> None:
    with pytest.raises(AccountError, match="已经绑定"):
        totp.propose(bound[0])


def test_nothing_readable_lies_in_the_database(bound: tuple[Account, str, list[str]]) -> None:
    account, seed, codes = bound
    row = SecondFactor.objects.get(account=account)
    kept = bytes(row.sealed) + str(row.recovery).encode() + b"".join(bytes(r.body) for r in Intake.objects.all())
    for secret in (seed, *codes, *(c.replace("-", "") for c in codes)):
        assert secret.encode() not in kept


def test_recovery_codes_are_good_once_each_and_renewed_as_a_whole(
    bound: tuple[Account, str, list[str]], clock: Wall
) -> None:
    account, _seed, codes = bound
    assert len(set(codes)) == totp.RECOVERY_CODES
    assert totp.verify(account, codes[0], wall=clock(), now=NOW) == "recovery"
    assert totp.verify(account, codes[0], wall=clock(), now=NOW) == ""
    assert totp.verify(account, codes[1].lower().replace("-", " "), wall=clock(), now=NOW) == "recovery"
    new = totp.renew_codes(account, now=NOW)
    assert totp.verify(account, codes[2], wall=clock(), now=NOW) == ""
    assert totp.verify(account, new[0], wall=clock(), now=NOW) == "recovery"


def test_one_account_s_code_opens_no_other(bound: tuple[Account, str, list[str]], people: People, clock: Wall) -> None:
    totp.propose(people["a_manager"])
    SecondFactor.objects.filter(account=people["a_manager"]).update(
        confirmed_at=NOW, recovery=SecondFactor.objects.get(account=bound[0]).recovery
    )
    assert totp.verify(people["a_manager"], bound[2][0], wall=clock(), now=NOW) == "", "the hash carries the name"


def test_the_qr_code_is_drawn_here_and_says_what_apps_read(people: People) -> None:
    seed = totp.propose(people["tenant"])
    told = urlsplit(totp.address(people["tenant"], seed))
    assert (told.scheme, told.netloc, unquote(told.path)) == ("otpauth", "totp", "/云维:tenant")
    assert {k: v[0] for k, v in parse_qs(told.query).items()} == {
        "secret": seed,
        "issuer": "云维",
        "digits": "6",
        "period": "30",
    }
    drawn = totp.picture(people["tenant"], seed)
    assert drawn.startswith("<svg")
    for foreign in ("http", "<script", "style=", "href"):
        assert foreign not in drawn.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_from_the_page_to_the_next_login(client: Client, people: People, clock: Wall) -> None:
    assert client.post("/login", {"username": "tenant", "password": FIRST}).status_code == 302
    page = client.get("/me/totp")
    assert b"<svg" in page.content
    seed = totp.propose(people["tenant"])
    assert client.post("/me/totp", {"code": "000000"}).status_code == 400
    page = client.post("/me/totp", {"code": pyotp.TOTP(seed).at(clock())})
    assert page.content.decode().count('<li class="hash">') == totp.RECOVERY_CODES
    assert client.get("/me/totp")["Location"] == "/me", "the codes are shown once"
    assert seed not in client.get("/me").content.decode()
    clock.on(seconds=30)
    assert client.post("/me/totp/codes", {"code": "000000"}).status_code == 403
    page = client.post("/me/totp/codes", {"code": pyotp.TOTP(seed).at(clock())})
    assert page.content.decode().count('<li class="hash">') == totp.RECOVERY_CODES
    clock.on(seconds=30)
    assert client.post("/me/totp/codes", {"code": pyotp.TOTP(seed).at(clock()), "remove": "1"}).status_code == 302
    assert not totp.has(people["tenant"])


def test_where_it_is_required_its_owner_does_not_take_it_away(
    client: Client, people: People, clock: Wall, settings: object
) -> None:
    settings.YUNWEI = settings.YUNWEI | {"accounts": {"totp": "required"}}  # type: ignore[attr-defined]
    seed = totp.propose(people["tenant"])
    totp.confirm(people["tenant"], pyotp.TOTP(seed).at(clock()), wall=clock(), now=NOW)
    client.post("/login", {"username": "tenant", "password": FIRST})
    clock.on(seconds=30)
    client.post("/login/code", {"code": pyotp.TOTP(seed).at(clock())})
    clock.on(seconds=30)
    assert client.post("/me/totp/codes", {"code": pyotp.TOTP(seed).at(clock()), "remove": "1"}).status_code == 403
    assert totp.has(people["tenant"])


def test_the_security_officer_takes_a_lost_one_away(bound: tuple[Account, str, list[str]], people: People) -> None:
    for by in ("sysadmin", "auditor", "tenant", "b_secadmin"):
        with pytest.raises(AccountError):
            services.reset_totp(bound[0], by=people[by], now=NOW)
    services.reset_totp(bound[0], by=people["secadmin"], now=NOW)
    assert not totp.has(bound[0])
    assert Intake.objects.filter(kind="accounts.totp.removed", actor="secadmin").count() == 1
