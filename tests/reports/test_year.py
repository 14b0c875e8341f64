"""The documents of the contract year, really typeset: acceptance pack and handover list, their figures, signatures and bytes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import docx
import pypdf
import pytest
from typer.testing import CliRunner

from tests.reports.conftest import World
from tests.reports.month import NOW
from tests.reports.test_documents import squeezed, text_of
from yunwei.assessment import acceptance, audit_year, handover, rectify
from yunwei.assessment.models import HandoverItem
from yunwei.assets import credentials
from yunwei.cli import common, report
from yunwei.duties import services as duties
from yunwei.duties import sources
from yunwei.duties.models import Occurrence, State
from yunwei.ledger import services as ledger
from yunwei.ledger.audit import records
from yunwei.reports import figures, figures_year, services
from yunwei.reports.audit import Reports
from yunwei.reports.blocks import walk
from yunwei.reports.errors import ReportError
from yunwei.reports.evidence import span
from yunwei.reports.period import Kind

pytestmark = pytest.mark.django_db
FILE = duties.File("验收报告.pdf", b"%PDF-1.7 signed", "application/pdf")
SECRET = "s3cret-of-the-switch"


def played(month: World) -> World:
    """A round that was not passed because of an order, which then conformed; nothing is left out of the pack by it."""
    a, b = month.people["a_manager"], month.people["b_manager"]
    row = acceptance.submit(statement="申请验收", file=FILE, by=b, now=NOW)
    acceptance.opine(
        row.pk, speaker="tester", organisation="某测评中心", name="张工", qualification="CNAS 0001", about="技3", conforming=False,
        text="恢复演练缺一次", file=FILE, by=a, now=NOW,
    )  # fmt: skip
    acceptance.opine(
        row.pk,
        speaker="department",
        organisation="区教育局",
        name="李科",
        conforming=True,
        text="满意",
        file=FILE,
        by=a,
        now=NOW,
    )
    acceptance.decide(row.pk, passed=False, reason="恢复演练缺一次", file=FILE, by=a, now=NOW)
    acceptance.answer(row.pk, sign=False, text="演练已补", by=b, now=NOW)
    order = rectify.order(
        "补做恢复演练", clause="4.3.2", due_at=NOW.replace(day=20), about="acceptance:2026/1", file=FILE, by=a, now=NOW
    )
    rectify.report(order.pk, statement="已补做", file=FILE, by=b, now=NOW)
    rectify.check(order.pk, conforming=False, finding="没有比对摘要", by=a, now=NOW)
    ledger.sequence(NOW)
    return month


def test_the_acceptance_pack_says_every_obligation_every_standard_and_who_said_what(month: World) -> None:
    played(month)
    made = services.build("acceptance", "", now=NOW, actor=month.people["a_manager"])
    data = services.data_of(made)["data"]
    text = text_of(_file(made, "pdf"))
    told = [o for o in data["duties"]["obligations"] if o["sum"]["all"]]
    assert {o["id"] for o in data["duties"]["obligations"]} | {q["id"] for q in data["year"]["quiet"]} == {
        o.id for o in sources.folder().obligations
    }
    for o in told:
        s = o["sum"]
        numbers = "".join(str(s[k]) for k in ("all", "kept", "late", "missed", "unproven", "exempt", "overdue", "open"))
        every = [n for group in o["numbers"].values() for n in group]
        assert squeezed(f"{o['id']} {o['title']}{'、'.join(o['clauses'])}{numbers}{span(every)}") in text, o["id"]
    for m in data["year"]["requirements"]:
        assert squeezed(f"{m['id']} {m['title']}{m['chosen']}") in text
        assert squeezed(m["why"]) in text
    for words in (
        "张工",
        "CNAS0001",
        "恢复演练缺一次",
        "拒签：演练已补",
        "没有比对摘要",
        "尚有整改未符合：整改",
        "无证明",
        "代表签字",
        "原因：乙方",
    ):
        assert squeezed(words) in text
    assert made.name == "acceptance:2026:1"


def test_its_sums_are_the_books(month: World) -> None:
    told = figures.read(figures_year.period(Kind.ACCEPTANCE, "Asia/Shanghai"), NOW)
    rows = Occurrence.objects.filter(counts=True)
    s = told["duties"]["sum"]
    assert s["all"] == rows.count() > 100
    for state in (State.KEPT, State.LATE, State.MISSED, State.UNPROVEN, State.EXEMPT):
        assert s[state] == rows.filter(state=state).count()
    assert sum(told["unproven"]["by_cause"].values()) == s["unproven"]
    assert told["year"]["rounds"] == told["year"]["orders"] == []


def listed(month: World) -> list[HandoverItem]:
    credentials.put("switch", "snmp2c", {"community": SECRET}, now=NOW, actor="sysadmin")
    handover.open_list(by=month.people["b_manager"], now=NOW)
    rows = list(HandoverItem.objects.order_by("id"))
    handover.sign([i.pk for i in rows], by=month.people["b_manager"], now=NOW)
    handover.sign([i.pk for i in rows[1:]], by=month.people["a_manager"], now=NOW)
    handover.refuse(rows[0].pk, reason="电源缺失一块", by=month.people["a_manager"], now=NOW)
    ledger.sequence(NOW)
    return rows


def test_the_handover_list_has_every_item_both_signatures_and_no_secret(month: World) -> None:
    rows = listed(month)
    made = services.build("handover", "2026", now=NOW, actor=month.people["b_manager"])
    text = text_of(_file(made, "pdf"))
    for item in rows:
        assert squeezed(item.code) in text, item.code
        assert squeezed(item.title) in text, item.title
    for words in (
        f"移交{len(rows)}项：双方了结{len(rows)}项，其中拒签1项",
        "电源缺失一块",
        "未能证明的项目",
        "口令未重设",
        "代表签字",
        "乙方在本平台的账号",
    ):
        assert squeezed(words) in text
    assert SECRET not in text
    assert SECRET not in json.dumps(services.data_of(made), ensure_ascii=False)


def test_there_is_no_handover_document_before_there_is_a_list(month: World) -> None:
    with pytest.raises(ReportError, match="还没有开列"):
        services.build("handover", "", now=NOW, actor=month.people["b_manager"])
    with pytest.raises(ReportError, match="不是报告期"):
        services.build("acceptance", "2031", now=NOW, actor=month.people["b_manager"])
    with pytest.raises(ReportError, match="没有这种报告"):
        services.build("yearly", "2026", now=NOW, actor=month.people["b_manager"])


def test_both_come_out_the_same_twice_and_are_kept_as_evidence(month: World) -> None:
    played(month)
    listed(month)
    for kind in ("acceptance", "handover"):
        made = services.build(kind, "", now=NOW, actor=month.people["a_manager"])
        again = services.again(made)
        assert (again.pdf, again.docx, again.why) == (True, True, ())
        pdf = pypdf.PdfReader(io.BytesIO(_file(made, "pdf")))
        assert pdf.trailer["/Root"]["/MarkInfo"]["/Marked"]
        assert b"pdfaid:part>2" in _file(made, "pdf")
        word = docx.Document(io.BytesIO(_file(made, "docx")))
        assert any("双方签" in p.text for p in word.paragraphs)
        assert services.build(kind, "", now=NOW, actor=None).edition == 2
    ledger.sequence(NOW)
    for fold in (*(make() for make in audit_year.FOLDS), Reports()):
        for said, _broken in records():
            if said is not None:
                fold.take(said)
        assert list(fold.differences()) == []


def test_both_are_made_from_the_command_line(month: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "open_instance", lambda *_a: None)
    monkeypatch.setattr(common, "now", lambda: NOW)
    told = _run("acceptance", "--out", str(tmp_path), "--json")
    assert Path(told["files"]["pdf"]).name == "年度验收材料-2026-第1版.pdf"
    assert told["evidence"] > 0
    listed(month)
    assert Path(_run("handover", "--out", str(tmp_path), "--json")["files"]["docx"]).name == "移交清单-2026-第1版.docx"


def test_the_page_of_a_document_of_the_year_is_the_document(month: World) -> None:
    from django.test import Client

    from yunwei.reports import outline

    played(month)
    made = services.build("acceptance", "", now=NOW, actor=month.people["a_manager"])
    client = Client()
    client.force_login(month.people["a_manager"])
    page = client.get(f"/reports/acceptance/2026/{made.edition}").content.decode()
    document = outline.document(services.data_of(made)["data"], edition=1)
    for _level, section in walk(document.sections[:8]):
        assert section.title in page
    assert "2026 年度 验收材料" in client.get("/reports").content.decode()
    assert client.post("/reports/build", {"period": "acceptance/2026"}).status_code == 302


def _run(*words: str) -> dict[str, Any]:
    result = CliRunner().invoke(report.app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def _file(made: Any, form: str) -> bytes:
    from yunwei.ledger import artifacts

    return artifacts.read(services.artifact(made, form))
