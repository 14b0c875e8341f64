"""Recording an event by page: who may, what is needed, what it starts."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from yunwei.duties.models import Occurrence, TriggerEvent
from yunwei.ledger.models import Artifact, Intake

pytestmark = pytest.mark.django_db
FORM = {"kind": "paper_handed_over", "at": "2026-02-10T09:00", "note": "请示"}


def file() -> SimpleUploadedFile:
    return SimpleUploadedFile("请示.pdf", b"%PDF-1.7 content", "application/pdf")


def test_an_event_with_its_file_starts_the_clock_and_is_in_the_ledger(client: Client, people):
    client.force_login(people["b_manager"])
    assert client.post("/triggers", FORM | {"file": file()}).status_code == 302
    event = TriggerEvent.objects.get()
    assert event.at.isoformat() == "2026-02-10T01:00:00+00:00", "the form's time is the contract's zone"
    assert event.recorded_by == people["b_manager"]
    assert Artifact.objects.filter(commitment=event.artifact).exists()
    assert Intake.objects.get(pk=event.evidence).kind == "duties.event.recorded"
    assert Occurrence.objects.filter(period=f"event:{event.pk}").exists()
    text = client.get("/triggers").content.decode()
    assert "请示.pdf" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"file": None}, "文件"),
        ({"at": ""}, "时间"),
        ({"at": "2099-01-01T00:00"}, "不晚于现在"),
        ({"kind": "nothing"}, "没有触发事件"),
        ({"kind": "system_changed"}, "登记"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_kept(client: Client, people, change, words):
    client.force_login(people["b_manager"])
    form = {**FORM, "file": file(), **change}
    response = client.post("/triggers", {k: v for k, v in form.items() if v is not None})
    assert response.status_code == 400
    assert words in response.content.decode()
    assert f"{form['kind']}: " not in response.content.decode(), "an id of the folder is no word of people"
    assert not TriggerEvent.objects.exists()
    assert not Intake.objects.filter(kind="duties.event.recorded").exists()


def test_tenants_do_not_see_and_officers_do_not_record(client: Client, people):
    client.force_login(people["tenant"])
    assert client.get("/triggers").status_code == 403
    assert client.post("/triggers", FORM | {"file": file()}).status_code == 403
    client.force_login(people["auditor"])
    assert client.get("/triggers").status_code == 200
    assert client.post("/triggers", FORM | {"file": file()}).status_code == 403
    assert not TriggerEvent.objects.exists()


def test_each_side_is_offered_what_it_may_record(client: Client, people):
    client.force_login(people["a_manager"])
    ours = client.get("/triggers").content.decode()
    client.force_login(people["b_manager"])
    theirs = client.get("/triggers").content.decode()
    assert 'value="system_changed"' in ours
    assert 'value="system_changed"' not in theirs
    assert 'value="defect_found"' in theirs
    assert 'value="defect_found"' not in ours


def test_names_and_notes_are_escaped(client: Client, people):
    client.force_login(people["b_manager"])
    evil = SimpleUploadedFile("<img src=x onerror=alert(1)>.pdf", b"x", "application/pdf")
    client.post("/triggers", FORM | {"note": "<script>alert(1)</script>", "file": evil})
    text = client.get("/triggers").content.decode()
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "&lt;script&gt;" in text
