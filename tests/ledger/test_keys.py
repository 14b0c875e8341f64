"""The signing key of an instance."""

from __future__ import annotations

import pytest

from yunwei.ledger import keys
from yunwei.ledger.errors import LedgerError


def test_a_new_key_is_private_and_is_never_replaced(tmp_path, settings):
    settings.INSTANCE = tmp_path
    made = keys.create()
    assert (tmp_path / "keys" / "ledger.pem").stat().st_mode & 0o777 == 0o600
    assert keys.fingerprint() == keys.fingerprint(tmp_path / "keys") == made
    with pytest.raises(LedgerError, match="不会覆盖"):
        keys.create()
    assert keys.fingerprint() == made


def test_a_key_that_others_may_read_is_refused(tmp_path, settings):
    settings.INSTANCE = tmp_path
    keys.create()
    keys.key_file().chmod(0o640)
    with pytest.raises(LedgerError, match="权限过宽"):
        keys.signer()


def test_no_instance_and_no_key_are_said(tmp_path, settings):
    settings.INSTANCE = tmp_path
    with pytest.raises(LedgerError, match="找不到"):
        keys.signer()
    settings.INSTANCE = None
    with pytest.raises(LedgerError, match="实例"):
        keys.signer()
