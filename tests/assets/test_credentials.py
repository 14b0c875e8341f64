"""Sealed credentials: what opens them, what does not, and that nothing shows them."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import traceback
from datetime import UTC, datetime, timedelta

import pytest
from django.core import serializers

from yunwei.assets import credentials
from yunwei.assets.errors import CredentialError
from yunwei.assets.models import Credential
from yunwei.ledger.models import Intake

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
WORD = "hunter2-Gr33n"
SSH = {"user": "ops", "password": WORD}


@pytest.fixture(autouse=True)
def own_instance(tmp_path, settings):
    """Keys of our own: these tests damage them."""
    from yunwei.ledger import keys

    settings.INSTANCE = tmp_path
    keys.create(tmp_path)
    credentials.create_key(tmp_path / "keys")
    return tmp_path


def put(name: str = "os", kind: str = "ssh", content: dict | None = None) -> Credential:
    return credentials.put(name, kind, content or SSH, now=NOW, actor="b.crypto")


def test_what_was_sealed_opens_again_and_the_database_does_not_hold_it():
    row = put()
    assert dict(credentials.open_(Credential.objects.get(pk=row.pk))) == SSH
    assert WORD.encode() not in bytes(row.sealed)
    assert WORD not in serializers.serialize("json", Credential.objects.all())
    assert row.changed_at == NOW
    recorded = Intake.objects.get(kind="assets.credential.set")
    assert WORD not in str(vars(recorded))


def test_the_same_content_is_no_change_and_another_is():
    first = bytes(put().sealed)
    assert bytes(put().sealed) == first
    assert Intake.objects.filter(kind="assets.credential.set").count() == 1
    changed = put(content={"user": "ops", "password": "another"})
    assert credentials.open_(changed)["password"] == "another"
    assert Credential.objects.count() == 1
    assert Intake.objects.filter(kind="assets.credential.set").count() == 2


def test_the_key_is_not_in_the_database_and_only_we_may_read_it(own_instance):
    put()
    path = own_instance / "keys" / credentials.KEY_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    key = path.read_text().split()[1]
    assert key not in serializers.serialize("json", Credential.objects.all())
    path.chmod(0o640)
    with pytest.raises(CredentialError, match="他人"):
        put("other")


def test_a_secret_shows_itself_nowhere(caplog):
    secret = credentials.open_(put())
    logging.getLogger("x").warning("login %s %r", secret, secret)
    for shown in (repr(secret), str(secret), f"{secret}", caplog.text, repr([secret]), repr({"a": secret})):
        assert WORD not in shown
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        copy.copy(secret)


@pytest.mark.parametrize(
    ("kind", "content", "says"),
    [
        ("telnet", {"user": "a", "password": WORD}, "telnet"),
        ("ssh", {"user": "a"}, "password"),
        ("ssh", {"user": "a", "password": WORD, "pasword2": WORD}, "pasword2"),
        ("ssh", {"user": "a", "password": WORD + "\0"}, "password"),
        ("ssh", {"user": "a", "password": [WORD]}, "password"),
        ("ssh", {"user": "a", "private_key": "x" * 20000}, "private_key"),
        ("redfish", {"user": "", "password": WORD}, "user"),
        ("snmp2c", {}, "community"),
        ("snmp3", {"user": "a", "auth_proto": "MD5", "auth_password": WORD}, "MD5"),
        ("snmp3", {"user": "a", "auth_proto": "SHA-256", "auth_password": "short"}, "8"),
        ("snmp3", {"user": "a", "priv_proto": "AES", "priv_password": WORD}, "认证"),
    ],
)
def test_a_credential_that_cannot_work_is_refused_without_showing_it(kind, content, says):
    with pytest.raises(CredentialError) as error:
        put(kind=kind, content=content)
    assert says in str(error.value)
    shown = "".join(traceback.format_exception(error.value)) + str(error.value) + error.value.hint
    assert WORD not in shown
    assert Credential.objects.count() == 0


@pytest.mark.parametrize("name", ["", "a b", "x" * 61, "a;b", "../x"])
def test_names_that_are_refused(name):
    with pytest.raises(CredentialError, match="名称"):
        put(name)


def test_one_flipped_byte_and_a_box_moved_to_another_row_do_not_open():
    row = put()
    for i in range(len(row.sealed)):
        broken = Credential(name=row.name, kind=row.kind, key_id=row.key_id)
        broken.sealed = bytes(row.sealed[:i]) + bytes([row.sealed[i] ^ 1]) + bytes(row.sealed[i + 1 :])
        with pytest.raises(CredentialError):
            credentials.open_(broken)
    moved = Credential(name="root", kind=row.kind, key_id=row.key_id, sealed=row.sealed)
    with pytest.raises(CredentialError):
        credentials.open_(moved)


def test_rotation_seals_all_anew_and_drops_old_keys_only_when_asked(own_instance):
    rows = [put(f"c{i}", "snmp2c", {"community": f"public{i}"}) for i in range(3)]
    path = own_instance / "keys" / credentials.KEY_FILE
    old = path.read_text()
    later = NOW + timedelta(days=90)
    key_id, count = credentials.rotate(now=later, actor="b.crypto")
    assert count == 3
    assert path.read_text().startswith(old)
    for i, row in enumerate(rows):
        before = (bytes(row.sealed), row.key_id)
        row.refresh_from_db()
        assert row.key_id == key_id
        assert (bytes(row.sealed), row.key_id) != before
        assert credentials.open_(row)["community"] == f"public{i}"
        assert row.changed_at == NOW  # the password itself is as old as it was
    assert credentials.drop_unused() == 1
    assert len(path.read_text().splitlines()) == 1
    assert credentials.open_(rows[0])["community"] == "public0"
    assert Intake.objects.filter(kind="assets.credential.rotated").count() == 1


def test_a_rotation_that_cannot_open_a_row_changes_none():
    rows = [put(f"c{i}", "snmp2c", {"community": f"public{i}"}) for i in range(2)]
    Credential.objects.filter(name="c1").update(sealed=b"\1" + b"x" * 40)
    with pytest.raises(CredentialError, match="c1"):
        credentials.rotate(now=NOW, actor="b.crypto")
    row = Credential.objects.get(name="c0")
    assert bytes(row.sealed) == bytes(rows[0].sealed)
    assert credentials.open_(row)["community"] == "public0"


def test_missing_and_damaged_key_files_say_what_to_do(own_instance):
    row = put()
    path = own_instance / "keys" / credentials.KEY_FILE
    whole = path.read_text()
    path.write_text(whole[:20] + ("0" if whole[20] != "0" else "1") + whole[21:])
    os.utime(path, ns=(1, 1))
    with pytest.raises(CredentialError, match="损坏"):
        credentials.open_(row)
    path.write_text("")
    with pytest.raises(CredentialError, match="损坏"):
        credentials.open_(row)
    path.unlink()
    with pytest.raises(CredentialError, match="找不到"):
        credentials.open_(row)
    credentials.create_key(own_instance / "keys")
    with pytest.raises(CredentialError, match="没有密封该凭据的密钥"):
        credentials.open_(row)
    with pytest.raises(CredentialError, match="已经存在"):
        credentials.create_key(own_instance / "keys")


def test_a_full_disk_leaves_the_old_keys_whole(own_instance, monkeypatch):
    row = put()
    path = own_instance / "keys" / credentials.KEY_FILE
    before = path.read_text()

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CredentialError, match="No space left"):
        credentials.rotate(now=NOW, actor="b.crypto")
    monkeypatch.undo()
    assert path.read_text() == before
    assert [p.name for p in path.parent.glob("credentials*")] == [credentials.KEY_FILE]
    assert dict(credentials.open_(row)) == SSH


def test_a_credential_goes_to_a_collector_sealed_to_it():
    seen: list[dict[str, str]] = []

    class Collector:
        def seal(self, content):
            seen.append(dict(content))
            return "sealed"

    assert credentials.reseal(put(), Collector()) == "sealed"
    assert seen == [SSH]
