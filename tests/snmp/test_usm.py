"""Keys against the published vectors; signatures and encryption against themselves (net-snmp judges them elsewhere)."""

from __future__ import annotations

import pytest

from yunwei.snmp import message, usm
from yunwei.snmp.errors import SnmpError
from yunwei.snmp.message import AUTH, PRIV, V3Message
from yunwei.snmp.usm import V3, V2c

ENGINE = bytes.fromhex("000000000000000000000002")


def test_rfc_3414_a_3_2_sha_key_localisation() -> None:
    ku = usm.password_to_key(b"maplesyrup", "sha1")
    assert ku.hex() == "9fb5cc0381497b3793528939ff788d5d79145211"
    assert usm.localise(ku, ENGINE, "sha1").hex() == "6695febc9288e36282235fc7151f128497b38f3f"


def test_reeder_draft_key_extension() -> None:
    kul = usm.localise(usm.password_to_key(b"maplesyrup", "sha1"), ENGINE, "sha1")
    extended = usm.stretch(kul, 40, "reeder", ENGINE, "sha1")
    assert extended.hex() == "6695febc9288e36282235fc7151f128497b38f3f9b8b6d78936ba6e7d19dfd9cd2d5065547743fb5"


def test_blumenthal_extension_keeps_the_key_and_appends_its_hash() -> None:
    kul = usm.localise(usm.password_to_key(b"maplesyrup", "sha1"), ENGINE, "sha1")
    extended = usm.stretch(kul, 32, "blumenthal", ENGINE, "sha1")
    assert extended[:20] == kul
    assert len(extended) == 32
    assert extended != usm.stretch(kul, 32, "reeder", ENGINE, "sha1")


@pytest.mark.parametrize("auth", usm.AUTH_PROTOCOLS)
@pytest.mark.parametrize("priv", usm.PRIV_PROTOCOLS)
def test_seal_and_open(auth: str, priv: str) -> None:
    keys = usm.keys_for(V3("u", auth, "password1", priv, "password2"), ENGINE)
    assert keys is not None
    scoped = message.build_scoped(ENGINE, b"", message.build_pdu(message.GET, 1 << 24, 0, 0, []))
    plain = V3Message(1 << 24, 65507, AUTH | PRIV, ENGINE, 3, 77, b"u", b"", 0, b"", scoped)
    sealed = usm.seal(plain, keys)
    parsed = message.parse_v3(sealed)
    assert scoped not in sealed
    assert usm.signed_by(sealed, parsed, keys)
    assert usm.decrypt(parsed, keys) == scoped
    assert usm.seal(plain, keys) != sealed  # a salt is never used twice
    for at in range(len(sealed)):  # every single byte is under the signature, or breaks the message
        forged = sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :]
        try:
            assert not usm.signed_by(forged, message.parse_v3(forged), keys)
        except SnmpError:
            continue


@pytest.mark.parametrize(
    "credential",
    [
        V3(""),
        V3("u", "MD5", "password1"),
        V3("u", "SHA", "short"),
        V3("u", "", "", "AES", "password2"),
        V3("u", "SHA", "password1", "DES", "password2"),
        V3("u", "SHA", "password1", "AES", "short"),
    ],
)
def test_a_credential_that_cannot_work_is_refused_before_anything_is_sent(credential: V3) -> None:
    with pytest.raises(SnmpError):
        credential.check()


def test_no_secret_in_any_representation() -> None:
    credential = V3("u", "SHA", "password1", "AES", "password2")
    shown = repr(credential) + str(credential) + repr(V2c("password1")) + repr(usm.keys_for(credential, ENGINE))
    assert "password" not in shown
    assert f"{[credential, V2c('password1')]}".count("password") == 0
