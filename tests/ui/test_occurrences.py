"""Every occurrence in one list: a figure of 今日 opens just its rows; and the file that an answer is asked on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from tests.ui import contract_scene as scene
from tests.ui.test_contract_pages import at_the_day, counted, get  # noqa: F401 - a fixture
from tests.ui.test_duties_pages import LIST, file, post
from tests.ui.test_today import text_of
from yunwei.contract.web import health
from yunwei.duties.models import ManualProof, Occurrence, State
from yunwei.duties.web import day, occurrences
from yunwei.ledger import services as ledger

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_the_day")]

NONE = "没有符合筛选条件的义务"


@pytest.mark.parametrize(
    ("query", "figure"),
    [
        ("state=kept&counts=yes", "kept"),
        ("state=late&counts=yes", "late"),
        ("state=unproven&counts=yes", "unproven"),
        ("state=missed&counts=yes", "missed"),
        ("turn=late&counts=yes", "overdue"),
        ("turn=today&counts=yes", "today_open"),
        ("turn=clock", "clocks"),
    ],
)
def test_a_figure_of_today_opens_just_its_rows(client: Client, people, query: str, figure: str) -> None:
    scene.play(people)
    wanted = day.counts_of(*occurrences.bounds())[figure]
    said = text_of(get(client, f"/occurrences?{query}", people["b_engineer"]))
    assert f"共 {wanted} 条" in said if wanted else NONE in said
    linked = f'href="/occurrences?{query.replace("&", "&amp;")}"' in get(client, "/today", people["b_engineer"])
    assert linked == (wanted > (day.CLOCKS if figure == "clocks" else 0))


def test_the_list_keeps_its_statements_and_its_readers(client: Client, people) -> None:
    scene.play(people)
    client.force_login(people["a_manager"])
    assert counted(client, "/occurrences") <= LIST
    client.force_login(people["tenant"])
    assert client.get("/occurrences").status_code == 403


def test_each_falls_due_in_one_month_and_what_is_no_month_has_none(client: Client, people) -> None:
    scene.play(people)
    due = Occurrence.objects.exclude(due_at=None)
    for text in ("2026-13", "2026-4", "turn", "2026-04\n"):
        assert not occurrences._month(due, text).exists()
    months = [f"{year}-{month:02}" for year in (2026, 2027) for month in range(1, 13)]
    found = [pk for text in months for pk in occurrences._month(due, text).values_list("pk", flat=True)]
    assert sorted(found) == sorted(due.values_list("pk", flat=True))
    page = get(client, "/occurrences?turn=nothing", people["b_engineer"])
    assert NONE in page


def test_what_was_said_to_be_done_is_no_longer_to_do(client: Client, people) -> None:
    scene.play(people)
    now, start, end = occurrences.bounds()
    row = Occurrence.objects.filter(state=State.DUE, counts=True, proofs=None).order_by("-starts_at").first()
    assert row is not None
    row.due_at = min(now + timedelta(hours=1), end)  # the last hour of a day has no hour after it
    row.save()
    before = day.counts_of(now, start, end)["today_open"]
    assert before
    ManualProof.objects.create(
        occurrence=row, statement="已做", stated_by=people["b_engineer"], stated_at=now, artifact="0" * 64
    )
    assert day.counts_of(now, start, end)["today_open"] == before - 1


def test_a_clock_waits_for_its_answer_and_one_of_last_spring_comes_last(client: Client, people) -> None:
    scene.play(people)
    now, _start, _end = occurrences.bounds()
    rows = [r for r in day.open_rows() if r.period.startswith("event:") and r.due_at]
    assert rows
    last = rows[0]
    last.state, last.due_at = State.MISSED, now - timedelta(days=200)
    last.save()
    assert [r for r in day.open_rows() if r.period.startswith("event:")][-1].pk == last.pk
    ManualProof.objects.create(
        occurrence=last, statement="迟了", stated_by=people["b_engineer"], stated_at=now, artifact="0" * 64
    )
    assert "迟延，待确认" in text_of(get(client, "/contract", people["b_manager"]))


def test_who_has_to_answer_opens_the_file_also_after_the_answer(client: Client, people) -> None:
    scene.play(people)
    row = scene.row("S1.2", "2026-04-09")
    form = {"act": "state", "statement": "已经查过", "file": file()}
    assert post(client, people["b_engineer"], row, form).status_code == 302
    ledger.sequence(scene.NOW)
    proof = ManualProof.objects.get(occurrence=row)
    page = get(client, f"/occurrences/{row.pk}", people["a_manager"])
    found = [part.split('"')[0] for part in page.split('href="')[1:] if proof.artifact in part.split('"')[0]]
    assert len(found) == 1
    assert client.get(found[0]).status_code == 200
    no = {"act": "proof-no", "id": proof.pk, "answer": "看不清"}
    assert post(client, people["a_manager"], row, no).status_code == 302
    ledger.sequence(scene.NOW)
    assert found[0] in get(client, f"/occurrences/{row.pk}", people["a_manager"]), "the file came with the first record"


def test_the_first_page_says_what_waits_for_the_reader_s_own_side(client: Client, people) -> None:
    scene.play(people)
    found = health.model(scene.NOW)["sides"]
    assert found[0].answers, "the scene has a statement that 甲方 has not answered"
    page = get(client, "/today", people["a_manager"])
    assert f"等本方办理 · 待答复的举证、主张 {found[0].answers}" in text_of(page)
    assert "等本方办理" not in get(client, "/today", people["b_engineer"]) or found[1].answers
    assert "等本方办理" not in get(client, "/today", people["auditor"])
