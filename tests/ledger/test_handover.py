"""The sheet that both sides stamp: one page, true numbers, blanks where nobody told us."""

from __future__ import annotations

import hashlib
import io
import json
import unicodedata
from datetime import timedelta
from html import unescape

import pytest
from pypdf import PdfReader
from tests.ledger.kit import NOW, fill
from tests.ledger.twin import PAGE, twin

from yunwei.gm import sm3
from yunwei.ledger import heads, services
from yunwei.ledger.models import Entry
from yunwei.ledger.sheet import Parties, fours

pytestmark = [pytest.mark.component, pytest.mark.django_db]
PARTIES = Parties("HT-2026-<1>", "某区电子政务云平台运维项目合同（首年）", "某区政务服务中心", "某某信息网络有限公司")


def test_the_sheet_tells_what_was_handed_over(tmp_path):
    fill(9)
    facts = heads.handover(tmp_path / "kit", NOW + timedelta(hours=1), "a_manager", PARTIES)
    html = (tmp_path / "kit" / "handover.html").read_text(encoding="utf-8")
    head = services.head()
    assert head is not None
    for value in (PARTIES.number, PARTIES.title, PARTIES.client, PARTIES.vendor):
        assert value in unescape(html)
    assert "HT-2026-<1>" not in html
    assert fours(str(facts["fingerprint"])) in html.replace("<br>", " ")
    assert fours(bytes(head.root).hex()) in html
    for name in ("verify.py", "verify.html", "first-head.json", "key-fingerprint.txt", "README.txt"):
        assert sm3.hexdigest((tmp_path / "kit" / name).read_bytes()) in html
    assert hashlib.sha256(PAGE.read_bytes()).hexdigest() in html
    assert html.count('class="blank"') == 4  # two signatures, two dates
    assert "演示" not in html
    said = json.loads(bytes(Entry.objects.order_by("-seq")[0].intake.body))["data"]
    assert said["tools"]["verify.html"] == sm3.hexdigest(PAGE.read_bytes())


def test_what_nobody_told_is_left_blank_and_a_demo_says_so(tmp_path, settings):
    settings.YUNWEI = {"demo": True}
    fill(1)
    heads.handover(tmp_path / "kit", NOW + timedelta(hours=1), "a_manager")
    html = (tmp_path / "kit" / "handover.html").read_text(encoding="utf-8")
    assert html.count('class="blank"') == 4 + 4 + 2
    assert "演示实例" in html


def test_it_prints_on_one_page_of_a4(tmp_path):
    fill(9)
    heads.handover(tmp_path / "kit", NOW + timedelta(hours=1), "a_manager", PARTIES)

    def do() -> bytes:
        page = twin().new_page()
        page.goto((tmp_path / "kit" / "handover.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        made = page.pdf(prefer_css_page_size=True, print_background=True)
        page.context.close()
        return made

    pages = PdfReader(io.BytesIO(twin().do(do))).pages
    assert not twin().wrong
    assert len(pages) == 1
    assert (round(pages[0].mediabox.width), round(pages[0].mediabox.height)) == (595, 842)
    printed = unicodedata.normalize("NFKC", pages[0].extract_text())  # the font's radicals as the characters they are
    assert PARTIES.client in printed
