"""SM2, SM3, SM4: official vectors, the openssl command as the second opinion, refusals."""

from __future__ import annotations

import hmac
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yunwei.gm import selftest, sm2, sm3, sm4
from yunwei.gm.errors import GmError

KEY = sm2.generate()


def test_the_official_vectors_hold():
    assert selftest.failures() == []


@pytest.mark.parametrize("name", ["SM2_SIGNATURE", "SM2_C3", "SM4_CIPHER"])
def test_a_wrong_vector_stops_signing_and_key_making(monkeypatch, name):
    value = bytearray(getattr(selftest, name))
    value[-1] ^= 1
    monkeypatch.setattr(selftest, name, bytes(value))
    selftest._result.cache_clear()
    try:
        with pytest.raises(GmError):
            KEY.sign(b"x")
        with pytest.raises(GmError):
            sm2.generate()
    finally:
        selftest._result.cache_clear()


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=200), max_size=4))
def test_both_sm3_agree_however_the_data_arrives(parts):
    pure, whole = sm3.PureSm3(), b"".join(parts)
    for part in parts:
        pure.update(part)
    assert pure.hexdigest() == sm3.hexdigest(whole) == pure.copy().hexdigest()
    assert sm3.digest_parts(parts) == sm3.digest(whole)


def test_hmac_is_the_same_over_the_pure_one():
    key, data = b"k" * 70, b"data" * 50
    assert sm3.hmac(key, data) == hmac.new(key, data, sm3.PureSm3).digest()
    assert sm3.hmac_ok(key, data, sm3.hmac(key, data))
    assert not sm3.hmac_ok(key, data + b"x", sm3.hmac(key, data))


def test_a_file_is_hashed_in_chunks(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"abc" * 1000)
    assert sm3.digest_file(path, chunk=7) == sm3.digest(b"abc" * 1000)


@settings(max_examples=40)
@given(st.binary(max_size=300), st.integers(0, 511))
def test_a_signature_holds_for_its_message_key_and_id_only(message, bit):
    signature = KEY.sign(message)
    assert KEY.public.verify(message, signature)
    assert not KEY.public.verify(message + b"\0", signature)
    assert not KEY.public.verify(message, signature, b"another id")
    bad = bytearray(signature)
    bad[bit // 8] ^= 1 << bit % 8
    assert not KEY.public.verify(message, bytes(bad))
    assert sm2.signature_from_der(sm2.signature_to_der(signature)) == signature


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\xff" * 64, b"\1" * 63, b"\1" * 65])
def test_a_malformed_signature_is_false_and_no_crash(signature):
    assert not KEY.public.verify(b"m", signature)


@pytest.mark.parametrize("der", ["", "30", "3006020101020102ff", "3007020200010201 01", "300602017f0281"])
def test_only_the_one_der_encoding_is_read(der):
    with pytest.raises(GmError):
        sm2.signature_from_der(bytes.fromhex(der))


def test_a_point_off_the_curve_is_refused():
    point = bytearray(KEY.public.point)
    point[-1] ^= 1
    with pytest.raises(GmError):
        sm2.PublicKey.from_point(bytes(point))
    with pytest.raises(GmError):
        sm2.PublicKey.from_point(KEY.public.point[:-1])


def test_keys_survive_pem_and_a_passphrase_protects():
    plain = sm2.PrivateKey.from_pem(KEY.to_pem())
    assert plain.public.fingerprint == KEY.public.fingerprint
    sealed = KEY.to_pem(b"secret")
    assert b"ENCRYPTED" in sealed
    assert sm2.PrivateKey.from_pem(sealed, b"secret").public.spki == KEY.public.spki
    for wrong in (None, b"", b"Secret"):
        with pytest.raises(GmError):
            sm2.PrivateKey.from_pem(sealed, wrong)
    assert sm2.PublicKey.from_pem(KEY.public.to_pem()).spki == KEY.public.spki


def test_other_keys_are_refused():
    p256 = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        capture_output=True,
        check=True,
    ).stdout
    with pytest.raises(GmError):
        sm2.PrivateKey.from_pem(p256)
    with pytest.raises(GmError):
        sm2.PrivateKey.from_pem(b"nothing")


def test_a_small_key_is_sealed_to_its_reader():
    sealed = KEY.public.encrypt(b"0123456789abcdef")
    assert KEY.decrypt(sealed) == b"0123456789abcdef"
    bad = bytearray(sealed)
    bad[-1] ^= 1
    with pytest.raises(GmError):
        KEY.decrypt(bytes(bad))
    with pytest.raises(GmError):
        sm2.generate().decrypt(sealed)
    for size in (0, 256):
        with pytest.raises(GmError):
            KEY.public.encrypt(bytes(size))


def test_sm4_gcm_opens_what_it_sealed_and_nothing_else():
    key = sm4.new_key()
    box = sm4.seal(key, b"community-string", b"credential:7")
    assert sm4.unseal(key, box, b"credential:7") == b"community-string"
    assert box != sm4.seal(key, b"community-string", b"credential:7")
    for i in range(len(box)):
        bad = bytearray(box)
        bad[i] ^= 1
        with pytest.raises(GmError):
            sm4.unseal(key, bytes(bad), b"credential:7")
    for wrong_key, aad in ((sm4.new_key(), b"credential:7"), (key, b"credential:8")):
        with pytest.raises(GmError):
            sm4.unseal(wrong_key, box, aad)
    with pytest.raises(GmError):
        sm4.seal(key[:15], b"x")


@pytest.mark.component
def test_the_openssl_command_accepts_our_signatures_and_we_accept_its(tmp_path: Path):
    message, key, public = tmp_path / "m", tmp_path / "k.pem", tmp_path / "p.pem"
    signature = tmp_path / "s"
    message.write_bytes(b"head of the ledger")
    key.write_bytes(KEY.to_pem(b"pw"))
    public.write_bytes(KEY.public.to_pem())
    signature.write_bytes(sm2.signature_to_der(KEY.sign(message.read_bytes())))
    ident = ["-sm3", "-sigopt", f"distid:{sm2.DEFAULT_ID.decode()}"]
    checked = subprocess.run(
        ["openssl", "dgst", *ident, "-verify", public, "-signature", signature, message],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.stdout == "Verified OK\n"
    theirs = subprocess.run(
        ["openssl", "dgst", *ident, "-passin", "pass:pw", "-sign", key, message], capture_output=True, check=True
    ).stdout
    assert KEY.public.verify(message.read_bytes(), sm2.signature_from_der(theirs))


@pytest.mark.component
def test_the_openssl_command_opens_what_we_sealed(tmp_path: Path):
    (tmp_path / "k.pem").write_bytes(KEY.to_pem())
    (tmp_path / "c").write_bytes(KEY.public.encrypt(b"sealed job key"))
    opened = subprocess.run(
        ["openssl", "pkeyutl", "-decrypt", "-inkey", tmp_path / "k.pem", "-in", tmp_path / "c"],
        capture_output=True,
        check=True,
    ).stdout
    assert opened == b"sealed job key"


def test_gm_stands_without_django():
    code = "import sys, yunwei.gm.sm2, yunwei.gm.sm4; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_old_or_missing_libcrypto_is_said(monkeypatch):
    from yunwei.gm import libcrypto

    monkeypatch.setenv("YUNWEI_LIBCRYPTO", "libc.so.6")
    libcrypto.lib.cache_clear()
    try:
        with pytest.raises(GmError, match="OpenSSL 3"):
            libcrypto.lib()
    finally:
        monkeypatch.undo()
        libcrypto.lib.cache_clear()
    assert "OpenSSL" in libcrypto.version()
