"""`yunwei report …` as people use it: what it prints, what it writes, how it fails."""

from __future__ import annotations

import io
import json
from pathlib import Path

import docx
import pypdf
import pytest
from typer.testing import CliRunner

from tests.reports.conftest import World
from tests.reports.month import NOW
from yunwei.cli import common, report
from yunwei.kernel.errors import YunweiError
from yunwei.ledger import services as ledger
from yunwei.reports.errors import ReportError
from yunwei.reports.models import Opening, Report

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def door(month: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "open_instance", lambda *_a: None)
    monkeypatch.setattr(common, "now", lambda: NOW)


def run(*words: str, ok: int = 0) -> str:
    result = CliRunner().invoke(report.app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == ok, result.output
    return result.stdout


def test_build_stores_numbers_and_copies(tmp_path: Path) -> None:
    told = json.loads(run("build", "daily", "--date", "2026-11-06", "--out", str(tmp_path / "out"), "--json"))
    assert told["name"] == "daily:2026-11-06:1"
    made = Report.objects.get()
    assert told["evidence"] == ledger.number_of(made.evidence) > 0
    pdf, word = Path(told["files"]["pdf"]), Path(told["files"]["docx"])
    assert pdf.name == "运维日报-2026-11-06-第1版.pdf"
    assert "2026年11月6日" in pypdf.PdfReader(io.BytesIO(pdf.read_bytes())).pages[0].extract_text().replace(" ", "")
    assert docx.Document(io.BytesIO(word.read_bytes())).tables
    assert [o.by for o in Opening.objects.all()] == [None, None]
    assert json.loads(run("list", "--json"))[0]["evidence"] == told["evidence"]
    again = json.loads(run("check", "daily:2026-11-06:1", "--json"))
    assert (again["pdf"], again["docx"]) == (True, True)


def test_check_fails_loudly_when_the_bytes_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    from yunwei.reports import services

    run("build", "daily", "--date", "2026-11-06", "--json")
    monkeypatch.setattr(services, "again", lambda _r: services.Again(pdf=False, docx=True, why=("字体文件 x 不同",)))
    told = json.loads(run("check", "daily:2026-11-06:1", "--json", ok=common.FINDING))
    assert told["why"] == ["字体文件 x 不同"]


def test_without_a_period_it_is_the_last_whole_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from yunwei.reports import services

    asked = []

    def build(kind: str, of: object, **_more: object) -> None:
        asked.append((str(kind), of.key))  # type: ignore[attr-defined]
        raise ReportError("enough")

    monkeypatch.setattr(services, "build", build)
    for words in (
        ["daily"],
        ["weekly"],
        ["monthly"],
        ["weekly", "--date", "2026-11-25"],
        ["monthly", "--month", "2026-10"],
    ):
        with pytest.raises(ReportError):
            run("build", *words, "--json")
    assert asked == [
        ("daily", "2026-11-30"), ("weekly", "2026-W48"), ("monthly", "2026-11"), ("weekly", "2026-W48"), ("monthly", "2026-10"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        ["build", "yearly"], ["build", "daily", "--date", "gestern"], ["build", "monthly", "--month", "2026-13"],
        ["build", "weekly", "--week", "2026-W48", "--date", "2026-11-25"], ["build", "daily", "--date", "2027-01-01"],
        ["check", "nonsense"], ["check", "daily:2026-11-06:x"],
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(words: list[str]) -> None:
    with pytest.raises(YunweiError):
        run(*words)
    assert not Report.objects.exists()


def test_a_letter_needs_no_instance_and_no_folder_for_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("YUNWEI_INSTANCE", raising=False)
    file = tmp_path / "letter.yaml"
    file.write_text("title: 函\nto: [甲方]\nbody: [正文。]\nsender: 乙方\ndate: 2026-11-30\n", encoding="utf-8")
    told = json.loads(run("letter", str(file), "--out", str(tmp_path / "l.pdf"), "--json"))
    assert Path(told["file"]).read_bytes().startswith(b"%PDF")
    with pytest.raises(ReportError):
        run("letter", str(file), "--out", str(tmp_path))
