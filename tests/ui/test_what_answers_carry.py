"""Whatever page answers, whoever asks: the headers that hold a browser back, no word of another origin, nothing in line,
and no text that somebody or something brought which is more than text."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from typing import Any

import openpyxl
import pytest
from django.apps import apps
from django.db import IntegrityError, models, transaction
from django.test import Client

from tests.ui import every_page
from yunwei.accounts.models import Account
from yunwei.ui.middleware import POLICY
from yunwei.ui.pages import OPEN

pytestmark = pytest.mark.django_db
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
#: where an address stands in HTML
ADDRESSES = frozenset(
    {"src", "srcset", "href", "action", "formaction", "poster", "data", "hx-get", "hx-post", "hx-put", "hx-delete", "xlink:href", "ping"}
)  # fmt: skip


class Read(HTMLParser):
    """What a browser would run or fetch of a page, and the tags it would make."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.wrong: list[str] = []
        self._script = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._script = tag == "script"
        for name, value in attrs:
            foreign = re.match(r"\s*(//|[a-z][a-z0-9+.-]*:)", value or "", re.IGNORECASE)
            mail = (value or "").startswith(("mailto:", "tel:"))
            if name in ADDRESSES and foreign and not mail:
                self.wrong.append(f"<{tag} {name}={value!r}>")
            if name.startswith(("on", "hx-on", "data-hx-on")) or name in ("style", "srcdoc", "hx-vars", "hx-headers"):
                self.wrong.append(f"<{tag} {name}>")
            if name in ("hx-vals", "hx-trigger") and re.search(r"\bjs:|\[", value or ""):
                self.wrong.append(f"<{tag} {name}={value!r}>")
        if tag in ("base", "style", "object", "embed", "iframe"):
            self.wrong.append(f"<{tag}>")

    def handle_data(self, data: str) -> None:
        if self._script and data.strip():
            self.wrong.append(f"<script>{data[:40]}")

    def handle_endtag(self, tag: str) -> None:
        self._script = False


@pytest.fixture
def world(people: dict[str, Account], settings: Any) -> dict[str, str]:
    settings.YUNWEI = {"demo": True}
    return every_page.build(people)


def test_every_answer_holds_the_browser_back(people: dict[str, Account], world: dict[str, str]) -> None:
    ask = every_page.Asker(people)
    seen = 0
    for page in every_page.pages():
        for who in ask.all(page):
            answer = ask(who, "get", every_page.address(page, real=every_page.real_for(page, world)))
            assert answer is not None, ask.broken
            assert {name: answer.get(name) for name in HEADERS} == HEADERS | (
                {"Referrer-Policy": "no-referrer"} if page.name == "verify" else {}
            ), page.name
            assert "no-store" in answer["Cache-Control"], page.name
            if answer["Content-Type"].startswith("text/html") and answer.status_code == 200:
                read = Read(answer.content.decode())
                assert not read.wrong, (page.name, who)
                seen += 1
            elif answer.status_code == 200:
                assert answer["Content-Disposition"].startswith("attachment"), page.name
    assert not ask.broken
    assert seen > 60, "pages that were read"


def test_what_a_browser_may_keep_is_what_everybody_gets(client: Client, people: dict[str, Account]) -> None:
    sheet = client.head("/static/yw/yw.css")
    assert sheet.status_code == 200
    assert "no-store" not in sheet.get("Cache-Control", "")
    for address in ("/login", "/verify", "/nothing-here", "/api/v1/assets"):
        assert "no-store" in client.get(address)["Cache-Control"], address


# --- what people and devices bring ------------------------------------------------------------------------------------

#: codes of ours that decide what a page does; everything else in a text column may be anything
CODES = frozenset(
    [
        "Artifact.content_hash",
        "Artifact.media_type",
        "Intake.kind",
        "Intake.subject",
        "Intake.actor",
        "Head.prev",
        "Head.key_id",
        "Head.hash",
        "Account.password",
        "OldPassword.password",
        "Account.made_by",
        "Credential.kind",
        "Credential.key_id",
        "Endpoint.protocol",
        "Endpoint.vendor_file",
        "Endpoint.profile",
        "Run.procedure",
        "RunResult.part",
        "RunResult.artifact",
        "RunResult.collector",
        "DeviceSweep.run_id",
        "DeviceSweep.cause",
        "DeviceSweep.artifact",
        "Finding.key",
        "Finding.artifact",
        "PartRow.protocol",
        "PartRow.kind",
        "Control.protocol",
        "Control.address",
        "PlanVersion.zone",
        "Occurrence.obligation",
        "Occurrence.period",
        "Occurrence.owes",
        "Occurrence.kind",
        "Occurrence.basis",
        "TriggerEvent.kind",
        "TriggerEvent.artifact",
        "ManualProof.artifact",
        "Body.artifact",
        "Body.role",
        "Certificate.artifact",
        "Claim.ground",
        "Claim.artifact",
        "Consent.answer_artifact",
        "Consent.artifact",
        "Consent.obligation",
        "ConsentAct.artifact",
        "ConsentAct.obligation",
        "Notice.artifact",
        "Notice.kind",
        "Notice.outcome_artifact",
        "Notice.sender",
        "Notice.way",
        "RosterEntry.slot",
        "StaffMember.artifact",
        "Entry.what",
        "Entry.artifact",
        "Ticket.channel",
        "Ticket.severity",
        "Attempt.verdict",
        "HeadPush.address",
        "Restored.party",
        "IdentityPin.pinned_by",
    ]
)


def plant(form: str) -> list[str]:
    """Put a text of this form, numbered, into every free text column; the columns."""
    names = []
    for model in apps.get_models():
        room = model.__module__.split(".")[:2]
        if room[0] != "yunwei" or room[1] in ("assessment", "reports"):
            continue
        for field in model._meta.concrete_fields:
            name = f"{model.__name__}.{field.name}"
            free = isinstance(field, (models.CharField, models.TextField)) and not (field.choices or field.unique)
            if not free or field.primary_key or name in CODES:
                continue
            text = form.format(n=len(names) + 1)
            assert len(text) <= (field.max_length or 10**6), name
            rows = model._default_manager.all()
            try:
                with transaction.atomic():
                    rows.update(**{field.name: text})
            except IntegrityError:  # unique beside another column: one row has it then
                rows.filter(pk__in=rows.order_by("pk").values_list("pk")[:1]).update(**{field.name: text})
            names.append(name)
    return names


def test_no_text_that_was_brought_is_more_than_text_on_any_page(
    people: dict[str, Account], world: dict[str, str]
) -> None:
    names = plant("<q-{n} a=\"'>")
    ask = every_page.Asker(people)
    shown: set[str] = set()
    for page in every_page.pages():
        for who in ask.all(page):
            answer = ask(who, "get", every_page.address(page, real=every_page.real_for(page, world)))
            if answer is None or not answer.get("Content-Type", "").startswith("text/html"):
                continue
            text = answer.content.decode()
            made = {tag for tag in Read(text).tags if tag.startswith("q-")}
            assert not made, (page.name, who, [names[int(tag[2:]) - 1] for tag in made])
            shown |= {names[int(n) - 1] for n in re.findall(r"&lt;q-(\d+) a=", text)}
    assert not ask.broken
    assert {
        "Organisation.name", "Account.display_name", "Token.name", "Zone.name", "System.name", "Asset.name", "Asset.model",
        "Asset.serial", "DeviceSweep.detail", "Finding.component", "Finding.name", "PartRow.component",
        "PartRow.model", "PlanVersion.note", "Occurrence.detail", "TriggerEvent.note", "ManualProof.statement",
        "ManualProof.file_name", "Ticket.title", "Entry.text", "Entry.file_name",
        "Consent.subject", "Consent.what", "Consent.reason", "Consent.file_name", "ConsentAct.what", "Notice.title",
        "Notice.text", "Notice.answer", "Notice.new_address", "StaffMember.name", "StaffMember.position",
        "Certificate.title", "Body.name",
    } <= shown, "the pages show them at all"  # fmt: skip


def _cells(answer: Any) -> list[str]:
    if "csv" in answer["Content-Type"]:
        return [cell for row in csv.reader(io.StringIO(answer.whole.decode("utf-8-sig"))) for cell in row]
    book = openpyxl.load_workbook(io.BytesIO(answer.whole))
    assert all(c.data_type != "f" for row in book.active.iter_rows() for c in row)
    return [str(cell) for row in book.active.iter_rows(values_only=True) for cell in row if cell is not None]


def test_no_export_of_any_page_holds_a_formula(people: dict[str, Account], world: dict[str, str]) -> None:
    plant("=q{n}")
    ask = every_page.Asker(people)
    exports, quoted = 0, 0
    for page in every_page.pages():
        if page.may == OPEN:
            continue
        for form in ("csv", "xlsx"):
            answer = ask(
                ask.who(page), "get", every_page.address(page, real=every_page.real_for(page, world)), {"format": form}
            )
            if answer is None or answer.status_code != 200 or answer["Content-Type"].startswith("text/html"):
                continue
            if "spreadsheet" not in answer["Content-Type"] and "csv" not in answer["Content-Type"]:
                continue
            exports += 1
            assert answer["Content-Disposition"].startswith("attachment;"), page.name
            cells = _cells(answer)
            assert not [c for c in cells if c.startswith("=")], page.name
            quoted += sum(c.startswith("'=q") for c in cells)
    assert exports >= 20
    assert quoted > 20
    assert not ask.broken
