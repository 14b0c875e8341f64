"""Heads go out and the client keeps them; the verifier alone, as the client runs it."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from tests.ledger.kit import NOW, VERIFY, check, claim, fill, first, run, write
from tests.ledger.test_attacks import rewrite_everything
from tests.ledger.twin import twin

from yunwei.ledger import bundle, heads, keys, services
from yunwei.ledger.errors import LedgerError
from yunwei.ledger.models import Entry, Head, HeadPush

pytestmark = pytest.mark.django_db


@pytest.fixture
def address(settings, tmp_path) -> Path:
    """A fresh address of the client."""
    settings.YUNWEI = {"ledger": {"push": [str(tmp_path / "client")]}}
    return tmp_path / "client"


def grow(count: int, hours: float, start: int = 1000) -> None:
    for i in range(count):
        claim(start + i, NOW + timedelta(hours=hours))
    heads.push(NOW + timedelta(hours=hours))


def witness(tmp_path: Path, *paths: Path, fingerprint: str = "") -> tuple[int, list[str]]:
    code, said = run(
        "witness", "add", *paths, "--store", tmp_path / "store", "--key-fingerprint", fingerprint or keys.fingerprint()
    )
    return code, [f["code"] for f in said["findings"]]


def test_heads_are_pushed_after_each_sweep_and_a_witness_accepts_them(tmp_path, address):
    for i in range(5):
        grow(3 * i, hours=i)
    names = sorted(p.name for p in address.iterdir())
    assert len(names) == 5  # the first and the quiet hour included
    assert names[0] == "head-000000000000-000000000001.json"
    assert witness(tmp_path, address) == (0, [])
    assert witness(tmp_path, address) == (0, [])  # again: all known
    grow(1, hours=6)
    assert witness(tmp_path, address) == (0, [])
    code, said = run("witness", "check", write(tmp_path / "b.zip", 4, 9), "--store", tmp_path / "store")
    assert (code, said["findings"]) == (0, [])
    assert said["linked_heads"] >= 1


def test_nothing_new_is_not_pushed_twice_within_the_hour(address):
    grow(2, hours=0)
    assert heads.push(NOW + timedelta(minutes=30)) == []
    assert len(heads.push(NOW + timedelta(minutes=61))) == 1
    assert len(list(address.iterdir())) == 2


def test_an_address_that_refuses_is_a_row_and_turns_overdue(settings, tmp_path):
    (tmp_path / "file").write_text("no folder")
    settings.YUNWEI = {"ledger": {"push": [str(tmp_path / "file")]}}
    claim(1)
    (push,) = heads.push(NOW)
    assert not push.ok
    assert "签名头写入失败" in push.problem
    assert heads.overdue(NOW + timedelta(minutes=59)) == []
    (late,) = heads.overdue(NOW + timedelta(minutes=61))
    assert late.since == NOW
    assert late.problem == push.problem


def test_a_fresh_push_ends_overdue_and_a_clock_behind_begins_it(address):
    grow(1, hours=0)
    assert heads.overdue(NOW + timedelta(minutes=60)) == []
    assert [o.address for o in heads.overdue(NOW + timedelta(minutes=61))] == [str(address)]
    heads.push(NOW + timedelta(minutes=62))
    assert heads.overdue(NOW + timedelta(minutes=63)) == []
    assert "时钟" in heads.overdue(NOW - timedelta(days=1))[0].problem


def test_a_head_file_is_never_overwritten(address):
    grow(1, hours=0)
    (file,) = address.iterdir()
    original = file.read_bytes()
    newest = services.head()
    assert newest is not None
    heads.write_head(file, newest, [])  # the same head: fine, and left as it is
    assert file.read_bytes() == original
    Head.objects.filter(pk=newest.pk).update(signature=b"\1" * 64)
    with pytest.raises(LedgerError, match="不会覆盖"):
        heads.write_head(file, Head.objects.get(pk=newest.pk), [])
    assert file.read_bytes() == original
    assert [p.name for p in address.iterdir()] == [file.name]


def test_a_cut_history_is_reported(tmp_path, address):
    grow(3, hours=0)
    grow(3, hours=1)
    assert witness(tmp_path, address) == (0, [])
    last = Head.objects.order_by("-number").first()
    assert last is not None
    HeadPush.objects.filter(head=last).delete()
    last.delete()
    Entry.objects.filter(seq__gt=3).delete()  # a backup restored: the last hour never happened
    services.Intake.objects.filter(entry__isnull=True).delete()
    grow(1, hours=2, start=2000)
    code, found = witness(tmp_path, address)
    assert code == 1
    assert found == ["resigned"]
    assert list((tmp_path / "store").glob("conflict-*"))
    code, said = run("witness", "check", write(tmp_path / "b.zip"), "--store", tmp_path / "store")
    assert code == 1
    assert {f["code"] for f in said["findings"]} & {"resigned", "cut"}


def test_a_rewritten_history_is_reported_at_the_next_head(tmp_path, address):
    grow(4, hours=0)
    grow(4, hours=1)
    assert witness(tmp_path, address) == (0, [])
    pushes = list(HeadPush.objects.order_by("id").values("address", "head_id", "at", "ok"))
    rewrite_everything(3)
    for push in pushes:
        HeadPush.objects.create(**push)
    grow(2, hours=2)
    newest = max(address.iterdir())
    code, found = witness(tmp_path, newest)
    assert code == 1
    assert found[0] in {"rewritten", "chain"}


def test_a_missing_head_file_is_a_gap_and_not_a_pass(tmp_path, address):
    for hour in range(4):
        grow(2, hours=hour)
    files = sorted(address.iterdir())
    assert witness(tmp_path, files[0], files[1]) == (0, [])
    assert witness(tmp_path, files[3]) == (1, ["gap"])
    assert witness(tmp_path, files[2], files[3]) == (0, [])


def test_the_witness_pins_the_key(tmp_path, address):
    grow(2, hours=0)
    assert witness(tmp_path, address, fingerprint="0" * 64)[0] == 1
    shutil.rmtree(tmp_path / "store")
    assert witness(tmp_path, address) == (0, [])
    code, said = run("witness", "add", address, "--store", tmp_path / "store", "--key-fingerprint", "1" * 64)
    assert (code, said["findings"][0]["code"]) == (1, "key")
    code, said = run("witness", "add", address, "--store", tmp_path / "elsewhere")
    assert (code, said["findings"][0]["code"]) == (2, "usage")


def test_silence_is_reported_when_asked(tmp_path, address):
    grow(2, hours=0)  # long before today
    code, said = run(
        "witness",
        "add",
        address,
        "--store",
        tmp_path / "s",
        "--key-fingerprint",
        keys.fingerprint(),
        "--max-age-hours",
        2,
    )
    assert (code, said["findings"][0]["code"]) == (1, "overdue")


def test_the_handover_is_made_once_and_what_it_gives_checks_a_bundle(tmp_path, address):
    fill(10)
    given = heads.handover(tmp_path / "given", NOW + timedelta(hours=1), "a_manager")
    with pytest.raises(LedgerError, match="不是空的"):
        heads.handover(tmp_path / "given", NOW + timedelta(hours=1), "a_manager")
    assert sorted(p.name for p in (tmp_path / "given").iterdir()) == [
        "README.txt",
        "first-head.json",
        "handover.html",
        "key-fingerprint.txt",
        "verify.html",
        "verify.py",
    ]
    assert (tmp_path / "given" / "verify.py").read_bytes() == VERIFY.read_bytes()
    for i in range(3):
        claim(100 + i, NOW + timedelta(hours=2))
    facts = bundle.export(11, None, tmp_path / "b.zip", now=NOW + timedelta(hours=2), actor="b_manager")
    assert facts["warnings"] == []
    assert facts["to"] == 15  # handover, three claims, the export itself
    first_head = tmp_path / "given" / "first-head.json"
    code, said = run(tmp_path / "b.zip", "--key-fingerprint", given["fingerprint"], "--first-head", first_head)
    assert (code, said["ok"], said["linked_heads"]) == (0, True, 1)
    kinds = Entry.objects.order_by("seq").values_list("intake__kind", flat=True)
    assert list(kinds)[-1] == "ledger.exported"
    assert witness(tmp_path, first_head, address) == (0, [])


def test_heads_pushed_before_the_handover_are_continued_by_the_first_head(tmp_path, address):
    """A kit handed over late, and everything given at once in any order: each head meets the one its proof starts from."""
    for hour in range(4):
        grow(2, hours=hour)
    heads.handover(tmp_path / "given", NOW + timedelta(hours=4), "a_manager")
    grow(2, hours=5)
    assert witness(tmp_path, tmp_path / "given" / "first-head.json", *sorted(address.iterdir(), reverse=True)) == (
        0,
        [],
    )
    _code, said = run("witness", "check", write(tmp_path / "b.zip"), "--store", tmp_path / "store")
    assert (said["ok"], said["linked_heads"]) == (True, 6)


def test_the_page_fills_a_gap_among_the_kept_heads_with_the_bundle(tmp_path, address):
    """verify.py asks for the missing files; a bundle that holds the loose head proves as much."""
    for hour in range(4):
        grow(2, hours=hour)
    first_file, *_between, last_file = sorted(address.iterdir())
    given = [(p.name, p.read_bytes()) for p in (last_file, first_file)]
    alone = twin().check(None, keys.fingerprint(), given)
    assert [f["code"] for f in alone["findings"]] == ["gap"]
    with_bundle = twin().check(write(tmp_path / "b.zip").read_bytes(), keys.fingerprint(), given)
    assert (with_bundle["findings"], with_bundle["heads"]["kept"]) == ([], 2)
    rewrite_everything(3)
    rewritten = twin().check(write(tmp_path / "b.zip").read_bytes(), keys.fingerprint(), given)
    assert {f["code"] for f in rewritten["findings"]} & {"rewritten", "resigned"}


#: hashlib without SM3, as where OpenSSL has none; then verify.py with the same arguments.
NO_SM3 = """
import hashlib, runpy, sys
real = hashlib.new
def new(name, *rest, **more):
    if name == "sm3":
        raise ValueError("unsupported hash type sm3")
    return real(name, *rest, **more)
hashlib.new = new
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
PYTHONS = sorted({sys.executable, *map(str, Path.home().glob(".pyenv/versions/3.[89]*/bin/python3"))})


@pytest.mark.parametrize("python", PYTHONS)
def test_it_runs_isolated_without_sm3_and_on_old_pythons(tmp_path, python):
    import subprocess

    fill(12)
    good = write(tmp_path / "b.zip")
    command = [
        python,
        "-I",
        "-S",
        "-c",
        NO_SM3,
        str(VERIFY),
        str(good),
        "--key-fingerprint",
        keys.fingerprint(),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["ok"] is True
    Entry.objects.filter(seq=5).update(leaf=b"\1" * 32)
    write(good)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["findings"][0]["seq"] == 5


def test_it_prints_for_people_in_any_locale(tmp_path):
    import subprocess

    fill(3)
    command = [
        sys.executable,
        "-I",
        "-S",
        str(VERIFY),
        str(write(tmp_path / "b.zip")),
        "--key-fingerprint",
        keys.fingerprint(),
    ]
    done = subprocess.run(
        command, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"}
    )
    assert done.returncode == 0
    assert done.stderr == b""


def test_it_imports_nothing_but_the_standard_library():
    import ast

    names = set()
    for node in ast.walk(ast.parse(VERIFY.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    assert names <= set(sys.stdlib_module_names)


def resaved(path: Path, change: dict[str, bytes], extra: dict[str, bytes] | None = None) -> Path:
    out = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change.get(name, old.read(name)))
        for name, data in (extra or {}).items():
            new.writestr(name, data)
    path.write_bytes(out.getvalue())
    return path


def test_a_head_of_half_a_record_and_a_head_without_a_key_are_findings(tmp_path):
    """Signed with the real key: 1.5 records would be compared with nothing, so it must not be taken for a head."""
    fill(3)
    newest = services.head()
    assert newest is not None
    given = json.loads(heads.head_file(newest, []))
    body = given["body"].replace('"size":3', '"size":2.5')
    half = {**given, "body": body, "signature": keys.signer().sign(body.encode()).hex()}
    for facts in (half, {**given, "public": None}, {**given, "public": "04"}, {**given, "links": 5}):
        (tmp_path / "head.json").write_text(json.dumps(facts))
        code, said = run(
            write(tmp_path / "b.zip"), "--key-fingerprint", keys.fingerprint(), "--first-head", tmp_path / "head.json"
        )
        assert (code, len(said["findings"])) == (1, 1)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("manifest.json", b"[]"),
        ("manifest.json", b"{" * 100_000),
        ("manifest.json", b'{"format":"yunwei-bundle/1","from":' + b"9" * 5000 + b"}"),
        ("proofs.json", b"null"),
        ("proofs.json", b"[" * 200_000 + b"]" * 200_000),
        ("heads.jsonl", b"{}\n"),
        ("heads.jsonl", b""),
        ("entries.jsonl", b"\xff\xfe\n"),
        ("entries.jsonl", b'{"seq":null}\n'),
        ("entries.jsonl", b'{"seq":1,"leaf":7,"body":{},"row":[]}\n'),
        ("entries.jsonl", b""),
        ("artifacts.jsonl", b"[1]\n"),
        ("extra.jsonl", b'{"seq":-4}\n'),
    ],
)
def test_malformed_files_are_findings_and_never_a_traceback(tmp_path, name, data):
    fill(6)
    findings, _facts = check(resaved(write(tmp_path / "b.zip"), {name: data}))
    assert findings


def test_a_zip_bomb_code_and_strangers_are_refused(tmp_path):
    fill(6)
    good = write(tmp_path / "b.zip").read_bytes()
    bomb = tmp_path / "bomb.zip"
    bomb.write_bytes(good)
    resaved(bomb, {"extra.jsonl": b" " * (40 << 20)})
    assert bomb.stat().st_size < 100_000
    code, said = run(bomb, "--key-fingerprint", keys.fingerprint(), "--max-bytes", 1 << 20)
    assert (code, said["findings"][0]["code"]) == (1, "too-large")
    assert first(bomb) == ("malformed", "extra.jsonl 第 1 行")  # within the limit, but one line of 40 MB
    for extra in ({"run.py": b"print(1)"}, {"../../etc/x": b""}, {"artifacts/" + "0" * 64: b"stray"}):
        stranger = tmp_path / "s.zip"
        stranger.write_bytes(good)
        found = first(resaved(stranger, {}, extra))
        assert found is not None
        assert found[0] in {"malformed", "stray"}
    for junk in (b"", b"PK\x03\x04", good[: len(good) // 2], os.urandom(2000)):
        (tmp_path / "junk").write_bytes(junk)
        assert first(tmp_path / "junk") is not None


def test_an_instance_that_was_moved_still_knows_what_its_own_folder_holds(settings, tmp_path):
    """A relative address: restored elsewhere, the next head still comes with the proof from the last one."""
    settings.YUNWEI = {"ledger": {"push": ["heads"]}}
    one, two = tmp_path / "one", tmp_path / "two"
    settings.INSTANCE = one
    keys.create(one)
    fill(5)
    heads.push(NOW + timedelta(minutes=1))
    assert witness(tmp_path, one / "heads") == (0, [])
    shutil.copytree(one, two)
    settings.INSTANCE = two
    claim(6)
    heads.push(NOW + timedelta(minutes=2))
    assert witness(tmp_path, two / "heads") == (0, [])
