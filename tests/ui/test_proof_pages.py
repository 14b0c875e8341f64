"""证据链, 审计, 核对: what they show, that looking leaves its record, and that nothing of a record runs or leaks."""

from __future__ import annotations

import io
import re
import shutil
import tomllib
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, expect

from tests.ui import scene
from tests.ui.test_browser import Watched, chromium, sideways  # noqa: F401 - a fixture
from yunwei.accounts.models import Account, Organisation, Role
from yunwei.gm import sm3
from yunwei.ledger import artifacts, heads, keys, lookup, reading, services, verify
from yunwei.ledger.models import Artifact, Entry, Head, HeadPush, Intake
from yunwei.ledger.web import pace, trail
from yunwei.ledger.web import verify as verify_page
from yunwei.ui import pages

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 26, 2, 30, tzinfo=UTC)
BUDGETS = tomllib.loads((Path(__file__).parent / "budgets.toml").read_text(encoding="utf-8"))["lists"]
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script></svg>'
HTML = b"<!doctype html><script>alert(3)</script><img src=x onerror=alert(4)>"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


@pytest.fixture
def crew(contract, settings) -> dict[str, Account]:
    """One account of each kind, at the scene's moment."""
    settings.YUNWEI = {"demo": True, "clock": {"offset_s": (NOW - datetime.now(UTC)).total_seconds()}}
    verify_page.PACE.forget()
    # another test of this process may have pushed a head of the same number and size; none is ever written over
    shutil.rmtree(keys.instance() / "heads", ignore_errors=True)
    return scene.crew()


def claim(kind: str, subject: str, data: dict[str, object], *files: Artifact, actor: str = "b_manager") -> Entry:
    with transaction.atomic():
        intake = services.record(kind, subject, data, at=NOW, actor=actor, clauses=["2.1-S"], artifacts=files)
    services.sequence(NOW)
    return Entry.objects.get(intake=intake)


def as_(name: str) -> Client:
    client = Client()
    client.force_login(Account.objects.get(username=name))
    return client


def looks(reader: str = "a_manager") -> list[dict[str, object]]:
    return [dict(reading.told(i)) for i in Intake.objects.filter(kind=reading.READ, actor=reader).order_by("id")]


# ── who may ──
def test_each_page_opens_for_its_roles_and_for_nobody_else(crew):
    entry = claim("desk.ticket.opened", "T-1", {}, services.store(b"hello", "text/plain"))
    file = entry.intake.mentions.get().artifact.commitment
    everybody = {role: Account.objects.filter(role=role).first() for role in Role}
    for role, account in everybody.items():
        if account is None:
            everybody[role] = Account.objects.create(
                username=role.value, display_name=role.value, role=role, organisation=Organisation.objects.get(code="A")
            )
    readers = {
        f"/evidence{tail}"
        for tail in ("", "/1", "/1/check", "/1/download", f"/1/artifact/{file}", f"/1/artifact/{file}/download")
    }
    auditors = {Role.AUDITOR, Role.ASSESSOR, Role.A_LEADER, Role.A_MANAGER}
    for role, account in everybody.items():
        client = Client()
        client.force_login(account)
        for address in sorted(readers):
            assert (client.get(address).status_code == 200) == (role in pages.READERS), (role, address)
        assert (client.get("/audit").status_code == 200) == (role in auditors), role
        assert client.get("/verify").status_code == 200
        for address in ("/audit/compare", "/evidence/bundle"):
            allowed = role in (auditors if "audit" in address else pages.READERS)
            answer = client.post(address, {"start": "1", "end": "1"})
            assert (answer.status_code == 200) == allowed, (role, address)
            assert not answer.streaming or b"".join(answer)


def test_a_stranger_sees_only_the_check_by_digest(client: Client, crew):
    claim("desk.ticket.opened", "T-1", {})
    for address in ("/evidence", "/evidence/1", "/evidence/1/check", "/evidence/1/download", "/audit"):
        assert client.get(address).status_code == 302, address
    assert client.get("/verify").status_code == 200


def test_exports_need_their_token(crew):
    client = Client(enforce_csrf_checks=True)
    client.force_login(crew["a_manager"])
    claim("desk.ticket.opened", "T-1", {})
    assert client.post("/evidence/bundle", {"start": "1"}).status_code == 403
    assert client.post("/audit/compare").status_code == 403
    assert as_("a_manager").get("/evidence/bundle").status_code == 405, "making a bundle is a write"


# ── the list ──
def test_the_state_of_the_chain_stands_in_the_title(crew):
    assert "台账还没有记录" in as_("auditor").get("/evidence").content.decode()
    claim("desk.ticket.opened", "T-1", {})
    text = as_("auditor").get("/evidence").content.decode()
    assert "尚未送达甲方" in text
    heads.push(NOW)
    text = as_("auditor").get("/evidence").content.decode()
    assert "最近送达甲方的是签名头" in text
    assert keys.fingerprint() in text
    HeadPush.objects.update(at=NOW - timedelta(hours=2))
    text = as_("auditor").get("/evidence").content.decode()
    assert "逾期未送达甲方" in text
    assert "最近送达甲方的是" not in text


def shown(address: str) -> list[int]:
    """The numbers of the rows."""
    text = as_("auditor").get(address).content.decode()
    return [int(n) for n in re.findall(r'<tr tabindex="-1" data-href="/evidence/(\d+)"', text)]


def test_filters_narrow_and_live_in_the_address(crew):
    for i in range(1, 7):
        claim(
            "desk.ticket.opened" if i % 2 else "duties.event.recorded", f"T-{i}", {}, actor="tenant" if i > 4 else "x:y"
        )
    assert shown("/evidence") == [6, 5, 4, 3, 2, 1]
    assert shown("/evidence?kind=desk.ticket.opened") == [5, 3, 1]
    assert shown("/evidence?actor=tenant") == [6, 5]
    assert shown("/evidence?subject=T-3") == [3]
    assert shown("/evidence?no=2-4") == [4, 3, 2]
    assert shown("/evidence?no=5-") == [6, 5]
    assert shown("/evidence?no=3") == [3]
    assert shown("/evidence?no=x") == []
    assert shown("/evidence?clause=2.1-S") == [6, 5, 4, 3, 2, 1]
    assert shown("/evidence?clause=2.1") == [], "a clause is not the beginning of another one"
    assert shown('/evidence?clause="') == []
    assert shown("/evidence?from=2026-11-26&to=2026-11-26") == [6, 5, 4, 3, 2, 1]
    assert shown("/evidence?from=2026-11-27") == []
    assert shown("/evidence?to=2026-11-25") == []
    assert shown("/evidence?to=yesterday") == []


def test_a_page_of_the_list_costs_the_same_whatever_it_holds(crew):
    client = as_("auditor")

    def statements(address: str) -> int:
        client.get(address)
        with CaptureQueriesContext(connection) as seen:
            assert client.get(address).status_code == 200
        return len(seen)

    claim("accounts.login", "auditor", {})
    few = {address: statements(address) for address in ("/evidence", "/audit")}
    for i in range(120):
        with transaction.atomic():
            services.record("accounts.login", f"T-{i}", {"about": ["tenant"]}, at=NOW, actor="b_manager")
    services.sequence(NOW)
    for address, before in few.items():
        assert statements(address) == before <= BUDGETS[address[1:]], address
        following = re.search(r'rel="next" href="([^"]+)"', client.get(address).content.decode())
        assert following
        assert statements(address + following[1].replace("&amp;", "&")) <= BUDGETS[address[1:]]


# ── one record ──
def test_a_record_shows_its_proof_and_its_neighbours(crew):
    for i in range(1, 12):
        claim("desk.ticket.opened", "T-1", {"n": i})
    text = as_("a_manager").get("/evidence/5").content.decode()
    entry = Entry.objects.get(seq=5)
    head = Head.objects.filter(size__gte=5).order_by("number").first()
    for said in (
        bytes(entry.leaf).hex(),
        bytes(head.root).hex(),
        bytes(head.signature).hex(),
        head.hash,
        "&#34;n&#34;: 5",
    ):
        assert said in text, said
    assert 'href="/evidence/4"' in text
    assert 'href="/evidence/6"' in text
    assert as_("a_manager").get("/evidence/99").status_code == 404
    assert as_("a_manager").get("/evidence/99999999999999999999999").status_code == 404


def test_the_bytes_that_are_hashed_can_be_taken_away(crew):
    entry = claim("desk.ticket.opened", "T-1", {"x": 1})
    answer = as_("a_manager").get("/evidence/1/download")
    assert sm3.digest(b"\x00" + answer.content) == bytes(entry.leaf)
    assert answer["Content-Disposition"].startswith("attachment")


def check(number: int) -> str:
    return as_("a_manager").get(f"/evidence/{number}/check", HTTP_HX_REQUEST="true").content.decode()


def test_the_button_computes_everything_again(crew):
    for i in range(1, 10):
        claim("desk.ticket.opened", f"T-{i}", {}, services.store(b"content %d" % i, "text/plain"))
    heads.push(NOW)
    text = check(4)
    assert "全部成立" in text
    for step in ("内容的叶哈希", "归入签名头", "SM2 签名", "直到最新签名头只有增加", "签名头逐个相接", "盐 ‖", "已于"):
        assert step in text, step
    whole = as_("a_manager").get("/evidence/4/check").content.decode()
    assert "全部成立" in whole
    assert "<html" in whole, "without script the whole page comes"


def tampered(where: str) -> None:
    """What somebody who owns the database or the disk can do to record 4."""
    entry = Entry.objects.select_related("intake").get(seq=4)
    head = Head.objects.filter(size__gte=4).order_by("number").first()
    artifact = entry.intake.mentions.get().artifact
    match where:
        case "body":
            changed = bytes(entry.intake.body).replace(b'"T-4"', b'"T-5"')
            Intake.objects.filter(pk=entry.intake_id).update(body=changed)
        case "leaf":
            Entry.objects.filter(seq=4).update(leaf=bytes(32))
        case "column":
            Intake.objects.filter(pk=entry.intake_id).update(actor="somebody")
        case "neighbour":
            Entry.objects.filter(seq=3).update(leaf=bytes(32))
        case "signature":
            Head.objects.filter(pk=head.pk).update(signature=bytes(64))
        case "root":
            Head.objects.filter(pk=head.pk).update(root=bytes(32))
        case "head chain":
            Head.objects.filter(number=head.number + 1).update(hash="0" * 64)
        case "file":
            artifacts.path_of(artifact.content_hash).write_bytes(b"something else")
        case "file gone":
            artifacts.path_of(artifact.content_hash).unlink()
        case "artifact row":
            Artifact.objects.filter(pk=artifact.pk).delete()
        case "later leaf":
            Entry.objects.filter(seq=8).update(leaf=bytes(32))


@pytest.mark.parametrize(
    "where",
    ["body", "leaf", "column", "neighbour", "signature", "root", "head chain", "file", "file gone", "artifact row", "later leaf"],
)  # fmt: skip
def test_the_button_finds_what_was_changed(crew, where: str):
    for i in range(1, 10):
        claim("desk.ticket.opened", f"T-{i}", {}, services.store(f"{where} {i}".encode(), "text/plain"))
    assert "全部成立" in check(4)
    tampered(where)
    text = check(4)
    assert "不成立" in text
    assert "全部成立" not in text
    assert as_("a_manager").get("/evidence/4").status_code == 200, "the page shows what is there, damaged as it is"


def test_a_body_that_is_no_json_is_shown_as_it_lies_there(crew):
    claim("desk.ticket.opened", "T-1", {})
    Intake.objects.update(body=b"\xff<script>alert(1)</script>")
    text = as_("a_manager").get("/evidence/1").content.decode()
    assert "字节已损坏" in text
    assert "<script>alert" not in text


def test_a_redacted_file_is_a_tombstone_with_its_reason(crew):
    kept = services.store(b"private", "text/plain")
    claim("desk.ticket.file", "T-1", {}, kept)
    with transaction.atomic():
        services.redact(kept, "当事人要求", at=NOW, actor="a_manager", basis="个人信息保护法 47")
    services.finish_redactions()
    services.sequence(NOW)
    text = as_("b_manager").get("/evidence/1").content.decode()
    assert "当事人要求" in text
    assert "个人信息保护法 47" in text
    assert 'href="/evidence/2"' in text
    assert f"{kept.commitment}/download" not in text
    assert as_("b_manager").get(f"/evidence/1/artifact/{kept.commitment}/download").status_code == 410
    assert "全部成立" in check(1)


# ── files ──
def test_files_come_as_attachments_of_our_own_type(crew):
    for content, said, given_type in (
        (SVG, "octet-stream", "image/svg+xml"),
        (HTML, "octet-stream", "text/html"),
        (PNG, "image/png", "text/html"),
    ):
        file = services.store(content, given_type)
        entry = claim("desk.ticket.file", "T-1", {}, file)
        answer = as_("a_manager").get(f"/evidence/{entry.seq}/artifact/{file.commitment}/download")
        assert answer.content == content
        assert said in answer["Content-Type"]
        assert answer["Content-Disposition"].startswith("attachment")
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "script-src 'unsafe" not in answer["Content-Security-Policy"]


def test_nothing_of_a_preview_runs(crew):
    for content in (SVG, HTML, b'{"a": "<script>alert(5)</script>"}', b"</pre><script>alert(6)</script>"):
        file = services.store(content, "text/html")
        entry = claim("desk.ticket.file", "T-1", {}, file)
        for headers in ({}, {"HTTP_HX_REQUEST": "true"}):
            text = as_("a_manager").get(f"/evidence/{entry.seq}/artifact/{file.commitment}", **headers).content.decode()
            assert "alert(" in text, "it is shown"
            assert not re.search(r"<script>|<svg xmlns|onerror=alert\(4\)>|<img src=x", text), "as text"
    file = services.store(PNG, "image/png")
    entry = claim("desk.ticket.file", "T-1", {}, file)
    text = as_("a_manager").get(f"/evidence/{entry.seq}/artifact/{file.commitment}").content.decode()
    assert f'<img src="/evidence/{entry.seq}/artifact/{file.commitment}/download"' in text
    file = services.store(b"\xff\xfe\x00binary", "text/plain")
    entry = claim("desk.ticket.file", "T-1", {}, file)
    assert "请下载后查看" in as_("a_manager").get(f"/evidence/{entry.seq}/artifact/{file.commitment}").content.decode()


def test_nothing_of_a_record_runs(crew):
    bad = '"><script>alert(1)</script>'
    claim("x<script>", bad, {"about": [bad], bad: bad}, services.store(b"x", bad[:90]), actor=bad[:70])
    for address in ("/evidence", "/evidence/1", "/evidence/1/check", f"/evidence?subject={bad}"):
        text = as_("a_manager").get(address).content.decode()
        assert "<script>alert" not in text, address
        assert "&lt;script&gt;alert" in text, address


def test_a_file_is_reached_only_by_the_record_that_names_it(crew, instance_folder: Path):
    named, other = services.store(b"named", "text/plain"), services.store(b"other", "text/plain")
    claim("desk.ticket.file", "T-1", {}, named)
    client = as_("a_manager")
    assert client.get(f"/evidence/1/artifact/{named.commitment}/download").status_code == 200
    for name in (
        other.commitment,
        "0" * 64,
        "..%2f..%2fyunwei.toml",
        "../../keys/ledger.pem",
        named.commitment.upper(),
        named.content_hash,
    ):
        assert client.get(f"/evidence/1/artifact/{name}/download").status_code == 404, name
        assert client.get(f"/evidence/1/artifact/{name}").status_code == 404, name
    (instance_folder / "secret").write_text("secret")
    Artifact.objects.filter(pk=named.pk).update(content_hash="../../secret", salt=b"")
    named.refresh_from_db()
    with pytest.raises(services.LedgerError):
        artifacts.read(named)
    answer = client.get(f"/evidence/1/artifact/{named.commitment}/download")
    assert answer.status_code == 409
    assert b"secret" not in answer.content.replace(b"../../secret", b"")


# ── looking is evidence ──
def test_opening_leaves_one_record_a_day_that_names_who_is_looked_at(crew):
    file = services.store(b"hello", "text/plain")
    entry = claim("desk.ticket.opened", "T-1", {"assignee": "b_engineer", "note": "tenantx"}, file, actor="tenant")
    client = as_("a_manager")
    for _ in range(3):
        client.get("/evidence/1")
        client.get("/evidence/1/check")
        client.get("/evidence/1/download")
    assert looks() == [{"what": "record", "seq": entry.seq, "about": ["b_engineer", "tenant"]}]
    client.get(f"/evidence/1/artifact/{file.commitment}")
    client.get(f"/evidence/1/artifact/{file.commitment}/download")
    assert looks()[1:] == [
        {"what": "artifact", "seq": 1, "about": ["b_engineer", "tenant"], "artifact": file.commitment}
    ]
    as_("b_manager").get("/evidence/1")
    assert len(looks("b_manager")) == 1, "each reader for himself"


def test_the_next_day_it_is_told_again(crew, settings):
    claim("desk.ticket.opened", "T-1", {})
    as_("a_manager").get("/evidence/1")
    later = NOW + timedelta(days=1)
    settings.YUNWEI = {"clock": {"offset_s": (later - datetime.now(UTC)).total_seconds()}}
    as_("a_manager").get("/evidence/1")
    assert len(looks()) == 2


def test_whoever_was_looked_at_finds_it(crew):
    claim("desk.ticket.opened", "T-1", {"assignee": "b_engineer"}, actor="tenant")
    as_("a_manager").get("/evidence/1")
    as_("tenant").get("/evidence/1")  # may not
    found = list(reading.looks_at("b_engineer"))
    assert [(i.actor, reading.told(i)["seq"]) for i in found] == [("a_manager", 1)]
    assert list(reading.looks_at("secadmin")) == []
    assert list(reading.looks_at("a_manager")) == [], "one's own looking is no news"


def test_a_list_taken_away_leaves_its_record(crew):
    for i in range(3):
        claim("desk.ticket.opened", f"T-{i}", {}, actor="tenant")
    claim("duties.event.recorded", "e", {}, actor="b_engineer")
    for form in ("csv", "xlsx"):
        answer = as_("a_manager").get(f"/evidence?format={form}&kind=desk.ticket.opened")
        assert answer.status_code == 200
        b"".join(answer)
    said = looks()
    assert [(s["what"], s["rows"], s["about"]) for s in said] == [("list", 3, ["tenant"])] * 2
    assert said[0]["filters"] == {"page": "evidence", "format": "csv", "kind": "desk.ticket.opened"}
    assert [i.actor for i in reading.looks_at("tenant")] == ["a_manager"] * 2
    assert list(reading.looks_at("b_engineer")) == []


def test_the_audit_list_taken_away_leaves_its_record(crew):
    claim("accounts.login", "tenant", {}, actor="tenant")
    b"".join(as_("auditor").get("/audit?format=csv"))
    assert [(s["what"], s["about"]) for s in looks("auditor")] == [("list", ["tenant"])]


# ── bundles ──
def bundle(client: Client, **given_range: str) -> tuple[int, bytes]:
    answer = client.post("/evidence/bundle", given_range)
    return answer.status_code, b"".join(answer) if answer.streaming else answer.content


@pytest.mark.django_db(transaction=True)
def test_a_bundle_is_what_the_verifier_accepts_and_leaves_its_record(crew, tmp_path: Path):
    for i in range(1, 8):
        claim("desk.ticket.opened", f"T-{i}", {}, services.store(f"b{i}".encode(), "text/plain"), actor="tenant")
    status, content = bundle(as_("a_manager"), start="3", end="5")
    assert status == 200
    path = tmp_path / "b.zip"
    path.write_bytes(content)
    found, facts = verify.check_bundle(str(path), keys.fingerprint(), [], verify.MAX_BYTES)
    assert found == []
    assert (facts["from"], facts["to"]) == (3, 5)
    told = Intake.objects.get(kind="ledger.exported")
    assert told.actor == "a_manager"
    data = reading.told(told)
    assert (data["from"], data["to"], data["about"]) == (3, 5, ["tenant"])
    assert [i.actor for i in reading.looks_at("tenant")] == ["a_manager"]
    status, content = bundle(as_("a_manager"), start="2026-11-26", end="2026-11-26")
    assert status == 200
    assert len(zipfile.ZipFile(io.BytesIO(content)).read("entries.jsonl").splitlines()) == 8, (
        "by day, the export's own too"
    )


def test_a_range_that_is_none_says_so_and_leaves_nothing(crew, monkeypatch):
    claim("desk.ticket.opened", "T-1", {})
    for start, end in (("5", ""), ("2", "1"), ("x", ""), ("2026-13-01", ""), ("1", "99"), ("²", ""), ("9" * 30, "")):
        status, content = bundle(as_("a_manager"), start=start, end=end)
        assert status == 400, (start, end)
        assert b'role="alert"' in content
    monkeypatch.setattr("yunwei.ledger.web.evidence.BUNDLE_MAX", 1)
    claim("desk.ticket.opened", "T-2", {})
    status, content = bundle(as_("a_manager"), start="1")
    assert status == 400
    assert "yunwei evidence export --from 1 --to 2" in content.decode()
    assert not Intake.objects.filter(kind="ledger.exported").exists()


# ── the check by digest ──
def asked(digest: str) -> tuple[int, str]:
    answer = Client().get("/verify", {"h": digest})
    return answer.status_code, answer.content.decode()


def test_an_issued_document_is_known_by_its_digest(crew):
    content = b"%PDF-1.7 monthly report"
    entry = claim(
        "reports.report.made", "report:2026-11", {"title": "秘密"}, services.store(content, "application/pdf")
    )
    status, text = asked(sm3.hexdigest(content).upper())
    assert status == 200
    assert f"№ {entry.seq}" in text
    assert "签名与归入证明成立" in text
    for leak in ("report:2026-11", "秘密", "b_manager", "reports.report", "application/pdf", "2.1-S"):
        assert leak not in text, leak


def test_what_can_be_guessed_is_not_confirmed(crew):
    content = "同意".encode()
    kept = services.store(content, "text/plain")
    claim("desk.ticket.opened", "T-0", {})
    claim("desk.ticket.reply", "T-1", {}, kept)

    def answer(digest: str) -> str:
        return re.sub(r'(csrfmiddlewaretoken" value=)"\w+"', r"\1", asked(digest)[1].replace(digest, ""))

    unknown = answer(sm3.hexdigest(b"never seen"))
    for digest in (kept.content_hash, bytes(Entry.objects.get(seq=2).leaf).hex()):
        assert lookup.find(digest) is None
        assert answer(digest) == unknown, "known and unknown answer alike"
    status, text = asked(kept.commitment)
    assert status == 200
    assert "№ 2" in text, "the salted commitment cannot be guessed"


def test_a_head_is_known_by_its_hash_and_its_root(crew):
    claim("desk.ticket.opened", "T-1", {})
    head = Head.objects.get()
    for digest in (head.hash, bytes(head.root).hex()):
        assert "这是第 1 号签名头" in asked(digest)[1]
    Head.objects.update(signature=bytes(64))
    assert "本机核验不成立" in asked(head.hash)[1]


def test_a_document_whose_record_was_changed_is_not_called_proven(crew):
    content = b"%PDF-1.7 report"
    entry = claim("reports.report.made", "r", {"n": 1}, services.store(content, "application/pdf"))
    changed = bytes(entry.intake.body).replace(b'"n":1', b'"n":2')
    Intake.objects.filter(pk=entry.intake_id).update(body=changed)
    assert "不成立" in asked(sm3.hexdigest(content))[1]


def test_a_finding_aid_alone_proves_nothing(crew):
    """Somebody with the database points a document at a record that does not name it."""
    content = b"%PDF-1.7 forged"
    entry = claim("reports.report.made", "r", {})
    forged = services.store(content, "application/pdf")
    entry.intake.mentions.create(artifact=forged)
    assert lookup.find(sm3.hexdigest(content)) is None


def test_a_redacted_document_is_no_longer_confirmed_by_content(crew):
    content = b"%PDF-1.7 withdrawn"
    kept = services.store(content, "application/pdf")
    claim("reports.report.made", "r", {}, kept)
    with transaction.atomic():
        services.redact(kept, "理由", at=NOW, actor="a_manager")
    services.finish_redactions()
    assert lookup.find(sm3.hexdigest(content)) is None


def test_asking_has_a_pace(crew):
    digest = "0" * 64
    for _ in range(verify_page.PACE.each):
        assert asked(digest)[0] == 200
    status, text = asked(digest)
    assert status == 429
    assert "过于频繁" in text
    assert Client(REMOTE_ADDR="192.0.2.7").get("/verify", {"h": digest}).status_code == 200, "others may ask on"
    assert not Intake.objects.exists(), "a stranger's question writes nothing"


@pytest.mark.parametrize("digest", ["abc", "g" * 64, "0" * 63, "0" * 65, "<script>alert(1)</script>"])
def test_what_is_no_digest_is_told(crew, digest: str):
    status, text = asked(digest)
    assert status == 400
    assert "64 位十六进制" in text
    assert "<script>alert" not in text


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 30)), max_size=80))
def test_no_address_ever_gets_more_than_its_share(asks: list[tuple[str, float]]):
    limit = pace.Pace(each=3, all=7, seconds=10.0)
    at, given_out = 0.0, []
    for who, wait in asks:
        at += wait
        if limit.allow(who, at):
            given_out.append((who, at))
        window = [(w, t) for w, t in given_out if t > at - 10.0]
        assert len(window) <= 7
        assert all(sum(w == one for w, _t in window) <= 3 for one in "abc")


def test_a_pace_remembers_a_bounded_number_of_addresses():
    limit = pace.Pace(each=1, all=10_000, seconds=10.0, remembered=50)
    for i in range(500):
        assert limit.allow(str(i), 0.0)
    assert len(limit._asked) == 50
    assert not limit.allow("499", 1.0)


# ── the trail ──
def test_the_trail_holds_who_looked_at_what(crew):
    claim("desk.ticket.opened", "T-1", {"assignee": "b_engineer"}, actor="tenant")
    claim("contract.plan.approved", "plan:1", {}, actor="a_manager")
    as_("a_manager").get("/evidence/1")
    services.sequence(NOW)
    text = as_("auditor").get("/audit").content.decode()
    assert "contract.plan.approved" in text
    assert "b_engineer tenant" in text, "whom it was about"
    assert "desk.ticket.opened" not in text
    only = as_("auditor").get("/audit?about=b_engineer").content.decode()
    assert "contract.plan.approved" not in only.split("<tbody")[1]
    assert "record:1" in only
    assert "record:1" not in as_("auditor").get("/audit?about=secadmin").content.decode()
    assert "record:1" not in as_("auditor").get("/audit?group=answers").content.decode()
    assert "没有符合" in as_("auditor").get("/audit?group=nonsense").content.decode()


def test_every_kind_that_touches_people_rights_or_the_ledger_is_in_the_trail():
    source = Path(trail.__file__).resolve().parents[2]
    text = "\n".join(p.read_text(encoding="utf-8") for p in source.rglob("*.py") if "migrations" not in p.parts)
    kinds = set(re.findall(r'"((?:accounts|ledger|instance)\.[a-z]+(?:\.[a-z]+)*)"', text)) - NO_KIND
    assert "accounts.login" in kinds
    assert kinds - set(trail.KINDS) == set()


#: strings of that form that are no kind of a record
NO_KIND = {"accounts.key", "ledger.pem"}


def test_comparing_names_a_row_that_was_changed_and_leaves_its_record(crew, monkeypatch):
    client = as_("auditor")
    assert "还没有对过账" in client.get("/audit").content.decode()
    claim("desk.ticket.opened", "T-1", {})
    services.sequence(NOW)
    Intake.objects.filter(subject="T-1").update(subject="T-9")
    text = client.post("/audit/compare", HTTP_HX_REQUEST="true").content.decode()
    assert "T-9" in text
    told = Intake.objects.get(kind=trail.AUDITED)
    assert told.actor == "auditor"
    assert reading.told(told)["differences"] >= 1
    assert "处与台账不符" in client.get("/audit").content.decode()
    monkeypatch.setattr(trail, "COMPARE_MAX", 0)
    text = client.post("/audit/compare").content.decode()
    assert "yunwei evidence audit" in text
    assert Intake.objects.filter(kind=trail.AUDITED).count() == 1


# ── in a browser ──
@pytest.mark.component
@pytest.mark.django_db(transaction=True)
def test_a_file_is_digested_in_the_browser_and_never_sent(chromium: Browser, live_server, crew, tmp_path: Path):  # noqa: F811
    content = bytes(range(256)) * 20_000 + b"tail"  # more than one piece, not a multiple of a block
    entry = claim("reports.report.made", "r", {}, services.store(content, "application/pdf"))
    watched = Watched(chromium, str(live_server.url), (390, 844))
    page, sent = watched.page, []
    page.on("request", lambda r: sent.append((r.method, r.url, r.post_data)))
    page.goto(f"{watched.site}/verify")
    for length in (*range(53, 66), 119, 120, 128, 1000):
        data = bytes((7 * i + length) % 256 for i in range(length))
        got = page.evaluate(
            "async data => new (await import('/static/yw/verify.js')).Sm3().update(new Uint8Array(data)).hex()",
            list(data),
        )
        assert got == sm3.hexdigest(data), length
    path = tmp_path / "report.pdf"
    path.write_bytes(content)
    page.set_input_files("#file", path)
    expect(page.locator("h1")).to_contain_text(f"台账第 {entry.seq} 号记录")
    assert sm3.hexdigest(content) in page.url
    assert all(method == "GET" and body is None for method, _url, body in sent), "nothing is uploaded"
    assert not sideways(page)
    assert watched.wrong == []
    watched.context.close()


@pytest.mark.component
@pytest.mark.django_db(transaction=True)
def test_the_button_and_a_preview_work_in_the_page(chromium: Browser, live_server, crew):  # noqa: F811
    claim("desk.ticket.file", "T-1", {}, services.store(SVG, "image/svg+xml"))
    watched = Watched(chromium, str(live_server.url), (1440, 900))
    page = watched.log_in("a_manager")
    page.goto(f"{watched.site}/evidence/1")
    page.get_by_role("link", name="核验这条记录").click()
    expect(page.locator("#checked")).to_contain_text("全部成立")
    page.get_by_role("link", name="查看", exact=True).click()
    expect(page.locator(".files pre")).to_contain_text("alert(2)")
    assert page.locator(".files svg, .files script").count() == 0
    assert watched.wrong == []
    watched.context.close()
