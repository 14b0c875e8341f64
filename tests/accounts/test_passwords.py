"""Which password will do, and how passwords are kept: Argon2, or PBKDF2-HMAC-SM3 for sites under 密评."""

from __future__ import annotations

import base64
import shutil
import subprocess
from typing import Any

import pytest
from django.contrib.auth.hashers import check_password, identify_hasher, make_password
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from tests.accounts.conftest import FIRST, NOW
from yunwei.accounts import hashers, passwords, policy, seal, strength
from yunwei.accounts.errors import AccountError
from yunwei.accounts.models import Account, OldPassword
from yunwei.accounts.policy import Policy
from yunwei.gm.sm3 import PureSm3

pytestmark = pytest.mark.django_db
People = dict[str, Account]
SM3 = ["yunwei.accounts.hashers.Sm3Hasher", "django.contrib.auth.hashers.Argon2PasswordHasher"]


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("Aa1-aaaaa", "至少 10"), ("aaaaaaaaaaaa1", "四类"), ("AAAAAAAAAA-A", "四类"), ("1234567890--", "四类"),
        ("aaaaaaAAAAAAA", "四类"), ("x-Tenant-99", "账号名"), ("Aa1-" + "x" * 125, "最多 128"),
    ],
)  # fmt: skip
def test_each_rule_has_its_own_words(people: People, password: str, fault: str) -> None:
    with pytest.raises(AccountError, match=fault):
        passwords.change(people["tenant"], password, now=NOW)
    assert people["tenant"].check_password(FIRST)


@pytest.mark.parametrize("password", ["Aa1aaaaaaa", "aaaaaaaa-1", "AAAAAAAA-1", "Aaaaaaaaa-", "口令口令口令口令aA1"])
def test_three_kinds_of_four_will_do(people: People, password: str) -> None:
    passwords.change(people["tenant"], password, now=NOW)
    assert Account.objects.get(username="tenant").check_password(password)


@given(st.text(max_size=40))
def test_kinds_are_counted_once_each(password: str) -> None:
    expected = sum((
        any(c.islower() for c in password), any(c.isupper() for c in password), any(c.isdigit() for c in password),
        any(not (c.islower() or c.isupper() or c.isdigit()) for c in password),
    ))  # fmt: skip
    assert strength.classes(password) == expected


def test_what_is_generated_meets_the_strictest_policy() -> None:
    strict = Policy(classes=4, min_length=16)
    made = {strength.generate() for _n in range(200)}
    assert len(made) == 200
    assert not [p for p in made if passwords.faults(p, "someone", strict)]


def test_the_last_five_do_not_come_back(people: People) -> None:
    account = people["tenant"]
    used = [FIRST, *(f"Number-{n}-password" for n in range(6))]
    for new in used[1:]:
        passwords.change(account, new, now=NOW)
    for old in used[-5:]:
        with pytest.raises(AccountError, match="最近 5 次"):
            passwords.change(account, old, now=NOW)
    passwords.change(account, used[1], now=NOW)
    assert OldPassword.objects.filter(account=account).count() == 5, "no more are kept than are asked"


def test_a_policy_with_a_slip_is_refused() -> None:
    good = {"min_length": 12, "totp_roles": ["sysadmin"], "oidc": {"issuer": "x"}}
    assert policy.of(good).min_length == 12
    for bad in (
        {"min_lenght": 12}, {"min_length": "12"}, {"min_length": 4}, {"classes": 5}, {"failures": 0}, {"hasher": "md5"},
        {"totp": "yes"}, {"totp_roles": ["king"]}, {"one_session": 1}, {"idle_minutes": 0}, {"session_hours": True},
    ):  # fmt: skip
        with pytest.raises(AccountError):
            policy.of(bad)


# --- PBKDF2-HMAC-SM3


def by_the_book(password: bytes, salt: bytes, iterations: int) -> bytes:
    """RFC 8018 §5.2 with HMAC of RFC 2104, written out over our own SM3: shares no line with what a login runs."""
    block = password if len(password) <= 64 else digest(password)
    block = block.ljust(64, b"\0")
    inner, outer = bytes(b ^ 0x36 for b in block), bytes(b ^ 0x5C for b in block)
    u = digest(outer + digest(inner + salt + (1).to_bytes(4, "big")))
    t = int.from_bytes(u, "big")
    for _n in range(iterations - 1):
        u = digest(outer + digest(inner + u))
        t ^= int.from_bytes(u, "big")
    return t.to_bytes(32, "big")


def digest(data: bytes) -> bytes:
    return PureSm3(data).digest()


@pytest.mark.parametrize("password", [b"", b"password", "口令".encode(), b"x" * 64, b"x" * 65])
@pytest.mark.parametrize("native", [True, False])
def test_pbkdf2_sm3_is_what_the_book_says(password: bytes, native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By OpenSSL's SM3 where Python's has it, and by pyca's elsewhere: both."""
    from yunwei.gm import sm3

    monkeypatch.setattr(sm3, "NATIVE", native and sm3.NATIVE)
    for iterations in (1, 2, 25):
        assert hashers.pbkdf2_sm3(password, b"salt", iterations) == by_the_book(password, b"salt", iterations)


def test_a_known_answer_of_another_program() -> None:
    """`openssl kdf` computed it once; where openssl is here, it computes it again."""
    known = "ccab5280a7fbd0c34d6b09fb7b237479d304630cca743d1322b9cfb7e347a791"
    assert hashers.pbkdf2_sm3(b"password", b"saltSALTsaltSALT", 1000).hex() == known
    if shutil.which("openssl"):
        words = ["openssl", "kdf", "-keylen", "32", "-kdfopt", "digest:SM3", "-kdfopt", "pass:password"]
        words += ["-kdfopt", "salt:saltSALTsaltSALT", "-kdfopt", "iter:1000", "PBKDF2"]
        told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        assert told.replace(":", "").strip().lower() == known


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real number of iterations takes half a second each."""
    assert hashers.Sm3Hasher.iterations >= 600_000, "OWASP's figure for PBKDF2 with a hash of this kind"
    monkeypatch.setattr(hashers.Sm3Hasher, "iterations", 1000)


def test_a_password_is_kept_as_pbkdf2_sm3_with_salt_and_iterations(settings: Any, quick: None) -> None:
    settings.PASSWORD_HASHERS = SM3
    encoded = make_password(FIRST)
    name, iterations, salt, hashed = encoded.split("$")
    assert name == "pbkdf2_sm3"
    assert iterations == "1000"
    assert len(base64.b64decode(hashed)) == 32
    assert len(salt) >= 22, "128 bits"
    assert check_password(FIRST, encoded)
    assert not check_password(FIRST + "x", encoded)
    assert make_password(FIRST) != encoded
    assert len(encoded) <= 128, "it fits the column"


def test_a_hash_is_renewed_at_the_next_login_when_the_site_changes_its_hasher(
    client: Client, people: People, settings: Any, quick: None
) -> None:
    def kept() -> str:
        return str(identify_hasher(Account.objects.get(username="tenant").password).algorithm)

    for order, expected in ((SM3[::-1], "argon2"), (SM3, "pbkdf2_sm3"), (SM3[::-1], "argon2")):
        settings.PASSWORD_HASHERS = [*order, "django.contrib.auth.hashers.MD5PasswordHasher"]
        assert client.post("/login", {"username": "tenant", "password": FIRST}).status_code == 302
        assert kept() == expected
        assert client.get("/me").status_code == 200, "the session outlives the new hash"


def test_fewer_iterations_of_before_are_renewed(settings: Any, quick: None) -> None:
    settings.PASSWORD_HASHERS = SM3
    hasher = hashers.Sm3Hasher()
    old = hasher.encode(FIRST, "a" * 22, 999)
    assert check_password(FIRST, old)
    assert hasher.must_update(old)
    assert not hasher.must_update(make_password(FIRST))


# --- the seal of the second factor


def test_a_seed_opens_only_in_its_own_row(people: People) -> None:
    sealed = seal.seal("tenant", b"seed")
    assert b"seed" not in sealed
    assert seal.open_("tenant", sealed) == b"seed"
    for name, box in (("a_manager", sealed), ("tenant", sealed[:-1] + bytes([sealed[-1] ^ 1]))):
        with pytest.raises(AccountError, match="打不开"):
            seal.open_(name, box)


def test_the_key_is_closed_to_others(people: People, instance_folder: Any) -> None:
    seal.seal("tenant", b"seed")
    path = instance_folder / "keys" / seal.KEY_FILE
    assert path.stat().st_mode & 0o077 == 0
    path.chmod(0o644)
    try:
        with pytest.raises(AccountError, match="他人读取"):
            seal.seal("tenant", b"seed")
    finally:
        path.chmod(0o600)
