"""The second factor: one-time codes by RFC 6238 (SHA-1, 6 digits, 30 s, what every authenticator app speaks), and
recovery codes for who lost the app. A code counts once; so does everything before it.

The wall clock is right here whatever the instance's clock says: the phone knows no replay (law 3's list).
"""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import quote

import pyotp
import segno
from django.db import transaction
from django.utils.translation import gettext as _

from yunwei.accounts import seal
from yunwei.accounts.errors import AccountError
from yunwei.accounts.models import Account, SecondFactor
from yunwei.gm import sm3
from yunwei.ledger import services as ledger

STEP_S, DIGITS = 30, 6
#: steps that a phone's clock may be off, to either side (RFC 6238 §5.2 recommends one)
DRIFT = 1
#: 80 bits each: a hash of one cannot be searched through, so it needs no slow hashing
RECOVERY_CODES, RECOVERY_BYTES = 8, 10
SEED_BYTES = 20


def has(account: Account) -> bool:
    """Whether the account has a second factor that is in use."""
    return SecondFactor.objects.filter(account=account, confirmed_at__isnull=False).exists()


def propose(account: Account) -> str:
    """A seed for an account that has none in use; the same one until it is confirmed, so that a page may be loaded twice."""
    row = SecondFactor.objects.filter(account=account).first()
    if row is not None and row.confirmed_at is not None:
        raise AccountError(_("动态口令已经绑定"), where=account.username)
    if row is not None:
        return seal.open_(account.username, bytes(row.sealed)).decode()
    seed = base64.b32encode(os.urandom(SEED_BYTES)).decode()
    SecondFactor.objects.create(account=account, sealed=seal.seal(account.username, seed.encode()))
    return seed


def confirm(account: Account, code: str, *, wall: datetime, now: datetime) -> list[str]:
    """Take the second factor into use with its first code; gives the recovery codes, shown this once.

    Raises AccountError for a wrong code, and when there is nothing to confirm.
    """
    with transaction.atomic():
        row = SecondFactor.objects.select_for_update().filter(account=account, confirmed_at__isnull=True).first()
        if row is None:
            raise AccountError(_("没有等待确认的动态口令"), where=account.username)
        step = _step(seal.open_(account.username, bytes(row.sealed)).decode(), code, wall)
        if step is None:
            raise AccountError(_("动态口令不对"), hint=_("请核对手机时间，再输入当前的 6 位数字"))
        codes = _new_codes()
        row.recovery = [_hashed(account, c) for c in codes]
        row.confirmed_at, row.last_step = wall, step
        row.save()
        ledger.record("accounts.totp.enrolled", account.username, {}, at=now, actor=account.username)
    return codes


def verify(account: Account, code: str, *, wall: datetime, now: datetime) -> str:
    """Whether a code (or a recovery code) lets in: "totp", "recovery", or "" for no. Each is good once."""
    typed = "".join(code.split()).replace("-", "").upper()
    with transaction.atomic():
        row = SecondFactor.objects.select_for_update().filter(account=account, confirmed_at__isnull=False).first()
        if row is None:
            return ""
        if len(typed) == DIGITS:
            step = _step(seal.open_(account.username, bytes(row.sealed)).decode(), typed, wall)
            if step is None or step <= row.last_step:
                return ""
            row.last_step = step
            row.save(update_fields=["last_step"])
            return "totp"
        hashed = _hashed(account, typed)
        if hashed not in row.recovery:
            return ""
        row.recovery = [h for h in row.recovery if h != hashed]
        row.save(update_fields=["recovery"])
        data = {"left": len(row.recovery)}
        ledger.record("accounts.totp.recovery", account.username, data, at=now, actor=account.username)
        return "recovery"


def renew_codes(account: Account, *, now: datetime) -> list[str]:
    """New recovery codes; the old ones are worth nothing from then on."""
    with transaction.atomic():
        row = SecondFactor.objects.select_for_update().filter(account=account, confirmed_at__isnull=False).first()
        if row is None:
            raise AccountError(_("没有绑定动态口令"), where=account.username)
        codes = _new_codes()
        row.recovery = [_hashed(account, c) for c in codes]
        row.save(update_fields=["recovery"])
        ledger.record("accounts.totp.codes", account.username, {"codes": len(codes)}, at=now, actor=account.username)
    return codes


def remove(account: Account, *, by: str, now: datetime) -> None:
    """Take the second factor away. Raises AccountError when there is none; who may is the caller's to have asked."""
    with transaction.atomic():
        if not SecondFactor.objects.filter(account=account).delete()[0]:
            raise AccountError(_("没有绑定动态口令"), where=account.username)
        ledger.record("accounts.totp.removed", account.username, {}, at=now, actor=by)


def address(account: Account, seed: str) -> str:
    """What the QR code says: the otpauth address that authenticator apps read."""
    label = quote(f"云维:{account.username}", safe="")
    return f"otpauth://totp/{label}?secret={seed}&issuer={quote('云维')}&digits={DIGITS}&period={STEP_S}"


def picture(account: Account, seed: str) -> str:
    """The QR code as inline SVG: nothing is asked of another origin, and no picture file with a secret exists."""
    code = segno.make(address(account, seed), error="m", micro=False)
    return str(
        code.svg_inline(scale=4, border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None)
    )


def _step(seed: str, code: str, wall: datetime) -> int | None:
    """The time step whose code this is, within the drift; None when it is none. All are compared, none in less time."""
    otp = pyotp.TOTP(seed, digits=DIGITS, interval=STEP_S)
    here, found = int(wall.timestamp()) // STEP_S, None
    for step in range(here - DRIFT, here + DRIFT + 1):
        if hmac.compare_digest(otp.generate_otp(step).encode(), code.encode()):
            found = step
    return found


def _new_codes() -> list[str]:
    made = [base64.b32encode(os.urandom(RECOVERY_BYTES)).decode() for _n in range(RECOVERY_CODES)]
    return ["-".join(code[i : i + 4] for i in range(0, len(code), 4)) for code in made]


def _hashed(account: Account, code: str) -> str:
    return sm3.hexdigest(f"{account.username}:{code.replace('-', '')}".encode())


def having(accounts: Iterable[int]) -> set[int]:
    """Which of these accounts have a second factor in use."""
    rows = SecondFactor.objects.filter(account_id__in=list(accounts), confirmed_at__isnull=False)
    return set(rows.values_list("account_id", flat=True))
