"""Names, kinds and figures that come with a form: what is kept of them is what can be kept, on every database."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.ui.contract_scene import play, row
from tests.ui.test_contract_pages import at_the_day  # noqa: F401 - a fixture
from yunwei.accounts.models import Account
from yunwei.desk.models import Ticket
from yunwei.duties.models import ManualProof, Occurrence, TriggerEvent
from yunwei.duties.papers import UNKNOWN, File
from yunwei.kernel.money import MoneyError, parse_figures, yuan
from yunwei.ledger.models import Artifact, Intake


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\a.pdf", "a.pdf"),
        ("a\r\nSet-Cookie: x.pdf", "aSet-Cookie: x.pdf"),
        ("证明\u202efdp.exe", "证明fdp.exe"),
        ("a\x00b\n", "ab"),
        ("x" * 300 + ".pdf", "x" * 99 + "…" + "x" * 16 + ".pdf"),
    ],
)
def test_a_name_reads_as_what_it_is(name: str, shown: str) -> None:
    assert File(name, b"x").shown == shown


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("application/pdf", "application/pdf"),
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ("application/" + "x" * 200, UNKNOWN),
        ('text/html"><script>', UNKNOWN),
        ("text/html\r\nX: 1", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_a_kind_is_kept_where_it_is_one(said: str, kept: str) -> None:
    assert File("a", b"x", said).kind == kept
    assert len(kept) <= (Artifact._meta.get_field("media_type").max_length or 0)


@pytest.mark.parametrize("text", ["9" * 40, "9" * 5000, "-" + "9" * 5000, "0." + "1" * 5000])
def test_an_amount_with_more_digits_than_money_has_is_none(text: str) -> None:
    with pytest.raises(MoneyError) as told:
        parse_figures(text)
    assert len(str(told.value)) < 120
    assert yuan("99999999999999.99") == Decimal("99999999999999.99")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00", "0001-01-01T00:00:00+14:00", "1999-12-31T23:59", "9999-12-31T23:59:59-14:00"]
)
def test_a_moment_that_is_none_starts_no_clock(client: Client, people: dict[str, Account], at: str) -> None:
    client.force_login(people["a_manager"])
    told = client.post("/triggers", {"kind": "fault_reported", "at": at, "note": "x"})
    assert told.status_code == 400
    opened = client.post("/tickets/new", {"kind": "request", "title": "x", "received": at})
    assert opened.status_code == 400
    assert not TriggerEvent.objects.exists()
    assert not Ticket.objects.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("at_the_day")
def test_a_proofs_file_keeps_its_own_name_and_a_kind_that_is_one(client: Client, people: dict[str, Account]) -> None:
    play(people)
    mine = row("S1.2", "2026-04-09")
    client.force_login(people["b_engineer"])
    file = SimpleUploadedFile("证明\u202efdp.exe", b"x", "a/" + "b" * 300)
    assert client.post(f"/occurrences/{mine.pk}", {"act": "state", "statement": "x", "file": file}).status_code == 302
    proof = ManualProof.objects.get(occurrence=mine)
    assert proof.file_name == "证明fdp.exe"
    assert Artifact.objects.get(commitment=proof.artifact).media_type == UNKNOWN


@pytest.mark.django_db
@pytest.mark.usefixtures("at_the_day")
@pytest.mark.parametrize("number", ["9" * 5000, "９" * 30, str(2**64), "-1", "x"])
def test_a_number_that_no_minehas_answers_nothing(client: Client, people: dict[str, Account], number: str) -> None:
    play(people)
    client.force_login(people["a_manager"])
    some = Occurrence.objects.latest("id")
    for act in ("proof-yes", "proof-no", "claim-yes", "claim-no", "withdraw"):
        assert client.post(f"/occurrences/{some.pk}", {"act": act, "id": number, "answer": "x"}).status_code == 400


@pytest.mark.django_db
def test_an_export_of_tickets_records_the_filter_and_nothing_that_was_added(
    client: Client, people: dict[str, Account]
) -> None:
    client.force_login(people["b_manager"])
    more = {f"k{i}": "y" * 200 for i in range(50)}
    client.get("/tickets", {"format": "csv", "state": "open", "q": "x", **more})
    told = bytes(Intake.objects.get(kind="desk.exported").body).decode()
    assert '"state":"open"' in told
    assert "k49" not in told
    assert len(told) < 400
