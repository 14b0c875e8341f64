"""人员与权限, 本人, 设置: who may open and do what there, and that nothing is shown that must not be."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver

from tests.accounts.conftest import FIRST, NOW, make
from yunwei.accounts.models import Account, Organisation, Role
from yunwei.accounts.web import instance, rights
from yunwei.kernel.calendar import Calendar, Schedule
from yunwei.ledger import reading
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Intake
from yunwei.ui.pages import CLIENT, EVERYONE, OPEN, REGISTRY, VENDOR

pytestmark = pytest.mark.django_db
People = dict[str, Account]


@pytest.fixture
def as_(people: People) -> Any:
    """A browser of somebody who is logged in."""

    def make_client(name: str) -> Client:
        client = Client()
        client.force_login(people[name])
        return client

    return make_client


def text(response: Any) -> str:
    return str(response.content.decode())


# --- who may do what (who may open what is walked for all areas by tests/ui/test_pages.py)


@pytest.mark.parametrize("name", ["a_manager", "b_manager", "auditor", "tenant", "sysadmin"])
def test_acts_are_refused_to_who_may_not_whatever_the_page_offers(as_: Any, people: People, name: str) -> None:
    """The form is not the gate: each act is sent by everybody who is not the security officer."""
    target = people["b_manager"] if name != "b_manager" else people["sysadmin"]
    before = Intake.objects.count()
    for act in ("wake", "sleep", "role", "unlock", "totp"):
        response = as_(name).post(f"/people/{target.pk}/act", {"act": act, "role": "b_desk"})
        assert response.status_code in (403, 409), act
    assert Intake.objects.count() == before
    assert Account.objects.get(pk=target.pk).is_active


def test_a_locked_account_stands_in_the_title_and_can_be_found(as_: Any, people: People) -> None:
    assert "已锁定" not in text(as_("secadmin").get("/people")).split("</h1>")[0]
    for _try in range(5):
        Client().post("/login", {"username": "b_manager", "password": "wrong"})
    title = text(as_("secadmin").get("/people")).split("</h1>")[0]
    assert "，1 个已锁定" in title, "the list says what it holds: one of them cannot log in"
    found = text(as_("secadmin").get("/people?state=locked"))
    assert f'data-href="/people/{people["b_manager"].pk}"' in found
    assert f'data-href="/people/{people["a_manager"].pk}"' not in found


def test_an_officer_does_nothing_about_the_own_account(as_: Any, people: People) -> None:
    for name in ("sysadmin", "secadmin"):
        for act in ("wake", "sleep", "role", "unlock", "password", "totp"):
            assert as_(name).post(f"/people/{people[name].pk}/act", {"act": act}).status_code == 409, act


def test_an_act_that_nobody_wrote_is_refused(as_: Any, people: People) -> None:
    assert as_("secadmin").post(f"/people/{people['b_manager'].pk}/act", {"act": "delete"}).status_code == 403
    assert as_("secadmin").get(f"/people/{people['b_manager'].pk}/act").status_code == 405
    assert as_("secadmin").post("/people/999999/act", {"act": "sleep"}).status_code == 404


# --- from making an account to its first login


def test_from_the_form_to_the_first_login(as_: Any, people: People) -> None:
    sysadmin, secadmin = as_("sysadmin"), as_("secadmin")
    form = {"username": "li", "display_name": "李四", "role": "a_finance", "unit": "A", "person": "77"}
    response = sysadmin.post("/people/new", form)
    account = Account.objects.get(username="li")
    assert response["Location"] == f"/people/{account.pk}"
    page = text(sysadmin.get(f"/people/{account.pk}"))
    assert "未启用" in page
    assert 'value="wake"' not in page, "who made it does not wake it"
    response = secadmin.post(f"/people/{account.pk}/act", {"act": "wake"})
    password = text(response).partition('id="new-password" translate="no">')[2].partition("<")[0]
    assert "no-store" in response["Cache-Control"]
    assert password not in text(secadmin.get(f"/people/{account.pk}")), "it is shown once"
    browser = Client()
    assert browser.post("/login", {"username": "li", "password": password}).status_code == 302
    assert browser.get("/people")["Location"] == "/me/password"


def test_what_is_wrong_with_a_new_account_is_said_and_what_was_typed_stays(as_: Any, people: People) -> None:
    client = as_("sysadmin")
    form = {"username": "li", "display_name": "<b>李", "role": "b_desk", "unit": "A", "person": ""}
    response = client.post("/people/new", form)
    assert response.status_code == 400
    assert "属于" in text(response)
    assert "&lt;b&gt;李" in text(response)
    assert "<b>李" not in text(response)
    for wrong in ({"unit": "nowhere"}, {"username": "tenant"}, {"username": "a:b"}, {"role": ""}):
        assert client.post("/people/new", form | {"unit": "B"} | wrong).status_code == 400, wrong
    assert not Account.objects.filter(username="li").exists()


def test_roles_and_sleep_by_the_page(as_: Any, people: People) -> None:
    client, pk = as_("secadmin"), people["b_manager"].pk
    assert client.post(f"/people/{pk}/act", {"act": "role", "role": "b_desk"}).status_code == 302
    assert client.post(f"/people/{pk}/act", {"act": "role", "role": "a_leader"}).status_code == 409
    assert client.post(f"/people/{pk}/act", {"act": "sleep"}).status_code == 302
    account = Account.objects.get(pk=pk)
    assert (account.role, account.is_active) == ("b_desk", False)
    assert "这个账号不归您管理" in text(
        as_("b_secadmin").post(f"/people/{people['a_manager'].pk}/act", {"act": "sleep"})
    )


# --- what the list shows


def test_the_list_says_how_many_and_how_they_are(as_: Any, people: People) -> None:
    make("ghost", "b_engineer", "B", "sysadmin")
    for _n in range(5):
        Client().post("/login", {"username": "tenant", "password": "wrong"})
    page = text(as_("secadmin").get("/people"))
    assert "8 个账号，7 个启用" in page
    assert "1 个未启用" in page
    assert "已锁定" in page
    assert "ghost" in text(as_("secadmin").get("/people?state=asleep"))
    assert "共 1 条" in text(as_("secadmin").get("/people?state=asleep"))
    assert "没有符合筛选条件" in text(as_("secadmin").get("/people?q=nobody"))


def test_when_somebody_was_here_is_for_the_officers_only(as_: Any, people: People) -> None:
    """Obligations are scored, never people: nobody's comings and goings stand on a page of the parties."""
    Account.objects.filter(username="b_manager").update(last_login=NOW, display_name="名字")
    for name, sees in (("secadmin", True), ("auditor", True), ("a_manager", False), ("b_manager", False)):
        page = text(as_(name).get("/people")) + text(as_(name).get(f"/people/{people['b_manager'].pk}"))
        assert ("最近登录" in page) == sees, name
        assert "名字" in page
        exported = b"".join(as_(name).get("/people?format=csv").streaming_content).decode()
        assert ("最近登录" in exported) == sees, name


def test_the_list_costs_the_same_whatever_its_size(as_: Any, people: People) -> None:
    client = as_("secadmin")
    client.get("/people")

    def cost() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get("/people").status_code == 200
        return len(queries)

    few = cost()
    Account.objects.bulk_create(
        Account(username=f"u{n}", display_name="x", role="b_desk", organisation=people["b_manager"].organisation)
        for n in range(500)
    )
    assert cost() == few <= 12


def test_names_are_text(as_: Any, people: People) -> None:
    evil = '"><script>alert(1)</script>'
    Account.objects.filter(username="b_manager").update(display_name=evil)
    Organisation.objects.filter(code="B").update(name=evil)
    for path in ("/people", f"/people/{people['b_manager'].pk}", "/people/new", "/me"):
        client = as_("b_manager" if path == "/me" else "sysadmin")
        assert "<script>alert" not in text(client.get(path)), path


# --- rights


def test_rights_are_what_the_pages_say(as_: Any, people: People) -> None:
    assert get_resolver().url_patterns
    page = text(as_("auditor").get("/people/rights"))
    for one in REGISTRY.values():
        assert f">/{one.route.replace('<', '&lt;').replace('>', '&gt;')}<" in page, one.name
    mine = rights._rows("tenant")
    assert {r.route for r in mine} == {"/" + p.route for p in REGISTRY.values() if p.may != OPEN and "tenant" in p.may}
    assert "需求单位用户可以打开" in text(as_("auditor").get("/people/rights?role=tenant"))
    assert as_("auditor").get("/people/rights?role=<script>").status_code == 200


def test_whom_is_said_in_words_that_name_each_role_once() -> None:
    assert rights._whom(EVERYONE) == "全部角色"
    assert rights._whom(OPEN) == "无需登录"
    assert rights._whom(CLIENT | {Role.AUDITOR}) == "甲方各角色、审计管理员"
    assert rights._whom(VENDOR - {Role.B_DESK}).count("、") == len(VENDOR) - 2


# --- who looked


def test_whoever_was_looked_at_sees_who_looked(as_: Any, people: People) -> None:
    reading.of_record(3, ["b_manager", "tenant"], reader="auditor", now=NOW - timedelta(days=1))
    with transaction.atomic():
        data = {"first": 1, "last": 9, "about": ["b_manager"]}
        ledger.record("ledger.exported", "bundle", data, at=NOW, actor="a_manager")
    page = text(as_("b_manager").get("/me"))
    assert "被查看或导出 2 次" in page
    assert "auditor" in page
    assert "a_manager" in page
    assert "№ 1 至 № 9" in page
    other = text(as_("sysadmin").get("/me"))
    assert "没有人查看或导出" in other
    assert "auditor" not in other
    assert "auditor" in text(as_("tenant").get("/me"))


def test_the_lookers_are_paged_and_none_is_lost(as_: Any, people: People) -> None:
    for n in range(70):
        reading.of_record(n + 1, ["tenant"], reader="auditor", now=NOW)
    client, seen, path = as_("tenant"), 0, "/me"
    while path:
        page = text(client.get(path))
        seen += page.count('href="/evidence/')
        follow = page.partition('rel="next" href="')[2].partition('"')[0]
        path = f"/me{follow}" if follow else ""
    assert seen == 70
    for wrong in ("x", "-1", "9" * 40, "<b>"):
        assert client.get("/me", {"before": wrong}).status_code == 200


# --- settings


def test_settings_tell_no_secret(as_: Any, people: People, settings: Any, tmp_path: Any) -> None:
    settings.YUNWEI = settings.YUNWEI | {
        "database_url": "postgres://u:TOPSECRET@db/x",
        "ledger": {"push": ["https://u:TOPSECRET@heads.example.org/in"]},
        "accounts": {"oidc": {"issuer": "https://id.example.org", "client_id": "y", "client_secret_file": "TOPSECRET"}},
    }
    page = text(as_("sysadmin").get("/settings"))
    assert "TOPSECRET" not in page
    assert settings.SECRET_KEY not in page.replace("tests/", "") or settings.SECRET_KEY == "tests"
    assert "heads.example.org" in page
    assert "id.example.org" in page
    assert "Argon2" in page


@pytest.mark.parametrize(
    ("today", "left"), [(date(2026, 11, 1), 60), (date(2026, 10, 31), 61), (date(2026, 12, 31), 0), (date(2027, 1, 1), -1)]
)  # fmt: skip
def test_the_calendar_warns_sixty_days_before_it_runs_out(today: date, left: int) -> None:
    assert instance._calendar_left(Calendar(), today) == (left, date(2026, 12, 31))


def test_an_imported_year_carries_the_calendar_on() -> None:
    year = Schedule(2027, "国办发明电〔2026〕N号", {date(2027, 1, 1): "元旦"}, {})
    assert instance._calendar_left(Calendar([year]), date(2026, 11, 20))[1] == date(2027, 12, 31)


def test_the_settings_page_says_when_the_calendar_runs_out(as_: Any, people: People, settings: Any) -> None:
    assert "放假安排还剩" not in text(as_("sysadmin").get("/settings")), "in March"
    from datetime import UTC, datetime

    at = datetime(2026, 11, 20, 2, tzinfo=UTC)
    settings.YUNWEI = {"clock": {"offset_s": (at - datetime.now(UTC)).total_seconds()}, "accounts": {"max_age_days": 0}}
    assert "放假安排还剩 41 天" in text(as_("sysadmin").get("/settings"))


def test_changing_the_own_password_asks_for_the_old_one(as_: Any, people: People) -> None:
    client = as_("tenant")
    new = "Another-password-7"
    for old, again in (("wrong", new), (FIRST, new + "x")):
        assert client.post("/me/password", {"old": old, "new": new, "again": again}).status_code == 400
    assert client.post("/me/password", {"old": FIRST, "new": new, "again": new}).status_code == 302
    assert Account.objects.get(username="tenant").check_password(new)
