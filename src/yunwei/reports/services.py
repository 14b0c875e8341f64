"""What doors and pages call: build a report, take a copy of it, make it again and compare.

Reading and typesetting happen before the transaction, which only stores: nobody waits for the typesetter with the
database locked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import translation
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, PartyOf, Role
from yunwei.duties import sources
from yunwei.gm import sm3
from yunwei.kernel.canonical import canonical
from yunwei.ledger import artifacts
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Artifact
from yunwei.reports import figures, figures_year, fonts, outline, render, say, typeset, word
from yunwei.reports.errors import ReportError
from yunwei.reports.models import Opening, Report
from yunwei.reports.period import YEARLY, Kind, Period, parse

JSON = Any
ACTOR = "system:reports"
AUTHOR = "云维"
TYPES = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
#: the three officers run, guard and watch; a report is the business of the two parties
OFFICERS = frozenset({Role.SYSADMIN, Role.SECADMIN, Role.AUDITOR})
#: two who build the same period at once: the slower one gets the next edition
TRIES = 3
#: documents are Chinese whoever asks for them: the language of the contract
LANGUAGE = "zh-hans"


@dataclass(frozen=True, slots=True)
class Made:
    """The files of one report and what decided their bytes."""

    content: bytes  # the data and the edition, canonical
    pdf: bytes
    docx: bytes
    fonts: dict[str, JSON]
    typst: str
    program: str


@lru_cache(maxsize=1)
def program() -> str:
    """SM3 of our own sources that draw reports: after an update the same data may give other bytes, and this says why."""
    package = Path(__file__).resolve().parent.parent
    places = (
        "reports/**/*.py",
        "reports/**/*.typ",
        "charts/*.py",
        "work/*/report.py",
        "ui/words.py",
        "ui/vocabulary.py",
    )
    files = sorted(path for place in places for path in package.glob(place))
    return sm3.digest_parts(part for path in files for part in (path.name.encode(), path.read_bytes())).hex()


def zone() -> str:
    """The zone that days are told in: the contract's."""
    return sources.folder().contract.timezone


def build(
    kind: Kind | str,
    period: Period | str,
    *,
    now: datetime,
    actor: Account | None,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> Report:
    """Make the next edition of a period's report as it stands now; files and record are one transaction.

    `actor` None: the platform itself. `tell(done, all)` is called as the steps end. Raises ReportError for another
    period, one that has not begun, somebody who is of neither party, or a machine without Chinese fonts.
    """
    of = period if isinstance(period, Period) else _asked(str(kind), period)
    _may_build(actor)
    if of.start > now:
        raise ReportError(_("报告期还没有开始"), where=of.key)
    data = figures.read(of, now)
    tell(1, 4)
    for _again in range(TRIES):
        last = Report.objects.filter(kind=of.kind, key=of.key).aggregate(n=Max("edition"))["n"] or 0
        content = canonical({"edition": last + 1, "data": data})
        made = make(content, tell=tell)
        try:
            report = _keep(of, last + 1, made, data, now=now, actor=actor)
        except IntegrityError:
            continue  # somebody was faster: the edition is printed in the document, so it is made anew
        tell(4, 4)
        return report
    raise ReportError(_("同一报告期正在由别人生成"), where=of.key, hint=_("稍后再试"))


def _asked(kind: str, key: str) -> Period:
    """The period that somebody asks for by words; of the contract year there is one."""
    if kind not in YEARLY:
        return parse(kind, key, zone())
    of = figures_year.period(Kind(kind), zone())
    if key not in ("", of.key):
        raise ReportError(_("不是报告期：{key}").format(key=key[:40]), hint=of.key)
    return of


def _may_build(actor: Account | None) -> None:
    if actor is None:
        return
    if not actor.is_active or actor.role in OFFICERS or actor.party not in (PartyOf.A, PartyOf.B):
        raise ReportError(_("报告由合同双方生成"), where=actor.username)


def make(content: bytes, *, tell: Callable[[int, int], None] = lambda _done, _all: None) -> Made:
    """The files of a report's data: a pure function of it, of the fonts and of the typesetter."""
    told = json.loads(content)
    at = datetime.fromisoformat(told["data"]["as_of"])
    chosen = fonts.choose(fonts.faces(settings.INSTANCE))
    with translation.override(LANGUAGE), typeset.Press(chosen) as press:
        facts = {"input": sm3.hexdigest(content), "typst": typeset.version(), "fonts": fonts.record(chosen)}
        document = outline.document(told["data"], edition=told["edition"], made=facts)
        page = render.content(
            document, press, author=AUTHOR, keywords=[told["data"]["contract"]["number"]],
            origin=_("本报告由云维依据合同、服务方案与证据链生成；文件的 SM3 摘要可在平台核验页核对"),
        )  # fmt: skip
        pdf = render.pdf(page, press, at)
        tell(2, 4)
        docx = word.render(render.printable(document, press), press, author=AUTHOR, at=at)
        tell(3, 4)
    used = {"roles": fonts.record(chosen), "files": fonts.digests(chosen)}
    return Made(content, pdf, docx, used, typeset.version(), program())


def _keep(
    of: Period, edition: int, made: Made, data: Mapping[str, JSON], *, now: datetime, actor: Account | None
) -> Report:
    with transaction.atomic():
        stored = {
            "data": ledger.store(made.content, "application/json"),
            "pdf": ledger.store(made.pdf, TYPES["pdf"]),
            "docx": ledger.store(made.docx, TYPES["docx"]),
        }
        report = Report(
            kind=of.kind, key=of.key, edition=edition, first=of.first, last=of.last, as_of=now, whole=data["whole"],
            built_at=now, built_by=actor, fonts=made.fonts, typst=made.typst, program=made.program,
            **{name: artifact.commitment for name, artifact in stored.items()},
        )  # fmt: skip
        intake = ledger.record(
            "reports.built",
            report.name,
            {
                "first": of.first.isoformat(), "last": of.last.isoformat(), "as_of": data["as_of"], "whole": data["whole"],
                "files": {name: artifact.commitment for name, artifact in stored.items()},
                "fonts": made.fonts["files"], "typst": made.typst, "program": made.program,
            },
            at=now, actor=actor.username if actor else ACTOR, clauses=_clauses(of.kind), artifacts=tuple(stored.values()),
        )  # fmt: skip
        report.evidence = intake.pk
        report.save()
    return report


def _clauses(kind: Kind) -> tuple[str, ...]:
    """The clauses by which 乙方 owes a report of this kind, where the contract says so: by what proves the obligation."""
    if kind in YEARLY:
        return figures_year.clauses(kind)
    word_for = {Kind.DAILY: "日报", Kind.WEEKLY: "周报", Kind.MONTHLY: "月报"}[kind]
    found = [c for o in sources.folder().obligations if word_for in o.proof for c in o.clauses]
    return tuple(dict.fromkeys(found))


def artifact(report: Report, form: str) -> Artifact:
    """The artifact of one of a report's files. Raises ReportError for a form that there is none of."""
    if form not in ("data", *TYPES):
        raise ReportError(_("报告没有这种文件"), where=form[:20], hint="pdf、docx")
    return Artifact.objects.get(commitment=getattr(report, form))


def take(report: Report, form: str, *, by: Account | None, now: datetime) -> bytes:
    """A copy of a report's file for somebody, which leaves a record: receiving is evidence too. `by` None: a command.

    Raises ReportError for another form, LedgerError when the file was removed by law, is missing or was altered.
    """
    if form not in TYPES:
        raise ReportError(_("报告没有这种文件"), where=form[:20], hint="pdf、docx")
    file = artifact(report, form)
    content = artifacts.read(file)
    with transaction.atomic():
        intake = ledger.record(
            "reports.opened",
            report.name,
            {"form": form, "file": file.commitment},
            at=now,
            actor=by.username if by else ACTOR,
        )
        Opening.objects.create(report=report, form=form, by=by, at=now, evidence=intake.pk)
    return content


def data_of(report: Report) -> dict[str, JSON]:
    """What a report was made of. Raises LedgerError when it was removed by law, is missing or was altered."""
    told: dict[str, JSON] = json.loads(artifacts.read(artifact(report, "data")))
    return told


@dataclass(frozen=True, slots=True)
class Again:
    """Whether a report made again from its own data is the same file; `why` names what differs otherwise."""

    pdf: bool
    docx: bool
    why: tuple[str, ...]


def again(report: Report) -> Again:
    """Make a report once more from its stored data and compare the bytes. Raises LedgerError for a file that is gone."""
    made = make(artifacts.read(artifact(report, "data")))
    why = []
    if made.typst != report.typst:
        why.append(_("排版程序：当时 {was}，现在 {now}").format(was=report.typst, now=made.typst))
    if made.program != report.program:
        why.append(_("本平台的报告程序已更新"))
    was, is_now = report.fonts["files"], made.fonts["files"]
    why += [
        _("字体文件 {name} 不同").format(name=n)
        for n in sorted(was.keys() | is_now.keys())
        if was.get(n) != is_now.get(n)
    ]
    return Again(
        made.pdf == artifacts.read(artifact(report, "pdf")),
        made.docx == artifacts.read(artifact(report, "docx")),
        tuple(why),
    )


def file_name(report: Report, form: str) -> str:
    """The name of a copy, as people file it: 运维月报-2026-11-第1版.pdf."""
    with translation.override(LANGUAGE):
        mark = "演示-" if settings.YUNWEI.get("demo", False) else ""
        return f"{mark}{say.kind_word(report.kind)}-{report.key}-第{report.edition}版.{form}"
