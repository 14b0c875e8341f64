"""verify.html as the client opens it: from a file, offline, by hand. That it finds what verify.py finds stands in `kit`."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import subprocess
import sys
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies
from playwright.sync_api import Page, expect
from tests.ledger.kit import NOW, VERIFY, agree, check, claim, fill, plain, write
from tests.ledger.twin import PAGE, twin

from yunwei.assessment import surprise
from yunwei.gm import selftest, sm2, sm3
from yunwei.ledger import heads, keys, services, verify
from yunwei.ledger.models import Entry, Intake

pytestmark = [pytest.mark.component, pytest.mark.django_db]


@pytest.fixture
def page():
    """The page in a context of its own; nothing may have gone wrong or out at the end."""
    opened = twin().do(twin().new_page)
    yield opened
    twin().do(opened.context.close)
    assert not twin().wrong, twin().wrong


def judge(page: Page, files: list[Path], fingerprint: str = "") -> str:
    """Choose the files, check, and return the title."""

    def do() -> str:
        page.set_input_files("#files", files)
        expect(page.locator("#start")).to_be_enabled()
        if fingerprint:
            page.fill("#fingerprint", fingerprint)
        page.evaluate("delete document.body.dataset.verdict")  # of the files before
        page.click("#start")
        page.wait_for_selector("body[data-verdict]")
        return page.inner_text("#title")

    return twin().do(do)


def text(page: Page, selector: str) -> str:
    return twin().do(lambda: page.inner_text(selector))


def test_a_good_bundle_holds_and_the_figures_are_told(tmp_path, page):
    fill(9)
    given_over = heads.handover(tmp_path / "kit", NOW + timedelta(minutes=1), "a_manager")
    claim(99, NOW + timedelta(hours=1))
    services.sequence(NOW + timedelta(hours=1))
    bundle = write(tmp_path / "b.zip")
    files = [bundle, tmp_path / "kit" / "first-head.json", tmp_path / "kit" / "key-fingerprint.txt"]
    assert judge(page, files) == "全部相符：11 条记录，3 个证据文件"
    typed = twin().do(lambda: page.input_value("#fingerprint"))
    assert typed.replace(" ", "") == given_over["fingerprint"]
    assert "与您留存的 1 个签名头相衔接" in text(page, "#lede")
    assert text(page, "#steps").count("相符") >= 7
    assert "未核对" not in text(page, "#steps")
    twin().do(lambda: page.click("#language"))
    assert text(page, "#title") == "All holds: 11 records, 3 evidence files"
    assert not re.search(r"[\u4e00-\u9fff]", text(page, "main"))


def test_without_a_head_of_their_own_it_says_what_stays_unproven(tmp_path, page):
    fill(4)
    assert judge(page, [write(tmp_path / "b.zip")], keys.fingerprint()).startswith("全部相符")
    assert "持有密钥的一方把整部历史改写并重新签名" in text(page, "#notes")
    assert text(page, "#steps li:last-child .state") == "未核对"


def test_a_changed_record_is_named_in_the_title(tmp_path, page):
    fill(9)
    intake = Entry.objects.get(seq=5).intake
    Intake.objects.filter(pk=intake.pk).update(body=bytes(intake.body).replace(b'"value":5', b'"value":6'))
    assert judge(page, [write(tmp_path / "b.zip")], keys.fingerprint()) == "有不符之处：1 处，第一处在记录 5"
    assert "记录 5：内容与其叶哈希不符：记录被改动" in text(page, "#bads")
    twin().do(lambda: page.click("#language"))
    assert text(page, "#title") == "1 thing does not hold; the first: record 5"


def test_another_key_is_refused_and_no_fingerprint_is_asked_for(tmp_path, page):
    fill(4)
    assert "公钥" in judge(page, [write(tmp_path / "b.zip")], "0" * 64)
    twin().do(lambda: (page.fill("#fingerprint", "12"), page.click("#start")))
    assert "64 位" in text(page, "#problem")


def test_files_and_folders_are_dropped(tmp_path, page, settings):
    """As a hand drops them: the browser's own drag events. A stranger among them only gets its SM3 told."""
    settings.YUNWEI = {"ledger": {"push": [str(tmp_path / "kept")]}}
    for hour in range(3):
        claim(hour, NOW + timedelta(hours=hour))
        heads.push(NOW + timedelta(hours=hour))
    (tmp_path / "key-fingerprint.txt").write_text(keys.fingerprint() + "\n")
    paths = [write(tmp_path / "b.zip"), tmp_path / "key-fingerprint.txt", VERIFY, tmp_path / "kept"]

    def do() -> str:
        box = page.locator("#drop").bounding_box() or {}
        data = {"items": [], "files": list(map(str, paths)), "dragOperationsMask": 1}
        session = page.context.new_cdp_session(page)
        for kind in ("dragEnter", "dragOver", "drop"):
            event = {"type": kind, "x": box["x"] + 40, "y": box["y"] + 20, "data": data}
            session.send("Input.dispatchDragEvent", event)
        expect(page.locator("#given")).to_contain_text("3 个签名头")
        expect(page.locator("#hash-list")).to_contain_text(sm3.hexdigest(VERIFY.read_bytes()))
        page.click("#start")
        page.wait_for_selector("body[data-verdict=ok]")
        return page.inner_text("#title")

    assert twin().do(do) == "全部相符：3 条记录，0 个证据文件"


def test_a_folder_of_heads_is_compared_alone_and_with_a_bundle(tmp_path, page, settings):
    settings.YUNWEI = {"ledger": {"push": [str(tmp_path / "kept")]}}
    for hour in range(4):
        for i in range(3):
            claim(10 * hour + i, NOW + timedelta(hours=hour))
        heads.push(NOW + timedelta(hours=hour))

    def do() -> str:
        page.set_input_files("#folder", tmp_path / "kept")
        page.fill("#fingerprint", keys.fingerprint())
        expect(page.locator("#given")).to_contain_text("4 个签名头")
        page.evaluate("delete document.body.dataset.verdict")  # of the files before
        page.click("#start")
        page.wait_for_selector("body[data-verdict]")
        return page.inner_text("#title")

    assert twin().do(do) == "全部相符：4 个签名头前后一致"
    assert judge(page, [write(tmp_path / "b.zip")]).startswith("全部相符：12 条记录")
    assert "与您留存的 4 个签名头相衔接" in text(page, "#lede")


def test_it_works_where_a_page_from_a_file_gets_no_worker(tmp_path):
    fill(9)
    bundle = write(tmp_path / "b.zip")

    def do() -> str:
        opened = twin().new_page()
        opened.add_init_script("delete window.Worker")
        opened.reload()
        assert opened.evaluate("typeof Worker") == "undefined"
        opened.set_input_files("#files", bundle)
        opened.fill("#fingerprint", keys.fingerprint())
        opened.click("#start")
        opened.wait_for_selector("body[data-verdict]")
        title = opened.inner_text("#title")
        opened.context.close()
        return title

    assert twin().do(do).startswith("全部相符：9 条记录")
    assert not twin().wrong


def test_the_page_forbids_itself_every_connection(page):
    tried = twin().do(lambda: page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'went out', (e) => e.name)"))
    assert tried == "TypeError"
    refused, twin().wrong[:] = list(twin().wrong), []
    assert any("Content Security Policy" in line for line in refused)
    assert not any(line.startswith("request") for line in refused)


def test_only_the_two_scripts_of_the_page_run_and_nothing_is_fetched():
    html = PAGE.read_text(encoding="utf-8")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", html, flags=re.DOTALL)
    wanted = [f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts]
    assert policy == (
        f"default-src 'none'; script-src {' '.join(wanted)}; worker-src blob:; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert not re.findall(r"https?://|\bsrc=|\bimport\b|@import|url\(|eval\(|innerHTML", html)


def test_every_sentence_has_its_english():
    html = PAGE.read_text(encoding="utf-8")
    said = set(re.findall(r'say\("([^"]+)"', html))
    known = set(re.findall(r'"([^"]*[\u4e00-\u9fff][^"]*)": "', html))
    assert said - known == set()
    assert len(said) > 40


@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 4097, 300_000])
def test_sm3_is_ours(size):
    data = bytes(i * 7919 % 251 for i in range(size))
    script = "(b) => yunwei.hex(yunwei.sm3(Uint8Array.from(atob(b), (c) => c.charCodeAt(0))))"
    assert twin().do(lambda: twin().page.evaluate(script, base64.b64encode(data).decode())) == sm3.hexdigest(data)


def test_sm3_and_sm2_give_the_standards_answers():
    script = "(t) => yunwei.hex(yunwei.sm3(new TextEncoder().encode(t)))"
    for data, want in selftest.SM3_VECTORS:
        assert twin().do(lambda data=data: twin().page.evaluate(script, data.decode())) == want
    pairs = [(selftest.SM2_MESSAGE, selftest.SM2_SIGNATURE), (selftest.SM2_MESSAGE + b"!", selftest.SM2_SIGNATURE)]
    assert _verified(selftest.SM2_POINT, pairs) == [True, False]


def test_sm2_takes_our_signatures_and_no_others():
    key, pairs, want = sm2.generate(), [], []
    for i in range(12):
        message = f"记录 {i}".encode()
        good = key.sign(message)
        r, s = good[:32], good[32:]
        bad = [s + r, r + bytes(32), bytes(32) + s, bytes([good[0] ^ 1]) + good[1:], b"\xff" * 64, r + _less(s)]
        pairs += [(message, signature) for signature in [good, *bad]]
        want += [True] + [False] * len(bad)
    assert _verified(key.public.point, pairs) == want


def _less(s: bytes) -> bytes:
    """n - s: what would be as good in ECDSA is not in SM2."""
    return (verify.N - int.from_bytes(s, "big")).to_bytes(32, "big")


def _verified(point: bytes, pairs: list[tuple[bytes, bytes]]) -> list[bool]:
    """What the page says, with the small tables and with the large ones; and verify.py."""
    script = """([point, fingerprint, pairs]) => [4, 8].map((bits) => {
      const key = yunwei.keyOf(point, fingerprint);
      key.prepare(bits);
      return pairs.map(([m, s]) => key.verify(new TextEncoder().encode(m), yunwei.unhex(s, 64)));
    })"""
    key = verify.Key(point)
    texts = [(message.decode(), signature.hex()) for message, signature in pairs]
    small, large = twin().do(lambda: twin().page.evaluate(script, [point.hex(), key.fingerprint, texts]))
    assert small == large == [key.verify(*pair) for pair in pairs]
    return list(small)


# --- what a zip may look like, and what may be wrong in it --------------------------------------------------------------
def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as z:
        return {name: z.read(name) for name in z.namelist()}


def zipped(files: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED, level: int | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how, compresslevel=level) as z:
        for name, data in files.items():
            z.writestr(name, data)
    return out.getvalue()


def test_other_honest_zips_hold_too(tmp_path):
    """Stored, every level, a preamble, a comment, an entry of more than one deflate block."""
    kept = services.store(bytes(i * i % 251 for i in range(700_000)), "application/octet-stream")
    fill(9)
    claim(10, NOW + timedelta(seconds=10), (kept,))
    services.sequence(NOW + timedelta(seconds=10))
    files = members(write(tmp_path / "b.zip"))
    noted = io.BytesIO(zipped(files))
    with zipfile.ZipFile(noted, "a") as z:
        z.comment = "随手写的".encode()
    shapes = [zipped(files, zipfile.ZIP_STORED), *(zipped(files, level=n) for n in (0, 1, 6, 9))]
    shapes += [b"#!/bin/sh\n" + zipped(files), noted.getvalue()]
    for shape in shapes:
        (tmp_path / "other.zip").write_bytes(shape)
        assert check(tmp_path / "other.zip")[0] == []


def both(path: Path) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
    findings, facts = verify.check_bundle(str(path), keys.fingerprint(), [], verify.MAX_BYTES)
    return findings, facts, twin().check(path.read_bytes(), keys.fingerprint())


def changed(draw: Any, data: bytes) -> bytes:
    """One small change: a byte, a cut, a line twice, two lines swapped, a number, a word."""
    lines = data.splitlines(keepends=True)
    at = draw(strategies.integers(0, max(len(data) - 1, 0)))
    kind = draw(strategies.sampled_from(["byte", "cut", "drop", "twice", "swap", "token", "insert"]))
    if kind == "byte":
        return data[:at] + bytes([draw(strategies.integers(0, 255))]) + data[at + 1 :]
    if kind == "insert":
        return (
            data[:at]
            + draw(strategies.sampled_from([b'"', b"{", b"0", b"9", b"e", b".", b"\xed\xa0\x80", b"\\ud800", b" "]))
            + data[at:]
        )
    if kind == "cut":
        return data[:at]
    if kind == "token":
        found = list(re.finditer(rb"\d+|true|null|\"[^\"]*\"", data))
        if not found:
            return data
        spot = draw(strategies.sampled_from(found))
        words = [b"0", b"-1", b"1e0", b"1.5", b"9007199254740993", b"123456789012345678901", b"null", b"true", b"[]", b"{}", b'""', b"NaN",
                 b'"\\ud800"', b'"a"']  # fmt: skip
        return data[: spot.start()] + draw(strategies.sampled_from(words)) + data[spot.end() :]
    i, j = (draw(strategies.integers(0, max(len(lines) - 1, 0))) for _ in range(2))
    if lines and kind == "drop":
        del lines[i]
    elif lines and kind == "twice":
        lines.insert(j, lines[i])
    elif lines:
        lines[i], lines[j] = lines[j], lines[i]
    return b"".join(lines)


def small(path: Path) -> dict[str, bytes]:
    """A small bundle with everything in it: heads before and after, artifacts, a redaction from outside."""
    made = fill(14, batch=4)
    services.redact(made[1], "含个人信息", at=NOW + timedelta(hours=1), actor="a_manager", basis="个人信息保护法")
    services.Artifact.objects.filter(pk=made[1].pk).update(content_hash="", salt=b"")
    services.sequence(NOW + timedelta(hours=1))
    return members(write(path, 4, 10))


def test_both_verifiers_agree_on_whatever_is_wrong_inside(tmp_path):
    files = small(tmp_path / "b.zip")
    path = tmp_path / "changed.zip"
    assert len(files["extra.jsonl"]) > 100

    @settings(max_examples=150, database=None)
    @given(strategies.data())
    def holds(data: Any) -> None:
        name = data.draw(strategies.sampled_from(sorted(files)))
        path.write_bytes(zipped({**files, name: changed(data.draw, files[name])}))
        findings, facts, told = both(path)
        agree(findings, facts, told)

    holds()


def test_both_verifiers_agree_on_a_damaged_file(tmp_path):
    """Where a stream breaks, how much was read before is each one's own; the verdict is not."""
    small(tmp_path / "b.zip")
    good, path = (tmp_path / "b.zip").read_bytes(), tmp_path / "damaged.zip"

    @settings(max_examples=150, database=None)
    @given(strategies.data())
    def holds(data: Any) -> None:
        at = data.draw(strategies.integers(0, len(good) - 1))
        value = data.draw(strategies.integers(0, 255))
        kind = data.draw(strategies.sampled_from(["byte", "cut", "gap", "more"]))
        damaged = {
            "byte": good[:at] + bytes([value]) + good[at + 1 :], "cut": good[:at],
            "gap": good[:at] + good[at + 1 + value % 40 :], "more": good[:at] + bytes([value] * 3) + good[at:],
        }[kind]  # fmt: skip
        path.write_bytes(damaged)
        findings, facts, told = both(path)
        assert told["ok"] == (not findings)
        if not findings:
            assert told["facts"] == facts
        elif "malformed" not in {findings[0].code, told["findings"][0]["code"]} and findings[0].code != "unreadable":
            assert plain(told["findings"][0]) == plain(findings[0].facts())

    holds()


# --- the surprise test -----------------------------------------------------------------------------------------------------
#: crypto.getRandomValues as if the dice had fallen so
DICE = "() => { crypto.getRandomValues = (a) => a.map((_, i) => i + 16); }"
NONCE = bytes(range(16, 48)).hex()


def test_page_command_and_platform_make_the_same_commitment(tmp_path, page):
    asset, component, what, moment = "SRV-0042", "psu:2", '拔下 2 号电源 "&<1>"', "2026-10-12T10:30:05"
    at = datetime.fromisoformat(moment + "+08:00")
    want = surprise.words(asset, component, at, what, NONCE)

    def do() -> tuple[str, str, bytes]:
        page.evaluate(DICE)
        for field, value in (("asset", asset), ("component", component), ("at", moment), ("what", what)):
            page.fill(f"#{field}", value)
        page.click("#surprise button")
        with page.expect_download() as waiting:
            page.click("#save")
        kept = waiting.value
        assert kept.suggested_filename.startswith("surprise-")
        return page.text_content("#words") or "", page.inner_text("#words-hash"), Path(kept.path()).read_bytes()

    shown, told, saved = twin().do(do)
    assert (shown, saved) == (want, want.encode())
    assert told == sm3.hexdigest(want.encode())
    assert surprise.read(saved.decode()) == surprise.Words(asset, component, at, what)
    command = [sys.executable, "-I", "-S", str(VERIFY), "surprise", "--json", "--asset", asset, "--component", component,
               "--at", moment, "--what", what, "--nonce", NONCE, "--out", str(tmp_path / "kept.txt")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["commitment"] == told
    assert (tmp_path / "kept.txt").read_bytes() == saved
    assert (
        json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)["ok"] is False
    )  # kept


def test_two_commitments_to_the_same_deed_differ(page, tmp_path):
    def do() -> list[str]:
        page.fill("#asset", "SRV-1")
        page.fill("#at", "2026-10-12T10:30")
        found = []
        for _ in range(2):
            page.click("#surprise button")
            found.append(page.inner_text("#words-hash"))
        assert "at=2026-10-12T10:30:00+08:00\n" in (page.text_content("#words") or "")
        return found

    one, two = twin().do(do)
    assert one != two


@pytest.mark.parametrize(
    "wrong",
    [["--at", "tomorrow"], ["--nonce", "short"], ["--what", "a\nasset=b"], ["--what", "x" * 1000], ["--asset", " "]],
)
def test_a_surprise_that_could_not_be_read_back_is_not_made(tmp_path, wrong):
    given_ = {"--asset": "SRV-1", "--at": "2026-10-12T10:00", "--out": str(tmp_path / "t.txt"), wrong[0]: wrong[1]}
    command = [sys.executable, "-I", "-S", str(VERIFY), "surprise", *(x for pair in given_.items() for x in pair)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "")
    assert not (tmp_path / "t.txt").exists()
