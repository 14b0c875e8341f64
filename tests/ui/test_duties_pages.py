"""条款与义务, one obligation, one occurrence: whose number, how it stands, who may say and answer what."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.ui import contract_scene as scene
from tests.ui.test_contract_pages import at_the_day, counted, get  # noqa: F401 - a fixture
from tests.ui.test_today import EVIL, Tags, text_of
from yunwei.duties.models import Claim, ClaimState, ManualProof, Occurrence, State
from yunwei.duties.sources import calendar, folder
from yunwei.duties.web import obligations
from yunwei.duties.web.pending import answering_claim, answering_proof
from yunwei.duties.web.standing import standings
from yunwei.ledger.models import Entry, Intake

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_the_day")]
#: statements of each page, whatever the tables hold
LIST, ONE, OCCURRENCE = 8, 16, 16


def file() -> SimpleUploadedFile:
    return SimpleUploadedFile("证明.pdf", b"%PDF-1.7 proof", "application/pdf")


def post(client: Client, who: Any, row: Occurrence, form: dict[str, Any]) -> Any:
    client.logout()
    client.force_login(who)
    return client.post(f"/occurrences/{row.pk}", form)


# --- the list ---------------------------------------------------------------------------------------------------------


def test_every_obligation_stands_in_the_list_with_whose_number_it_is(client: Client, people) -> None:
    scene.play(people)
    page = get(client, "/obligations", people["b_engineer"])
    assert re.findall(r'data-href="/obligations/([^"]+)"', page) == [o.id for o in folder().obligations]
    said = text_of(page)
    assert "每日 18:00 前 服务方案 定期" in said, "the plan's number, and the contract's own vague word"
    assert "3 个工作日 合同" in said
    assert "2 个工作日 政府采购法实施条例 50" in said
    assert "违反才记录" in said


@pytest.mark.parametrize(
    ("query", "keeps"),
    [
        ("party=A", lambda o: o.owes.value == "A"),
        ("kind=pay", lambda o: o.kind.value == "pay"),
        ("clause=7.2", lambda o: any(c.startswith("7.2.") for c in o.clauses)),
        ("clause=7.2.1", lambda o: "7.2.1" in o.clauses),
        ("how=procedure", lambda o: o.procedure in ("hardware.inspect", "hardware.deep")),
        ("state=unp", lambda o: o.id == "S1.1-remote"),
        ("state=none&party=B", lambda o: o.kind.value in ("ban", "consent") and o.owes.value == "B"),
        ("q=s1.2", lambda o: "s1.2" in o.id.lower()),
    ],
)
def test_the_filters_keep_just_what_they_say_also_in_the_export(client: Client, people, query: str, keeps: Any) -> None:
    scene.play(people)
    if query == "state=unp":  # the other days of it were missed, which is worse
        Occurrence.objects.filter(obligation="S1.1-remote").exclude(state=State.UNPROVEN).update(counts=False)
    page = get(client, f"/obligations?{query}", people["b_engineer"])
    wanted = [o.id for o in folder().obligations if keeps(o)]
    assert re.findall(r'data-href="/obligations/([^"]+)"', page) == wanted
    answer = client.get(f"/obligations?{query}&format=csv")
    rows = list(csv.reader(io.StringIO(b"".join(answer).decode("utf-8-sig"))))  # type: ignore[call-overload]
    assert [row[0].split()[0] for row in rows[1:]] == wanted
    assert answer["Content-Disposition"].startswith("attachment")
    assert client.get(f"/obligations?{query}&format=xlsx").content[:2] == b"PK"


def test_a_clause_filter_does_not_take_7_2_15_for_7_2_1(people) -> None:
    duty = next(o for o in folder().obligations if "7.2.15" in o.clauses or "7.2.16" in o.clauses)
    row = obligations.Row(duty, None, "", obligations.NOTHING)
    assert not obligations.KEEPS["clause"](row, "7.2.1")
    assert obligations.KEEPS["clause"](row, "7.2")


def test_statements_of_the_pages_do_not_grow(client: Client, people) -> None:
    scene.play(people)
    client.force_login(people["b_engineer"])
    one = scene.row("S1.2", "2026-04-08")
    addresses = {"/obligations": LIST, "/obligations/S3.1": ONE, f"/occurrences/{one.pk}": OCCURRENCE}
    few = {a: counted(client, a) for a in addresses}
    Occurrence.objects.bulk_create(
        Occurrence(obligation="S3.1", period=f"x-{i}", owes="B", kind="look", basis="plan", counts=True, evidence=i + 1,
                   starts_at=scene.START, due_at=scene.START, state=State.MISSED)
        for i in range(300)
    )  # fmt: skip
    for address, most in addresses.items():
        assert counted(client, address) == few[address] <= most, address


# --- one obligation ---------------------------------------------------------------------------------------------------


def test_an_obligation_says_who_owes_whom_what_and_what_it_is_worth(client: Client, people) -> None:
    scene.play(people)
    said = text_of(get(client, "/obligations/S1.2", people["a_manager"]))
    assert "乙方负有，甲方接受并确认" in said
    assert "每日 18:00 前 服务方案第 1 版" in said
    assert "评分标准是平台默认，双方没有签署：只供参考，不影响价款 3.5" in said, "no rubric is in hand"
    assert "已结 3 期，按期 1 、迟延 1 、未证明 0 、未履行 1 " in said
    assert "已查" in said, "the proof that waits"
    for code in ("R2", "A6"):
        assert "没有到期日" in text_of(get(client, f"/obligations/{code}", people["a_manager"]))
    assert client.get("/obligations/NONE").status_code == 404


def test_its_occurrences_are_listed_with_evidence_and_filtered(client: Client, people) -> None:
    scene.play(people)
    page = get(client, "/obligations/S1.2", people["b_engineer"])
    kept = scene.row("S1.2", "2026-04-06")
    assert f'href="/evidence/{Entry.objects.get(intake_id=kept.evidence).seq}"' in page
    for query, wanted in (
        ("state=late", {"2026-04-07"}), ("waits=answer", {"2026-04-08"}), ("state=overdue", set()),
        ("waits=dispute", set()),
    ):  # fmt: skip
        page = client.get(f"/obligations/S1.2?{query}").content.decode()
        assert set(re.findall(r'<a href="/occurrences/\d+">(\d{4}-\d\d-\d\d)</a>', page)) == wanted, query
    text = b"".join(client.get("/obligations/S1.2?state=late&format=csv")).decode()  # type: ignore[call-overload]
    assert "2026-04-07" in text
    assert "2026-04-06" not in text


# --- one occurrence ---------------------------------------------------------------------------------------------------


def test_a_deadline_is_explained_day_by_day(client: Client, people) -> None:
    scene.play(people)
    row = Occurrence.objects.get(obligation="R3")
    said = text_of(get(client, f"/occurrences/{row.pk}", people["b_engineer"]))
    assert "3 个工作日 合同" in said
    assert "自：收到非紧急申请（邮件、短信、微信）" in said
    assert "2026-04-08 周三 —" in said, "the day of the event is not counted"
    assert "2026-04-13 周一 3" in said, "Friday the 10th is the second one, the week-end lies between"
    assert "2026-04-11 周六 —" in said
    assert f"2026: {calendar().notice(2026)}" in said, "what the calendar rests on"
    looked = scene.row("S1.2", "2026-04-06")
    assert "按频次" in text_of(client.get(f"/occurrences/{looked.pk}").content.decode())


def test_a_reckoning_that_does_not_give_the_due_moment_is_not_shown(client: Client, people) -> None:
    scene.play(people)
    row = Occurrence.objects.get(obligation="R3")
    Occurrence.objects.filter(pk=row.pk).update(due_at=row.due_at + timedelta(days=1))
    said = text_of(get(client, f"/occurrences/{row.pk}", people["b_engineer"]))
    assert "3 个工作日 合同" not in said.split("期限怎么来的")[1].split("台账里的经过")[0]


def test_its_history_is_the_ledger_s(client: Client, people) -> None:
    scene.play(people)
    row = scene.row("S1.2", "2026-04-07")
    page = get(client, f"/occurrences/{row.pk}", people["b_engineer"])
    kinds = list(Intake.objects.filter(subject=row.key).order_by("id").values_list("kind", flat=True))
    assert kinds == [
        "duties.occurrence.missed",
        "duties.proof.stated",
        "duties.proof.confirmed",
        "duties.occurrence.late",
    ]
    said = text_of(page)
    places = [said.index(w) for w in ("义务未履行 №", "履行证明提交 №", "履行证明确认 №", "义务迟延履行 №")]
    assert places == sorted(places)
    assert client.get("/occurrences/999999").status_code == 404


def test_the_party_that_owes_states_and_the_receiver_confirms(client: Client, people) -> None:
    scene.play(people)
    row = scene.row("S1.2", "2026-04-09")
    form = {"act": "state", "statement": "已经查过", "file": file()}
    page = get(client, f"/occurrences/{row.pk}", people["b_engineer"])
    assert 'value="state"' in page
    assert 'value="state"' not in get(client, f"/occurrences/{row.pk}", people["a_manager"])
    assert post(client, people["b_engineer"], row, form).status_code == 302
    proof = ManualProof.objects.get(occurrence=row)
    assert (proof.statement, proof.file_name, proof.stated_by.username) == ("已经查过", "证明.pdf", "b_engineer")
    answer = {"act": "proof-yes", "id": proof.pk, "answer": ""}
    assert 'value="proof-yes"' not in get(client, f"/occurrences/{row.pk}", people["b_manager"]), "never a colleague"
    refused = post(client, people["b_manager"], row, answer)
    assert refused.status_code == 400
    assert "不能由本方人员确认" in refused.content.decode()
    assert 'value="proof-yes"' in get(client, f"/occurrences/{row.pk}", people["a_manager"])
    assert post(client, people["a_manager"], row, answer).status_code == 302
    row.refresh_from_db()
    assert row.state == State.LATE, "stated after its time"


def test_a_proof_is_refused_with_a_reason_or_withdrawn_by_its_own_side(client: Client, people) -> None:
    scene.play(people)
    row = scene.row("S1.2", "2026-04-08")
    proof = ManualProof.objects.get(occurrence=row)
    no = {"act": "proof-no", "id": proof.pk, "answer": ""}
    assert post(client, people["a_manager"], row, no).status_code == 400
    assert post(client, people["a_manager"], row, {"act": "withdraw", "id": proof.pk, "answer": "x"}).status_code == 400
    assert (
        post(client, people["b_manager"], row, {"act": "withdraw", "id": proof.pk, "answer": "附错了"}).status_code
        == 302
    )
    proof.refresh_from_db()
    assert (proof.confirmed, proof.answer, proof.answered_by) == (False, "附错了", None)
    assert "本方撤回" in get(client, f"/occurrences/{row.pk}", people["a_manager"])


def test_a_claim_is_made_with_a_clause_and_a_file_and_disputed_by_the_other_side(client: Client, people) -> None:
    scene.play(people)
    row = scene.row("S3.1", "2026-04-06")
    page = get(client, f"/occurrences/{row.pk}", people["b_manager"])
    assert re.findall(r'<option value="([^"]+)"', page) == ["7.2.9", "11.1"], (
        "what excuses a performance, for this party"
    )
    without = post(client, people["b_manager"], row, {"act": "exempt", "ground": "11.1", "statement": "断电"})
    assert without.status_code == 400
    assert "文件" in without.content.decode()
    assert "断电" in without.content.decode(), "what was typed is still there"
    made = post(
        client, people["b_manager"], row, {"act": "exempt", "ground": "11.1", "statement": "断电", "file": file()}
    )
    assert made.status_code == 302
    claim = Claim.objects.get()
    assert 'value="claim-yes"' not in get(client, f"/occurrences/{row.pk}", people["b_manager"])
    assert (
        post(client, people["a_manager"], row, {"act": "claim-no", "id": claim.pk, "answer": "当日有电"}).status_code
        == 302
    )
    claim.refresh_from_db()
    assert claim.state == ClaimState.DISPUTED
    said = text_of(get(client, "/obligations/S3.1", people["auditor"]))
    assert "争议" in said
    assert "当日有电" in said
    assert "有争议的主张不改变状态" in said


def test_a_cause_elsewhere_is_claimed_for_what_was_not_proven_and_accepted(client: Client, people) -> None:
    scene.play(people)
    row = scene.row("S1.1-remote", "2026-04-07")
    assert "责任：尚不清楚" in text_of(get(client, f"/occurrences/{row.pk}", people["b_manager"]))
    form = {"act": "cause", "cause": "client", "statement": "甲方断网", "file": file()}
    assert post(client, people["b_manager"], row, form).status_code == 302
    claim = Claim.objects.get()
    assert post(client, people["a_manager"], row, {"act": "claim-yes", "id": claim.pk, "answer": ""}).status_code == 302
    row.refresh_from_db()
    assert (row.state, row.cause) == (State.UNPROVEN, "client"), "it is still not proven"


def test_what_belongs_to_another_occurrence_is_not_answered_here(client: Client, people) -> None:
    scene.play(people)
    proof = ManualProof.objects.get(confirmed__isnull=True)
    other = scene.row("S1.2", "2026-04-09")
    for which in (proof.pk, "x", "", 10**30):
        assert post(
            client, people["a_manager"], other, {"act": "proof-yes", "id": which, "answer": ""}
        ).status_code in (400, 404)
    proof.refresh_from_db()
    assert proof.confirmed is None


@pytest.mark.parametrize("who", ["auditor", "tenant"])
def test_who_is_no_party_changes_nothing(client: Client, people, who: str) -> None:
    scene.play(people)
    row = scene.row("S1.2", "2026-04-09")
    assert post(client, people[who], row, {"act": "state", "statement": "x", "file": file()}).status_code == 403
    assert not ManualProof.objects.filter(occurrence=row).exists()


def test_an_act_that_is_none_is_refused(client: Client, people) -> None:
    scene.play(people)
    assert post(client, people["b_manager"], scene.row("S1.2", "2026-04-09"), {"act": "delete"}).status_code == 400


def test_only_the_vendor_does_a_look_again(client: Client, people) -> None:
    scene.play(people)
    row = scene.row("S1.1-remote", "2026-04-07")
    assert 'value="again"' not in get(client, f"/occurrences/{row.pk}", people["a_manager"])
    assert post(client, people["a_manager"], row, {"act": "again"}).status_code == 403
    late = post(client, people["b_engineer"], row, {"act": "again"})
    assert late.status_code == 400
    assert "下一期已经开始" in late.content.decode()


def test_what_people_write_stays_text(client: Client, people) -> None:
    scene.play(people)
    row = scene.row("S1.2", "2026-04-09")
    evil = SimpleUploadedFile("<img src=x onerror=alert(2)>.pdf", b"x", "text/html")
    assert post(client, people["b_manager"], row, {"act": "state", "statement": EVIL, "file": evil}).status_code == 302
    for address in (f"/occurrences/{row.pk}", "/obligations/S1.2", "/contract"):
        page = get(client, address, people["a_manager"])
        assert "<script>alert" not in page, address
        tags = Tags(page)
        assert "img" not in tags.names
        assert not [name for name in tags.attributes if name.startswith("on")]


# --- who may answer (pure) --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "owes", "confirmed_by", "answering"),
    [("B", "B", "A", "A"), ("A", "A", "B", "B"), ("B", "AB", "AB", "A"), ("A", "AB", "", "B"), ("A", "B", "A", "")],
)
def test_the_page_offers_the_answer_to_whom_the_service_lets(people, stated, owes, confirmed_by, answering) -> None:
    by = people["a_manager" if stated == "A" else "b_manager"]
    assert answering_proof(ManualProof(stated_by=by), owes, confirmed_by) == answering
    assert answering_claim(Claim(claimed_by=by), owes) == "".join(s for s in "AB" if s not in (stated, owes))


def test_a_file_that_is_too_large_is_not_read(client: Client, people, monkeypatch) -> None:
    from yunwei.duties.web import acts

    scene.play(people)
    monkeypatch.setattr(acts, "MAX_FILE", 4)
    row = scene.row("S1.2", "2026-04-09")
    answer = post(client, people["b_manager"], row, {"act": "state", "statement": "x", "file": file()})
    assert answer.status_code == 400
    assert "文件超过" in answer.content.decode()


def test_the_receiver_s_delay_is_not_the_other_side_s_lateness(client: Client, people) -> None:
    scene.play(people)
    row = scene.row("S1.2", "2026-04-08")  # stated in time, unanswered, its time is over
    assert row.state == State.DUE
    assert row.due_at is not None
    assert row.due_at < scene.NOW
    found = standings(scene.NOW)["S1.2"]
    assert (found.overdue, found.stated) == (0, 1)
    assert "逾期未办" not in text_of(get(client, f"/occurrences/{row.pk}", people["b_engineer"]))
    ManualProof.objects.filter(occurrence=row).update(stated_at=row.due_at + timedelta(hours=1))
    found = standings(scene.NOW)["S1.2"]
    assert (found.overdue, found.stated) == (1, 0), "said too late, it is late"
    ManualProof.objects.filter(occurrence=row).delete()
    assert "：逾期未办" in text_of(get(client, f"/occurrences/{row.pk}", people["b_engineer"])).replace("： ", "：")
