"""A party's own clocks say how many days of the calendar are left; both parties get the same card with the same weight."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from tests.ui import contract_scene
from tests.ui.conftest import contract, people
from yunwei.accounts.models import Account
from yunwei.duties.web.day import Clock
from yunwei.duties.web.own import left
from yunwei.kernel.calendar import Calendar

__all__ = ["contract", "people"]
pytestmark = pytest.mark.django_db
ZONE = ZoneInfo("Asia/Shanghai")
#: Wednesday before the National Day holiday of 2026; 10 October is a make-up day
NOW = datetime(2026, 9, 30, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("due", "working", "said"),
    [
        (datetime(2026, 10, 10, 16, 0, tzinfo=UTC), True, "还有 3 个工作日"),  # 8, 9 and the make-up day
        (datetime(2026, 10, 10, 16, 0, tzinfo=UTC), False, "还有 10 个自然日"),
        (datetime(2026, 9, 30, 16, 0, tzinfo=UTC), True, "今日到期"),
        (datetime(2026, 9, 30, 1, 0, tzinfo=UTC), True, "已过期限"),
    ],
)
def test_the_days_left_are_those_of_the_calendar(due: datetime, working: bool, said: str) -> None:
    clock = Clock("x", "x", "x", "x", 0.0, "ok", "x", 1, None, due, working)
    assert left(clock, Calendar(), NOW, ZONE) == said


@pytest.mark.parametrize(("who", "title"), [("a_manager", "甲方自己的期限"), ("b_manager", "乙方自己的期限")])
def test_each_party_sees_its_own_and_the_contract_s_page_both(people: dict[str, Account], who: str, title: str) -> None:
    contract_scene.play(people)
    client = Client()
    client.force_login(people[who])
    assert title in client.get("/today").content.decode()
    page = client.get("/contract").content.decode()
    assert "甲方自己的期限" in page
    assert "乙方自己的期限" in page
    client.force_login(people["auditor"])
    assert "自己的期限" not in client.get("/today").content.decode()
