"""What the operator, or a bad disk, could do to the evidence: each is found and its place is named."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import connection, transaction
from tests.ledger.kit import NOW, check, claim, fill, first, flipped, sql, write

from yunwei.ledger import artifacts, heads, keys, proofs, services, tree
from yunwei.ledger.models import Artifact, Entry, Head, Intake, Node

pytestmark = pytest.mark.django_db

#: SQLite keeps any bytes in any column; PostgreSQL refuses broken text and times itself.
any_bytes = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL refuses such text by itself")


def raw(table: str, column: str, key: str, value: object) -> bytes:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT CAST({column} AS BLOB) FROM {table} WHERE {key} = %s", [value])
        return bytes(cursor.fetchone()[0])


def sql_setting(query: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(query)


def put(table: str, column: str, key: str, value: object, data: bytes, *, text: bool) -> None:
    sql_setting("PRAGMA ignore_check_constraints=ON")  # a bad disk asks no constraint
    shape = "CAST(%s AS TEXT)" if text else "%s"
    sql(f"UPDATE {table} SET {column} = {shape} WHERE {key} = %s", data, value)


def each_flip(tmp_path, table, column, key, value, *, text, span=(4, 6), step=1):
    """The first finding for a flip of each single byte of one field; the field is whole again afterwards."""
    whole = raw(table, column, key, value)
    assert whole
    for i in range(0, len(whole), step):
        put(table, column, key, value, flipped(whole, i), text=text)
        yield first(write(tmp_path / "b.zip", *span))
    put(table, column, key, value, whole, text=text)
    assert first(write(tmp_path / "b.zip", *span)) is None


@any_bytes
@pytest.mark.parametrize("column", ["body", "kind", "subject", "actor", "at", "clauses"])
def test_a_flipped_byte_in_a_record_is_found_and_named(tmp_path, column):
    fill(9, batch=4)
    value = Entry.objects.get(seq=5).intake_id
    flips = each_flip(tmp_path, "ledger_intake", column, "id", value, text=column != "body")
    for found in flips:
        assert found == ("altered" if column == "body" else "columns", "记录 5")


def test_a_flipped_byte_in_a_body_is_found_on_every_database(tmp_path):
    fill(9, batch=4)
    intake = Entry.objects.get(seq=5).intake
    body = bytes(intake.body)
    for i in range(0, len(body), 9):
        Intake.objects.filter(pk=intake.pk).update(body=flipped(body, i))
        assert first(write(tmp_path / "b.zip")) == ("altered", "记录 5")


@any_bytes
def test_a_flipped_byte_in_a_leaf_is_found_and_named(tmp_path):
    fill(9, batch=4)
    for found in each_flip(tmp_path, "ledger_entry", "leaf", "seq", 5, text=False):
        assert found == ("altered", "记录 5")


@any_bytes
@pytest.mark.parametrize("column", ["body", "signature", "root", "prev", "at", "key_id", "hash"])
def test_a_flipped_byte_in_a_head_is_found_and_named(tmp_path, column):
    fill(9, batch=4)
    text = column not in {"body", "signature", "root"}
    for found in each_flip(tmp_path, "ledger_head", column, "number", 2, text=text, step=3):
        assert found is not None
        code, place = found
        assert code in {"signature", "head-row", "malformed", "key", "chain"}
        assert "签名头" in place


@pytest.mark.parametrize(
    ("number", "span"), [(1, (1, 9)), (1, (2, 3)), (1, (4, 4)), (1, (5, 9)), (2, (1, 9)), (2, (9, 9)), (2, (6, 7))]
)
def test_a_head_that_was_taken_out_is_missed(tmp_path, number, span):
    fill(9, batch=4)  # heads over 4, 8 and 9 records
    assert first(write(tmp_path / "b.zip", *span)) is None
    Head.objects.filter(number=number).delete()
    found = first(write(tmp_path / "b.zip", *span))
    assert found is not None
    assert found[0] == "chain"


@pytest.mark.parametrize("column", ["salt", "commitment", "media_type"])
@any_bytes
def test_a_flipped_byte_in_an_artifacts_row_is_found_and_named(tmp_path, column):
    made = fill(9, batch=4)
    flips = each_flip(tmp_path, "ledger_artifact", column, "id", made[1].pk, text=column != "salt", step=3)
    for found in flips:
        assert found is not None
        assert found[1] == f"记录 6 的证据文件 {made[1].commitment[:16]}"


def test_a_flipped_byte_in_an_artifact_is_found_and_named(tmp_path):
    made = fill(9, batch=4)
    file = artifacts.path_of(made[1].content_hash)
    whole = file.read_bytes()
    for i in range(len(whole)):
        file.write_bytes(flipped(whole, i))
        place = f"记录 6 的证据文件 {made[1].commitment[:16]}"
        assert first(write(tmp_path / "b.zip", 4, 6)) == ("artifact-altered", place)
    file.write_bytes(whole)
    assert first(write(tmp_path / "b.zip", 4, 6)) is None


def test_a_swapped_or_removed_artifact_is_found(tmp_path):
    made = fill(9, batch=4)
    one, two = (artifacts.path_of(a.content_hash) for a in made[:2])
    a, b = one.read_bytes(), two.read_bytes()
    one.write_bytes(b)
    two.write_bytes(a)
    findings, _facts = check(write(tmp_path / "b.zip"))
    assert [f.seq for f in findings] == [3, 6]
    one.unlink()
    two.write_bytes(b)
    assert first(write(tmp_path / "b.zip")) == ("artifact-missing", f"记录 3 的证据文件 {made[0].commitment[:16]}")
    Artifact.objects.filter(pk=made[0].pk).delete()
    assert first(write(tmp_path / "b.zip")) == ("artifact-missing", f"记录 3 的证据文件 {made[0].commitment[:16]}")


@pytest.mark.parametrize("seq", [1, 5, 9])
def test_a_removed_record_is_found(tmp_path, seq):
    fill(9, batch=4)
    Entry.objects.filter(seq=seq).delete()
    found = first(write(tmp_path / "b.zip"))
    assert found == ("missing", f"记录 {seq}")


def test_a_removed_record_with_the_rest_moved_up_is_found(tmp_path):
    fill(9, batch=4)
    Entry.objects.filter(seq=5).delete()
    for seq in range(6, 10):
        Entry.objects.filter(seq=seq).update(seq=seq - 1)
    findings, _facts = check(write(tmp_path / "b.zip"))
    assert {f.code for f in findings} & {"missing", "root"}
    assert findings[0].seq >= 5


def test_a_record_rewritten_with_its_hash_is_found_between_two_heads(tmp_path):
    fill(12, batch=4)
    intake = Entry.objects.get(seq=6).intake
    body = bytes(intake.body).replace(b'"value":6', b'"value":7')
    Intake.objects.filter(pk=intake.pk).update(body=body)
    Entry.objects.filter(seq=6).update(leaf=tree.leaf_hash(body))
    assert first(write(tmp_path / "b.zip")) == ("root", "记录 5 至 8")


def test_a_removed_head_is_found(tmp_path):
    fill(12, batch=4)
    Head.objects.filter(number=2).delete()
    found = first(write(tmp_path / "b.zip"))
    assert found is not None
    assert found[0] == "chain"


def test_a_fake_redaction_is_found(tmp_path):
    made = fill(9, batch=4)
    Artifact.objects.filter(pk=made[1].pk).update(redacted_at=NOW, salt=b"", content_hash="")
    assert first(write(tmp_path / "b.zip")) == ("fake-redaction", f"记录 6 的证据文件 {made[1].commitment[:16]}")


def test_a_true_redaction_leaves_everything_else_verifying(tmp_path, django_capture_on_commit_callbacks):
    made = fill(9, batch=4)
    file = artifacts.path_of(made[1].content_hash)
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        services.redact(made[1], "含个人信息", at=NOW + timedelta(hours=1), actor="a_manager", basis="个人信息保护法")
    services.sequence(NOW + timedelta(hours=1))
    assert not file.exists()
    row = Artifact.objects.get(pk=made[1].pk)
    assert (row.content_hash, bytes(row.salt)) == ("", b"")
    assert first(write(tmp_path / "all.zip")) is None
    assert first(write(tmp_path / "part.zip", 4, 6)) is None  # the redaction record comes along, with its proof


def rewrite_everything(changed: int) -> None:
    """The operator changes a record and, holding the key, signs the whole history anew."""
    intake = Entry.objects.get(seq=changed).intake
    body = bytes(intake.body).replace(b'"value":', b'"value":9')
    Intake.objects.filter(pk=intake.pk).update(body=body)
    times = list(Head.objects.order_by("number").values_list("size", "at"))
    entries = list(Entry.objects.order_by("seq").select_related("intake"))
    heads.HeadPush.objects.all().delete()
    Head.objects.all().delete()
    peaks: list[bytes] = []
    last, done = None, 0
    for size, at in times:
        for entry in entries[done:size]:
            leaf = tree.leaf_hash(bytes(entry.intake.body))
            Entry.objects.filter(seq=entry.seq).update(leaf=leaf)
            tree.add(peaks, entry.seq - 1, leaf)
        last, done = services._sign(last, size, peaks, at), size
    proofs.rebuild()


def test_a_rewritten_and_resigned_history_verifies_alone_but_not_against_a_head_the_client_holds(tmp_path):
    fill(12, batch=4)
    held = services.head()
    assert held is not None
    heads.write_head(tmp_path / "held.json", held, [])
    assert first(write(tmp_path / "b.zip"), (tmp_path / "held.json",)) is None
    rewrite_everything(6)
    assert first(write(tmp_path / "b.zip")) is None  # which is why heads go to the client
    found = first(write(tmp_path / "b.zip"), (tmp_path / "held.json",))
    assert found is not None
    assert found[0] in {"rewritten", "resigned"}


def test_a_rewrite_that_grew_on_is_found_by_the_first_head(tmp_path):
    fill(12, batch=4)
    facts = heads.handover(tmp_path / "handover", NOW + timedelta(minutes=1), "a_manager")
    assert facts["size"] == 13
    first_head = tmp_path / "handover" / "first-head.json"
    for i in range(20, 30):
        claim(i, NOW + timedelta(hours=1))
    services.sequence(NOW + timedelta(hours=1))
    assert first(write(tmp_path / "late.zip", 18, 20), (first_head,)) is None
    pushes = list(heads.HeadPush.objects.all().values("address", "head_id", "at", "ok"))
    rewrite_everything(6)
    for push in pushes:
        heads.HeadPush.objects.create(**push)
    found = first(write(tmp_path / "late.zip", 18, 20), (first_head,))
    assert found is not None
    assert found[0] in {"rewritten", "resigned"}


def test_another_key_is_found(tmp_path, settings):
    fill(4)
    pinned = keys.fingerprint()
    settings.INSTANCE = tmp_path / "other"
    keys.create()
    from yunwei.ledger import verify

    write(tmp_path / "b.zip")
    findings, _facts = verify.check_bundle(str(tmp_path / "b.zip"), pinned, [], verify.MAX_BYTES)
    assert findings[0].code == "key"


def test_damaged_nodes_are_made_anew(tmp_path):
    for i in range(200):
        claim(i)
    services.sequence(NOW)
    before = sorted(Node.objects.values_list("level", "index", "hash"))
    Node.objects.update(hash=bytes(32))
    assert first(write(tmp_path / "b.zip", 150, 160)) is not None
    assert proofs.rebuild() == len(before)
    assert sorted(Node.objects.values_list("level", "index", "hash")) == before
    assert first(write(tmp_path / "b.zip", 150, 160)) is None


def test_nothing_but_data_is_in_a_bundle(tmp_path):
    import zipfile

    fill(6)
    with zipfile.ZipFile(write(tmp_path / "b.zip")) as z:
        names = z.namelist()
        assert all(n.endswith((".json", ".jsonl")) or n.startswith("artifacts/") for n in names)
        assert json.loads(z.read("manifest.json"))["format"] == "yunwei-bundle/1"


def test_a_record_that_claims_another_time_is_pointed_out(tmp_path):
    """Slipped in today, dated last spring; signed like any other, so only the heads around it tell."""
    fill(10)
    claim(11, NOW - timedelta(days=200))
    claim(12, NOW + timedelta(seconds=20))
    claim(13, NOW + timedelta(days=2))
    services.sequence(NOW + timedelta(seconds=30))
    findings, facts = check(write(tmp_path / "b.zip"))
    assert findings == []
    assert (facts["doubtful_times"], facts["doubtful_records"]) == (2, [11, 13])


def test_honest_times_are_not_doubted(tmp_path):
    fill(30)
    assert "doubtful_times" not in check(write(tmp_path / "b.zip"))[1]


def test_a_head_without_the_columns_of_the_database_is_named(tmp_path):
    """Without them nothing would be compared: one changed byte in the key's name hides what was changed in the row."""
    import zipfile

    fill(9, batch=4)
    with zipfile.ZipFile(write(tmp_path / "b.zip")) as z:
        files = {name: z.read(name) for name in z.namelist()}
    for name in ("heads.jsonl", "proofs.json"):
        with zipfile.ZipFile(tmp_path / "c.zip", "w") as z:
            for one, data in files.items():
                z.writestr(one, data.replace(b'"row":', b'"rov":', 1) if one == name else data)
        found = first(tmp_path / "c.zip")
        assert found is not None
        assert found[0] == "head-row"


def test_a_bundle_that_is_older_than_a_head_the_client_holds_says_by_how_much(tmp_path):
    """It may be an old one, or the newest records were cut before it was made: that is for people to know."""
    fill(12, batch=4)
    held = services.head()
    assert held is not None
    before = Head.objects.get(number=2)
    heads.write_head(tmp_path / "held.json", held, [before])
    heads.write_head(tmp_path / "older.json", before, [])
    known = (tmp_path / "older.json", tmp_path / "held.json")
    assert "behind" not in check(write(tmp_path / "b.zip"), known)[1]
    Head.objects.filter(number__gt=2).delete()
    Entry.objects.filter(seq__gt=before.size).delete()
    findings, facts = check(write(tmp_path / "b.zip"), known)
    assert (findings, facts["behind"]) == ([], held.size - before.size)


@any_bytes
@pytest.mark.parametrize("column", ["prev", "key_id", "hash"])
def test_a_newest_head_whose_column_is_no_text_any_more_stops_no_export(tmp_path, column):
    fill(9, batch=4)
    newest = services.head()
    assert newest is not None
    whole = raw("ledger_head", column, "number", newest.number)
    put("ledger_head", column, "number", newest.number, b"\xff" + whole[1:], text=True)
    found = first(write(tmp_path / "b.zip"))
    assert found is not None
    assert found[0] == "head-row"
    put("ledger_head", column, "number", newest.number, whole, text=True)
    assert first(write(tmp_path / "b.zip")) is None
