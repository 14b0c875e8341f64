"""A ledger restored from a backup: an honest restore, a cut history and a restore that lies are told apart (ADR 13)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from tests.ledger.kit import NOW, VERIFY, check, claim, run, write

from yunwei.ledger import audit, checking, heads, keys, proofs, restored, services
from yunwei.ledger.errors import LedgerError
from yunwei.ledger.models import Entry, Head, HeadPush, Intake, Node, Restored

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Somebody:
    username: str
    role: str
    party: str
    is_active: bool = True


VENDOR = Somebody("b_manager", "b_manager", "B")
CLIENT = Somebody("a_manager", "a_manager", "A")
LATER = NOW + timedelta(days=2)


@pytest.fixture
def address(settings, tmp_path) -> Path:
    """The client's folder, to which the machine pushes."""
    settings.YUNWEI = {"ledger": {"push": [str(tmp_path / "client")]}}
    return tmp_path / "client"


def grow(count: int, hours: float, start: int) -> None:
    """Some records and a head of theirs with the client."""
    for i in range(count):
        claim(start + i, NOW + timedelta(hours=hours))
    heads.push(NOW + timedelta(hours=hours))


def put_back(number: int) -> None:
    """The database as it was when this head was the newest: what restoring a backup of that moment gives."""
    size = Head.objects.get(number=number).size
    HeadPush.objects.filter(head__number__gt=number).delete()
    Restored.objects.filter(head__number__gt=number).delete()
    Head.objects.filter(number__gt=number).delete()
    gone = list(Entry.objects.filter(seq__gt=size).values_list("intake_id", flat=True))
    Entry.objects.filter(seq__gt=size).delete()
    Intake.objects.filter(pk__in=gone).delete()
    Node.objects.all().delete()
    proofs.rebuild()


def year() -> None:
    """Four heads with the client, of 3, 6, 9 and 12 records."""
    for hour in range(4):
        grow(3, hour, 10 * hour + 1)


def restore(address: Path, kept: int = 2, **changes: Any) -> Restored:
    """Put back the second head's state and say so; `changes` are lies about the old head."""
    put_back(kept)
    old = restored.outside([address])
    assert old is not None
    return restored.declare(replace(old, **changes), why="磁盘损坏，用昨夜的备份恢复", by=VENDOR, now=LATER)


def go_on(*, agree: bool | None) -> None:
    """Records after the restore, the client's answer among them."""
    for i in range(9):
        claim(100 + i, LATER + timedelta(hours=1))
    services.sequence(LATER + timedelta(hours=1))
    if agree is not None:
        (row,) = Restored.objects.all()
        restored.answer(row.seq, agree=agree, by=CLIENT, now=LATER + timedelta(hours=2), reason="已核对")
    heads.push(LATER + timedelta(hours=2))


def later_head(address: Path) -> Path:
    """The head that the client held when the disk broke: of 12 records."""
    (found,) = address.glob("head-000000000012-*.json")
    return found


def codes(findings: list[Any]) -> list[str]:
    return [f.code for f in findings]


def witness(tmp_path: Path, *paths: Path) -> list[str]:
    words = ("witness", "add", *paths, "--store", tmp_path / "store", "--key-fingerprint", keys.fingerprint())
    _code, said = run(*words)
    return [f["code"] for f in said["findings"]]


def alone(tmp_path: Path, *paths: Path) -> list[str]:
    """As the client's own store sees it, which knows what came first; the page is given everything at once."""
    command = [
        sys.executable,
        "-I",
        "-S",
        str(VERIFY),
        "witness",
        "add",
        *map(str, paths),
        "--store",
        str(tmp_path / "store"),
    ]
    command += ["--key-fingerprint", keys.fingerprint(), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [f["code"] for f in json.loads(done.stdout)["findings"]]


def test_an_honest_restore_that_the_client_acknowledged_holds_and_is_told(tmp_path, address):
    year()
    held = later_head(address)
    row = restore(address)
    assert (row.seq, row.lost, row.old_number, row.old_size) == (7, 6, 4, 12)
    go_on(agree=True)
    findings, facts = check(write(tmp_path / "b.zip"), (held,))
    assert findings == []
    (told,) = facts["restored"]
    assert told == {
        "seq": 7, "head": 5, "old": 4, "lost": 6, "agreed": True, "answer": 17, "by": "a_manager", "why": "磁盘损坏，用昨夜的备份恢复",
    }  # fmt: skip
    assert facts["linked_heads"] == 1


@pytest.mark.parametrize(("agree", "code"), [(None, "restored-open"), (False, "restored-refused")])
def test_a_restore_that_the_client_has_not_acknowledged_is_named(tmp_path, address, agree, code):
    year()
    held = later_head(address)
    restore(address)
    go_on(agree=agree)
    findings, facts = check(write(tmp_path / "b.zip"), (held,))
    assert codes(findings) == [code]
    assert "编号 7 至 12 的 6 条记录丢失" in findings[0].text
    assert facts["restored"][0]["agreed"] is agree
    assert codes(check(write(tmp_path / "b.zip"))[0]) == [code]  # without a head of their own too


def test_a_cut_history_without_a_record_is_never_taken_for_a_restore(tmp_path, address):
    year()
    held = later_head(address)
    put_back(2)
    go_on(agree=None)
    findings, facts = check(write(tmp_path / "b.zip"), (held,))
    assert set(codes(findings)) & {"cut", "resigned", "rewritten"}
    assert not any(c.startswith("restored") for c in codes(findings))
    assert "restored" not in facts


def test_records_of_another_range_bring_the_restore_and_its_answer_along(tmp_path, address):
    year()
    first = min(address.iterdir())
    held = later_head(address)
    restore(address)
    go_on(agree=True)
    for start, end in ((1, 3), (9, 11), (7, 7), (12, 17)):
        findings, facts = check(write(tmp_path / "b.zip", start, end), (held,))
        assert findings == [], (start, end)
        assert facts["restored"][0]["by"] == "a_manager"
    assert check(write(tmp_path / "b.zip", 1, 9), (first, held))[1]["linked_heads"] == 2


@pytest.mark.parametrize("lie", [{"size": 7}, {"size": 13}, {"number": 3, "size": 9}, {"hash": "0" * 64}])
def test_a_restore_that_lies_about_the_old_head_or_the_number_of_lost_records_is_named(tmp_path, address, lie):
    year()
    files = sorted(address.iterdir())
    restore(address, **lie)
    go_on(agree=True)
    findings, _facts = check(write(tmp_path / "b.zip"), tuple(files))
    assert set(codes(findings)) & {"restored-false", "resigned", "cut", "rewritten"}, findings
    assert alone(tmp_path, *files) == []
    assert set(alone(tmp_path, address)) & {"restored-false", "resigned", "cut"}


def test_an_old_head_that_the_client_was_never_given_is_asked_for(tmp_path, address):
    """A number further on, to cover heads that came to somebody else: without that file nothing is taken in."""
    year()
    assert alone(tmp_path, address) == []
    restore(address, number=9)
    go_on(agree=True)
    assert "gap" in alone(tmp_path, address)
    assert not list((tmp_path / "store").glob("head-*-000000000010.json"))


def test_a_record_that_says_something_else_than_its_head_is_named(tmp_path, address, monkeypatch):
    """Fewer lost records in the record, which people read, than in the head."""
    year()
    honest = services.record

    def less(kind: str, subject: str, data: dict[str, Any], **more: Any) -> Intake:
        return honest(kind, subject, {**data, "lost": 1} if kind == restored.KIND else data, **more)

    monkeypatch.setattr(services, "record", less)
    restore(address)
    go_on(agree=True)
    findings, _facts = check(write(tmp_path / "b.zip"))
    assert codes(findings) == ["restored-false"]


def test_a_record_of_a_restore_that_no_head_tells_of_is_named(tmp_path, address):
    """Written into a cut history to make it look honest."""
    year()
    held = later_head(address)
    put_back(2)
    said = {"old": {"number": 4, "size": 12, "hash": "0" * 64}, "kept": {}, "lost": 6, "why": "磁盘", "party": "B"}
    with transaction.atomic():
        services.record(restored.KIND, "ledger", said, at=LATER, actor="b_manager")
    go_on(agree=None)
    found = codes(check(write(tmp_path / "b.zip"))[0])
    assert found == ["restored-false", "restored-open"]
    assert set(codes(check(write(tmp_path / "b.zip"), (held,))[0])) & {"cut", "resigned", "rewritten"}


def test_a_head_that_tells_of_a_restore_without_its_record_is_named(tmp_path, address, monkeypatch):
    year()
    monkeypatch.setattr(restored, "KIND", "test.claim")
    restore(address)
    go_on(agree=None)
    assert "restored-false" in codes(check(write(tmp_path / "b.zip"))[0])


def test_the_witness_tells_of_a_restore_until_a_bundle_shows_the_acknowledgement(tmp_path, address):
    year()
    assert witness(tmp_path, address) == []
    restore(address)
    go_on(agree=None)
    assert witness(tmp_path, address) == ["restored"]
    store = tmp_path / "store"
    code, said = run("witness", "check", write(tmp_path / "b.zip"), "--store", store)
    assert (code, [f["code"] for f in said["findings"]]) == (1, ["restored-open"])
    assert witness(tmp_path, address) == ["restored"]
    (row,) = Restored.objects.all()
    restored.answer(row.seq, agree=True, by=CLIENT, now=LATER + timedelta(hours=3))
    heads.push(LATER + timedelta(hours=3))
    assert witness(tmp_path, address) == ["restored"]
    code, said = run("witness", "check", write(tmp_path / "b.zip"), "--store", store)
    assert (code, said["findings"]) == (0, [])
    assert said["linked_heads"] >= 5
    assert (store / "acknowledged-000000000005.json").exists()


def test_the_store_is_quiet_after_the_acknowledgement(tmp_path, address):
    year()
    witness(tmp_path, address)
    restore(address)
    go_on(agree=True)
    assert witness(tmp_path, address) == ["restored"]
    assert run("witness", "check", write(tmp_path / "b.zip"), "--store", tmp_path / "store")[0] == 0
    assert alone(tmp_path, address) == []
    command = [
        sys.executable,
        "-I",
        "-S",
        str(VERIFY),
        str(tmp_path / "b.zip"),
        "--key-fingerprint",
        keys.fingerprint(),
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "丢失 6 条" in told.stdout
    assert "由 a_manager 确认（记录 17）" in told.stdout


def test_the_head_that_tells_of_the_restore_goes_out_before_any_later_one(tmp_path, address):
    """The first pushes after the restore fail: the client's folder is away. Later heads alone would look like a cut."""
    year()
    assert witness(tmp_path, address) == []
    restore(address)
    address.rename(tmp_path / "away")
    address.write_text("no folder")
    go_on(agree=None)
    address.unlink()
    (tmp_path / "away").rename(address)
    claim(200, LATER + timedelta(hours=4))
    tries = heads.push(LATER + timedelta(hours=4))
    assert [p.head_id for p in tries] == [5, tries[-1].head_id]
    assert len(tries) == 2
    assert witness(tmp_path, address) == ["restored"]


def test_a_restore_after_a_restore(tmp_path, address):
    """Back to before the first restore was declared: the old head is then one of the heads that came after it."""
    year()
    held = later_head(address)
    restore(address, 2)
    go_on(agree=True)
    assert witness(tmp_path, address) == ["restored"]
    put_back(2)
    old = restored.outside([address])
    assert old is not None
    row = restored.declare(old, why="又坏了一次", by=VENDOR, now=LATER + timedelta(days=1))
    restored.answer(row.seq, agree=True, by=CLIENT, now=LATER + timedelta(days=1))
    heads.push(LATER + timedelta(days=1, hours=1))
    findings, facts = check(write(tmp_path / "b.zip"), tuple(sorted(address.iterdir())))
    assert findings == []
    assert [r["lost"] for r in facts["restored"]] == [old.size - 6]
    assert check(write(tmp_path / "b.zip"), (held,))[0] == []
    assert witness(tmp_path, address) == ["restored"]


def test_a_restore_of_the_newest_state_needs_no_record(address):
    year()
    old = restored.outside([address])
    assert old is not None
    assert not restored.behind(old)
    with pytest.raises(LedgerError, match="没有缺少"):
        restored.declare(old, why="x", by=VENDOR, now=LATER)


def test_without_an_old_head_nobody_knows_how_many_are_lost(tmp_path, address):
    year()
    put_back(2)
    row = restored.declare(None, why="甲方没有留存签名头", by=VENDOR, now=LATER)
    assert row.lost is None
    go_on(agree=None)
    assert codes(check(write(tmp_path / "b.zip"))[0]) == ["restored-open"]
    restored.answer(row.seq, agree=True, by=CLIENT, now=LATER + timedelta(hours=3))
    services.sequence(LATER + timedelta(hours=3))
    assert check(write(tmp_path / "b.zip"))[0] == []


def test_a_head_of_another_history_or_another_key_is_no_old_head(tmp_path, address, settings):
    year()
    put_back(2)
    old = restored.outside([address])
    assert old is not None
    with pytest.raises(LedgerError, match="不是同一段历史"):
        restored.declare(replace(old, number=2), why="x", by=VENDOR, now=LATER)
    settings.INSTANCE = tmp_path / "other"
    keys.create()
    with pytest.raises(LedgerError, match="不是用本实例的密钥"):
        restored.outside([address])
    (tmp_path / "garbage.json").write_text("{}")
    with pytest.raises(LedgerError, match="无法读取"):
        restored.outside([tmp_path / "garbage.json"])
    (tmp_path / "empty").mkdir()
    assert restored.outside([tmp_path / "empty"]) is None


@pytest.mark.parametrize(
    ("who", "match"),
    [
        (VENDOR, "甲方"),
        (Somebody("a_finance", "a_finance", "A"), "负责人"),
        (Somebody("a_manager", "a_manager", "A", is_active=False), "负责人"),
    ],
)
def test_only_a_signer_of_the_client_answers(address, who, match):
    year()
    row = restore(address)
    with pytest.raises(LedgerError, match=match):
        restored.answer(row.seq, agree=True, by=who, now=LATER)


def test_an_answer_is_given_once_and_a_refusal_says_why(address):
    year()
    row = restore(address)
    with pytest.raises(LedgerError, match="理由"):
        restored.answer(row.seq, agree=False, by=CLIENT, now=LATER)
    restored.answer(row.seq, agree=False, by=CLIENT, now=LATER, reason="条数与我方签名头不符")
    with pytest.raises(LedgerError, match="已有答复"):
        restored.answer(row.seq, agree=True, by=CLIENT, now=LATER)
    with pytest.raises(LedgerError, match="没有这条"):
        restored.answer(99, agree=True, by=CLIENT, now=LATER)


def test_who_declared_it_does_not_acknowledge_it(address):
    year()
    put_back(2)
    row = restored.declare(restored.outside([address]), why="甲方自己恢复", by=CLIENT, now=LATER)
    with pytest.raises(LedgerError, match="不能自己确认"):
        restored.answer(row.seq, agree=True, by=CLIENT, now=LATER)


CHANGES: list[Callable[[], object]] = [
    lambda: Restored.objects.update(lost=1),
    lambda: Restored.objects.update(old_size=7),
    lambda: Restored.objects.update(why="没有什么"),
    lambda: Restored.objects.update(agreed=True),
    lambda: Restored.objects.update(by="a_manager"),
    lambda: Restored.objects.all().delete(),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_row_that_was_changed_by_hand_does_not_follow_from_the_ledger(address, change):
    year()
    restore(address)
    services.sequence(LATER)
    assert [d for d in audit.audit() if d.room == "ledger"] == []
    change()
    assert [d for d in audit.audit() if d.subject == "restored:7"]


def test_the_chain_of_a_record_is_followed_across_the_restore(tmp_path, address):
    year()
    restore(address)
    go_on(agree=True)
    steps = checking.check(Entry.objects.get(seq=2))
    assert all(step.holds is not False for step in steps), steps


def test_the_number_of_the_next_head_goes_on_from_the_old_one(address):
    year()
    old = json.loads(later_head(address).read_bytes())
    row = restore(address)
    said = json.loads(bytes(row.head.body))
    assert said["number"] == json.loads(old["body"])["number"] + 1
    assert said["prev"] == restored.outside([later_head(address)]).hash  # type: ignore[union-attr]
    assert said["size"] == 7
    services.beat(LATER)
    assert Head.objects.order_by("-number")[0].number == said["number"] + 1


def test_a_head_that_lies_about_what_was_kept_is_named_in_a_bundle_of_later_records(tmp_path, address, monkeypatch):
    """The kept head lies outside of the bundle; the client holds it."""
    year()
    (kept,) = address.glob("head-000000000006-*.json")
    real = restored._facts

    def another(last: Head, old: Any) -> dict[str, Any]:
        said = real(last, old)
        return {**said, "kept": {**said["kept"], "hash": "1" * 64}}

    monkeypatch.setattr(restored, "_facts", another)
    restore(address)
    go_on(agree=True)
    assert "restored-false" in codes(check(write(tmp_path / "b.zip", 9, 12), (kept,))[0])
    assert "restored-false" in codes(check(write(tmp_path / "b.zip"))[0])
    assert "restored-false" in alone(tmp_path, address)
