"""Building, taking copies, making again: files and record together, who may, what a redaction leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from tests.reports.conftest import World
from tests.reports.month import NOW
from yunwei.accounts.models import Account, Organisation, Role
from yunwei.gm import sm3
from yunwei.ledger import artifacts
from yunwei.ledger import audit as ledger_audit
from yunwei.ledger import services as ledger
from yunwei.ledger.errors import LedgerError
from yunwei.ledger.models import Artifact, Entry, Intake
from yunwei.reports import period, services
from yunwei.reports.audit import Reports
from yunwei.reports.errors import ReportError
from yunwei.reports.models import Opening, Report
from yunwei.reports.period import Kind

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def built(month: World, django_db_blocker: Any) -> Iterator[Report]:
    """One report of the week that all tests here look at; made once, and taken back after them."""
    with django_db_blocker.unblock():
        before = transaction.savepoint()
        yield services.build(Kind.WEEKLY, "2026-W45", now=NOW, actor=month.people["b_manager"])
        transaction.savepoint_rollback(before)


def differences() -> list[ledger_audit.Difference]:
    fold = Reports()
    for said, _broken in ledger_audit.records():
        if said is not None:
            fold.take(said)
    return list(fold.differences())


def test_files_and_record_are_one(built: Report) -> None:
    assert built.evidence is not None
    intake = Intake.objects.get(pk=built.evidence)
    body = json.loads(bytes(intake.body))
    assert (intake.kind, intake.subject, intake.actor) == ("reports.built", "weekly:2026-W45:1", "b_manager")
    assert {a["commitment"] for a in body["artifacts"]} == {built.data, built.pdf, built.docx}
    assert body["data"]["files"] == {"data": built.data, "pdf": built.pdf, "docx": built.docx}
    assert body["data"]["typst"] == built.typst
    assert body["data"]["program"] == built.program == services.program()
    assert body["data"]["fonts"] == built.fonts["files"]
    assert intake.clauses == ["7.2.7"]  # the contract's own words for the weekly report


def test_what_was_kept_makes_the_same_files_again(built: Report) -> None:
    again = services.again(built)
    assert (again.pdf, again.docx, again.why) == (True, True, ())


def test_making_again_names_what_differs(built: Report) -> None:
    other = Report.objects.get(pk=built.pk)
    name = next(iter(other.fonts["files"]))
    other.program = "0" * 64
    other.typst, other.fonts = "0.0.0", {**other.fonts, "files": {**other.fonts["files"], name: "0" * 64}}
    why = "".join(services.again(other).why)
    assert "0.0.0" in why
    assert "报告程序已更新" in why
    assert name in why


def test_nothing_is_kept_when_the_record_fails(month: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_a: object, **_n: object) -> None:
        raise LedgerError("disk full")

    before = Artifact.objects.count()
    monkeypatch.setattr(services.ledger, "record", fail)
    with pytest.raises(LedgerError), transaction.atomic():
        services.build("daily", "2026-11-03", now=NOW, actor=None)
    assert not Report.objects.filter(kind="daily").exists()
    assert Artifact.objects.count() == before


def test_a_second_one_is_the_next_edition_and_the_first_stays(month: World, built: Report) -> None:
    before = built.pdf
    second = services.build("weekly", "2026-W45", now=NOW + timedelta(hours=1), actor=month.people["a_manager"])
    assert second.edition == 2
    assert second.pdf != before
    assert Report.objects.get(pk=built.pk).pdf == before


def test_whoever_is_slower_gets_the_next_edition_in_the_document_too(
    month: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, first = services._keep, []

    def faster(*args: object, **named: object) -> Report:
        if not first:
            first.append(1)
            Report.objects.create(
                kind="daily", key="2026-11-04", edition=1, first=date(2026, 11, 4), last=date(2026, 11, 4), as_of=NOW,
                whole=True, built_at=NOW, data="x", pdf="y", docx="z", fonts={}, typst="",
            )  # fmt: skip
        return keep(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(services, "_keep", faster)
    report = services.build("daily", "2026-11-04", now=NOW, actor=None)
    assert report.edition == services.data_of(report)["edition"] == 2


def test_an_edition_is_there_once(built: Report) -> None:
    row = Report.objects.get(pk=built.pk)
    row.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save()


@pytest.mark.parametrize("name", ["tenant", "auditor"])
def test_only_the_parties_make_reports(month: World, name: str) -> None:
    with pytest.raises(ReportError):
        services.build("daily", "2026-11-02", now=NOW, actor=month.people[name])


def test_no_officer_of_a_party_and_nobody_who_left(month: World) -> None:
    party = Organisation.objects.get(code="B")
    officer = Account.objects.create(
        username="sys", display_name="s", role=Role.SYSADMIN, organisation=party, password="x"
    )
    gone = Account.objects.create(
        username="gone", display_name="g", role=Role.B_MANAGER, organisation=party, password="x", is_active=False
    )
    for account in (officer, gone):
        with pytest.raises(ReportError):
            services.build("daily", "2026-11-02", now=NOW, actor=account)


def test_a_period_that_has_not_begun_has_no_report(month: World) -> None:
    with pytest.raises(ReportError):
        services.build("monthly", "2027-01", now=NOW, actor=None)
    running = services.build("daily", "2026-12-01", now=NOW, actor=None)
    assert not running.whole
    assert Intake.objects.get(pk=running.evidence).actor == services.ACTOR


def test_taking_a_copy_is_evidence(month: World, built: Report) -> None:
    content = services.take(built, "pdf", by=month.people["a_manager"], now=NOW)
    assert content.startswith(b"%PDF-1.7")
    opening = Opening.objects.get(report=built)
    intake = Intake.objects.get(pk=opening.evidence)
    assert (intake.kind, intake.subject, intake.actor) == ("reports.opened", built.name, "a_manager")
    assert json.loads(bytes(intake.body))["data"] == {"form": "pdf", "file": built.pdf}
    for form in ("exe", "data", "../pdf"):
        with pytest.raises(ReportError):
            services.take(built, form, by=month.people["a_manager"], now=NOW)
    assert Opening.objects.count() == 1


@pytest.mark.usefixtures("files_back")
def test_a_redacted_file_is_gone_and_nothing_in_the_log_lets_a_guess_be_checked(month: World, built: Report) -> None:
    row = Artifact.objects.get(commitment=built.pdf)
    content = artifacts.read(row)
    with transaction.atomic():
        ledger.redact(row, "依法删除", at=NOW, actor="a_manager")
    ledger.finish_redactions()
    ledger.sequence(NOW + timedelta(minutes=1))
    with pytest.raises(LedgerError):
        services.take(built, "pdf", by=month.people["a_manager"], now=NOW)
    assert not Opening.objects.filter(form="pdf").exists()
    digest = sm3.hexdigest(content).encode()
    assert not [i.pk for i in Intake.objects.iterator() if digest in bytes(i.body)]
    assert digest.decode() not in json.dumps(list(Report.objects.values("data", "pdf", "docx", "fonts")))
    assert services.take(built, "docx", by=month.people["a_manager"], now=NOW)[:2] == b"PK"
    assert services.data_of(built)["edition"] == 1
    assert differences() == []


def test_rows_that_do_not_follow_from_the_ledger_are_named(month: World, built: Report) -> None:
    services.take(built, "docx", by=month.people["a_manager"], now=NOW)
    assert differences() == []
    Report.objects.filter(pk=built.pk).update(pdf="f" * 64, whole=False)
    assert {d.field for d in differences()} == {"pdf", "whole"}
    Report.objects.filter(pk=built.pk).update(pdf=built.pdf, whole=True)
    Opening.objects.create(report=built, form="pdf", by=month.people["a_manager"], at=NOW, evidence=1)  # nobody took it
    (one,) = differences()
    assert (one.field, one.row, one.said) == ("opened", "1", "0")
    Opening.objects.all().delete()
    assert {d.field for d in differences()} == {"opened"}
    Report.objects.filter(pk=built.pk).delete()
    assert "row" in {d.field for d in differences()}


def test_the_number_comes_with_the_next_head(built: Report) -> None:
    ledger.sequence(NOW + timedelta(minutes=2))
    assert Entry.objects.filter(intake_id=built.evidence).exists()


# --- periods ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "key", "first", "last"),
    [
        ("daily", "2026-11-25", date(2026, 11, 25), date(2026, 11, 25)),
        ("weekly", "2026-W53", date(2026, 12, 28), date(2027, 1, 3)),
        ("weekly", "2027-W01", date(2027, 1, 4), date(2027, 1, 10)),
        ("monthly", "2028-02", date(2028, 2, 1), date(2028, 2, 29)),
        ("monthly", "2026-12", date(2026, 12, 1), date(2026, 12, 31)),
    ],
)
def test_periods(kind: str, key: str, first: date, last: date) -> None:
    of = period.parse(kind, key, "Asia/Shanghai")
    assert (of.first, of.last, of.key) == (first, last, key)
    assert period.of(of.kind, last, of.zone) == of
    assert of.start == datetime.combine(first - timedelta(days=1), datetime.min.time(), UTC).replace(hour=16)
    assert len(of.days) == (last - first).days + 1


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("daily", "2026-11"), ("daily", "2026-11-31"), ("weekly", "2026-W54"), ("weekly", "2026-48"), ("monthly", "2026-13"),
        ("monthly", "2026-11-25"), ("yearly", "2026"), ("monthly", ""), ("monthly", "2026-11\n"), ("daily", "２０２６-11-25"),
    ],
)  # fmt: skip
def test_what_is_no_period_is_refused(kind: str, key: str) -> None:
    with pytest.raises(ReportError):
        period.parse(kind, key, "Asia/Shanghai")


def test_the_latest_whole_period_is_one_that_has_ended() -> None:
    now = datetime(2026, 11, 30, 16, 30, tzinfo=UTC)  # half past midnight on the first of December in Shanghai
    assert [period.latest_whole(k, now, "Asia/Shanghai").key for k in period.FORMS] == [
        "2026-11-30",
        "2026-W48",
        "2026-11",
    ]
    assert period.latest_whole(Kind.MONTHLY, now - timedelta(hours=1), "Asia/Shanghai").key == "2026-10"
