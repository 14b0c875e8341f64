"""合同健康, 合同条款, 服务方案: what they say is what the tables and the contract hold; the client answers line by line."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.ui import contract_scene as scene
from tests.ui.conftest import CONTRACTS
from tests.ui.test_today import text_of
from yunwei.accounts.models import Account, Organisation, Role
from yunwei.contract import plans
from yunwei.contract.folder import load
from yunwei.contract.models import PlanState, PlanVersion
from yunwei.contract.schema import Folder
from yunwei.contract.web import clauses as clauses_page
from yunwei.contract.web import health, say, tree
from yunwei.contract.web import plans as plans_page
from yunwei.duties.models import Occurrence, State
from yunwei.duties.sources import folder
from yunwei.duties.web import obligation, obligations, occurrence
from yunwei.duties.web.standing import NOTHING, Standing, worst
from yunwei.ledger.models import Intake

pytestmark = pytest.mark.django_db
#: statements of each page, whatever the tables hold
HEALTH, CLAUSES, LIST, PLAN = 31, 7, 8, 12


@pytest.fixture
def at_the_day(settings, monkeypatch) -> None:
    """The pages' clock stands at the scene's moment."""
    settings.YUNWEI = {"demo": True}
    for module in (health, clauses_page, plans_page, obligations, obligation, occurrence):
        monkeypatch.setattr(module, "now_of_instance", lambda: scene.NOW)


def get(client: Client, address: str, who: Account) -> str:
    client.logout()  # one session per account: a second login ends the first
    client.force_login(who)
    response = client.get(address)
    assert response.status_code == 200, (address, response.status_code)
    return response.content.decode()


def counted(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


# --- the mark of several together (pure) ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("figures", "tone"),
    [
        ({"kept": 999, "missed": 1}, "bad"),
        ({"kept": 999, "overdue": 1}, "bad"),
        ({"kept": 999, "unproven": 1, "late": 5}, "unp"),
        ({"kept": 9, "late": 1}, "warn"),
        ({"kept": 9, "waiting": 1}, "ok"),
        ({"waiting": 1}, "info"),
        ({"exempt": 3, "uncounted": 4}, "mut"),
        ({}, "mut"),
    ],
)
def test_a_share_never_covers_what_was_not_kept(figures: dict[str, int], tone: str) -> None:
    assert Standing(**figures).tone == tone
    assert worst([Standing(kept=500), Standing(**figures), NOTHING]).tone == (
        tone if figures.keys() & {"missed", "overdue", "unproven", "late"} else "ok"
    )


def test_what_is_exempt_or_does_not_count_is_not_settled() -> None:
    assert Standing(kept=3, late=1, unproven=1, missed=1, exempt=7, uncounted=9, waiting=2).settled == 6


# --- the tree ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "article", "depth"),
    [("7.2.15", "7", 1), ("2.1-S", "2", 1), ("5.2.1a", "5", 2), ("9.1¶1", "9", 1), ("3-tail", "3", 0), ("PRE", "PRE", 0),
     ("第二条（一）", "第二条", 0), ("第十一条", "第十一条", 0), ("第四条第一款", "第四条", 0)],
)  # fmt: skip
def test_a_number_says_where_it_stands(number: str, article: str, depth: int) -> None:
    assert tree.article(number) == article
    assert max(len(tree.steps(number)) - 2, 0) == depth


def test_every_clause_stands_in_the_tree_once_with_the_worst_of_what_hangs_on_it(contract: None) -> None:
    found: Folder = folder()
    rows = [
        row for a in tree.articles(found, {"S1.2": Standing(kept=9), "S3.1": Standing(unproven=1)}) for row in a.rows
    ]
    assert [row.clause.id for row in rows] == [c.id for c in found.clauses]
    by = {row.clause.id: row for row in rows}
    assert by["2.1-S"].tone == "unp"
    assert by["2.2"].tone == "", "no obligation hangs on the price"
    assert by["9.1¶2"].duties == by["7.2.20"].duties != [], "a clause that says the same carries the same"


def test_the_ranks_stand_in_the_order_of_the_contract_with_those_that_are_empty(contract: None) -> None:
    found = tree.ranks(folder())
    assert [r.number for r in found] == ["3.1", "3.2", "3.3", "3.4", "3.5", "3.6"]
    assert [len(r.documents) for r in found] == [0, 3, 1, 1, 1, 0]


# --- 合同健康 ---------------------------------------------------------------------------------------------------------


def test_the_page_says_what_the_tables_hold(client: Client, people, at_the_day) -> None:
    scene.play(people)
    page = get(client, "/contract", people["b_engineer"])
    said = text_of(page)
    rows = Occurrence.objects.filter(counts=True)
    n = {state: rows.filter(state=state).count() for state in State}
    settled = sum(n[s] for s in (State.KEPT, State.LATE, State.MISSED, State.UNPROVEN))
    assert min(n[State.KEPT], n[State.LATE], n[State.MISSED], n[State.UNPROVEN]) > 0, "the scene shows each"
    assert (
        f"已结 {settled} 项，其中未履行 {n[State.MISSED]} 、未证明 {n[State.UNPROVEN]} 、迟延 {n[State.LATE]}" in said
    )
    assert f"待甲方办理 1 件、乙方 {n[State.MISSED]} 件" in said, (
        "one proof was stated in time and waits for the client"
    )
    assert said.index("没有做到的") < said.index("条款树"), "what is open stands first"
    assert "待双方确认" in said, "the formula of 5.1 is blank: no final sum is computed"
    assert "不评分，也不预测得分与尾款" in said
    assert "2,091,800.00" in said
    assert page.count('id="i-') == len(folder().open_items)


def test_the_page_follows_and_a_fragment_that_says_the_same_is_not_sent_again(
    client: Client, people, at_the_day
) -> None:
    scene.play(people)
    page = get(client, "/contract", people["b_engineer"])
    assert 'hx-get="/contract/body"' in page
    first = client.get("/contract/body", headers={"YW-Live": "1"})
    assert "<html" not in first.content.decode()
    assert text_of(first.content.decode()).split("数据时间")[0].strip() in text_of(page)
    known = {"YW-Live": "1", "YW-Seen": first["YW-Mark"]}
    assert client.get("/contract/body", headers=known).status_code == 204
    Occurrence.objects.filter(obligation="S1.2", state=State.KEPT).update(state=State.LATE)
    assert client.get("/contract/body", headers=known).status_code == 200
    client.logout()
    client.force_login(people["tenant"])
    assert client.get("/contract/body").status_code == 403


def test_both_parties_clocks_have_equal_room(client: Client, people, at_the_day) -> None:
    scene.play(people)
    page = get(client, "/contract", people["a_manager"])
    assert page.count('class="card c6"') == 2
    ours, theirs = page.split("甲方自己的期限")[1].split("乙方自己的期限")
    assert "请示扩容" in ours, "the client's fifteen working days run"
    assert "咨询" in theirs.split("</section>")[0]


def test_an_empty_contract_claims_nothing(client: Client, people, at_the_day) -> None:
    said = text_of(get(client, "/contract", people["b_engineer"]))
    assert "本合同期尚无已结事项" in said
    assert "没有到期的，就不能说履行得好" in said
    assert "100.0" not in said


def test_only_who_reads_the_contract_may_open_its_pages(client: Client, people) -> None:
    officer = Account.objects.create(
        username="sys",
        display_name="sys",
        role=Role.SYSADMIN,
        organisation=Organisation.objects.get(code="A"),
        password="x",
    )
    for who in (people["tenant"], officer):
        client.force_login(who)
        for address in ("/contract", "/contract/clauses", "/plans", "/plans/1"):
            assert client.get(address).status_code == 403, (who, address)
    client.logout()
    assert client.get("/contract").status_code == 302


@pytest.mark.parametrize(
    ("address", "most"), [("/contract", HEALTH), ("/contract/clauses", CLAUSES), ("/plans", LIST), ("/plans/1", PLAN)]
)
def test_statements_are_bounded_whatever_the_tables_hold(
    client: Client, people, at_the_day, address: str, most: int
) -> None:
    scene.play(people)
    client.force_login(people["b_engineer"])
    few = counted(client, address)
    Occurrence.objects.bulk_create(
        Occurrence(obligation="S3.1", period=f"x-{i}", owes="B", kind="look", basis="plan", counts=True,
                   starts_at=scene.START, due_at=scene.START, state=State.MISSED)
        for i in range(500)
    )  # fmt: skip
    assert counted(client, address) == few <= most


# --- 合同条款 ---------------------------------------------------------------------------------------------------------


def test_all_clauses_with_anchors_obligations_rules_and_readings(client: Client, people, at_the_day) -> None:
    page = get(client, "/contract/clauses", people["b_engineer"])
    found = folder()
    for clause in found.clauses:
        assert f'id="c{clause.id}"' in page, clause.id
    for duty in found.obligations:
        assert f'href="/obligations/{duty.id}"' in page, duty.id
    said = text_of(page)
    for rule in found.rules:
        assert rule.text in said
    for reading in found.contract.periods:
        assert f"{reading.start} → {reading.end}" in said
    assert "4 种，尚未确认" in said


@pytest.mark.parametrize(
    ("query", "keeps"),
    [
        ("party=A", lambda c, hung: c.who == "A"),
        ("keep=none", lambda c, hung: not hung),
        ("keep=some&party=B", lambda c, hung: hung and c.who == "B"),
        ("keep=vague", lambda c, hung: c.vague),
        ("q=7.2.16", lambda c, hung: c.id == "7.2.16"),
        ("party=X&keep=nonsense", lambda c, hung: True),
    ],
)
def test_the_filters_keep_just_what_they_say(client: Client, people, at_the_day, query: str, keeps: Any) -> None:
    page = get(client, f"/contract/clauses?{query}", people["b_engineer"])
    rows = [row for a in tree.articles(folder(), {}) for row in a.rows]
    wanted = [row.clause.id for row in rows if keeps(row.clause, bool(row.duties))]
    assert re.findall(r'<li id="c([^"]+)"', page) == wanted != []


def test_a_filter_that_keeps_nothing_says_so_and_stays_text(client: Client, people, at_the_day) -> None:
    page = get(client, "/contract/clauses?q=<script>alert(1)</script>", people["b_engineer"])
    assert "没有符合筛选条件的条款" in page
    assert "<script>alert" not in page


def test_no_contract_is_in_the_code(client: Client, people, at_the_day, monkeypatch) -> None:
    """Another city's contract, with articles called 第×条, one reading of the term and quarterly payments."""
    other = load(CONTRACTS / "yunting-2027")
    for module in (health, clauses_page, obligations, obligation):
        monkeypatch.setattr(module, "contract_folder", lambda: other)
    said = text_of(get(client, "/contract", people["b_engineer"]))
    assert "960,000.50" in said
    assert "自以下最晚一件起 20 个自然日内：第一季度验收合格 + 收到第一期发票" in said
    assert "读法尚未确认" not in said
    page = get(client, "/contract/clauses", people["b_engineer"])
    assert re.findall(r'<li id="c([^"]+)"', page) == [c.id for c in other.clauses]
    assert "已确认" in page
    assert [r.number for r in tree.ranks(other)] == ["第二条（一）", "第二条（二）", "第二条（三）", "第二条（四）"]
    assert client.get("/obligations").status_code == 200
    assert client.get(f"/obligations/{other.obligations[0].id}").status_code == 200


# --- 服务方案 ---------------------------------------------------------------------------------------------------------


def test_the_list_says_what_counts_and_what_waits(client: Client, people, at_the_day) -> None:
    client.force_login(people["b_engineer"])
    assert "还没有报送过服务方案" in text_of(client.get("/plans").content.decode())
    scene.play(people)
    scene.second_version(people)
    said = text_of(get(client, "/plans", people["b_engineer"]))
    assert "现行第 1 版 ，自 2026-04-06 起计； 1 版待甲方审定" in said.replace("第 1 版，", "第 1 版 ，")
    assert "3 处 · 放宽或须判断 2" in said


def test_the_changes_are_said_old_to_new_with_what_they_do(client: Client, people, at_the_day) -> None:
    scene.play(people)
    scene.second_version(people)
    page = get(client, "/plans/2", people["b_engineer"])
    said = text_of(page)
    assert "每日 18:00 前 → 每周" in said
    assert "≥ 80 % 警告 · ≥ 90 % 严重 → ≥ 70 % 警告 · ≥ 90 % 严重" in said
    assert "SW-02 移出基线" in said
    assert "3 处变化，其中 2 处放宽或须判断" in said
    assert 'name="answer-' not in page, "nobody answers who may not"
    assert 'name="answer-' in get(client, "/plans/2", people["a_manager"])


def answers(version: int, refused: dict[str, str], act: str = "approve") -> dict[str, str]:
    """The form as the browser sends it: yes to everything but what is refused."""
    form = {"act": act, "reason": "意见"}
    for i, change in enumerate(plans.changes_of(version)):
        form[f"answer-{i}"] = "no" if change.where in refused else "yes"
        form[f"reason-{i}"] = refused.get(change.where, "")
    return form


def test_the_client_approves_and_refuses_line_by_line(client: Client, people, at_the_day) -> None:
    scene.play(people)
    scene.second_version(people)
    client.force_login(people["a_manager"])
    page = client.get("/plans/2").content.decode()
    assert page.count('value="yes" checked') == 1, "what asks less of the vendor is never agreed to unseen"
    assert client.post("/plans/2", answers(2, {"S1.2.cadence": "每日不能少"})).status_code == 302
    row = PlanVersion.objects.get(version=2)
    assert (row.state, row.refused, row.reason) == (PlanState.APPROVED, {"S1.2.cadence": "每日不能少"}, "意见")
    current = plans.plan_at(scene.NOW)
    assert current is not None
    assert next(ln.cadence.every for ln in current.plan.lines if ln.obligation == "S1.2" and ln.cadence) == "day"
    said = text_of(client.get("/plans/2").content.decode())
    assert "3 处变化中 1 处未获审定、照旧" in said
    assert "每日不能少" in said
    assert Intake.objects.filter(kind="contract.plan.approved", subject="plan:2").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"answer-0": ""}, "还有 1 处没有结论：S1.2.cadence"),
        ({"answer-0": "no", "reason-0": " "}, "逐项退回要写明理由"),
        ({"act": "refuse", "reason": ""}, "退回要写明理由"),
    ],
)
def test_a_form_that_is_not_whole_decides_nothing_and_keeps_what_was_typed(
    client: Client, people, at_the_day, change: dict[str, str], said: str
) -> None:
    scene.play(people)
    scene.second_version(people)
    client.force_login(people["a_manager"])
    response = client.post("/plans/2", answers(2, {"asset SW-02": "仍在用"}) | change)
    assert response.status_code == 400
    page = response.content.decode()
    assert said in page
    assert "仍在用" in page
    assert PlanVersion.objects.get(version=2).state == PlanState.PROPOSED


def test_refusing_the_whole_version_leaves_the_old_one(client: Client, people, at_the_day) -> None:
    scene.play(people)
    scene.second_version(people)
    client.force_login(people["a_manager"])
    assert client.post("/plans/2", {"act": "refuse", "reason": "都不行"}).status_code == 302
    assert PlanVersion.objects.get(version=2).state == PlanState.REFUSED
    assert plans.plan_at(scene.NOW).version == 1  # type: ignore[union-attr]
    assert "第 2 版 已退回" in text_of(client.get("/plans/2").content.decode()).replace("第 2 版已", "第 2 版 已")


@pytest.mark.parametrize("who", ["b_manager", "b_engineer", "auditor"])
def test_nobody_else_answers(client: Client, people, at_the_day, who: str) -> None:
    scene.play(people)
    scene.second_version(people)
    page = get(client, "/plans/2", people[who])
    assert 'name="answer-0"' not in page
    assert client.post("/plans/2", answers(2, {})).status_code == 403
    assert PlanVersion.objects.get(version=2).state == PlanState.PROPOSED


def test_a_version_that_was_overtaken_says_so(client: Client, people, at_the_day) -> None:
    scene.play(people)
    scene.second_version(people)
    scene.second_version(people)
    plans.approve(2, by=people["a_manager"], now=scene.NOW)
    page = get(client, "/plans/3", people["a_manager"])
    assert "报送之后已有别的版本生效" in page
    assert re.search(r'value="approve" disabled', page)
    assert client.get("/plans/9").status_code == 404


def test_a_change_is_placed_by_the_longest_obligation_it_begins_with(contract: None) -> None:
    from yunwei.contract.diff import Change, Effect

    known = {o.id: o for o in folder().obligations}
    for where, placed in (
        ("S1.1-remote.terms.budget_s", ("lines", "S1.1-remote", "terms.budget_s")),
        ("S4.4-selftest", ("lines", "S4.4-selftest", "line")),
        ("limit load output/*", ("limits", "", "limit")),
        ("asset SW-01 agreed", ("assets", "", "agreed")),
    ):
        assert say.place(Change(where, None, 1, Effect.NEUTRAL, ""), known)[:3] == placed
