"""How pages say what the rows hold: sizes, limits in a sweep's own text, the control that must fail, columns that tell
something, and texts that services wrote once in Chinese."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from yunwei.duties.models import TriggerEvent
from yunwei.inspect.observation import Observation, State
from yunwei.inspect.web import kinds, series
from yunwei.ui import words
from yunwei.ui.listing import Column, Listing, Shown


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("960197124096", "960 GB"),
        ("274877906944", "275 GB"),
        ("0", ""),
        ("65536 MiB", "64 GiB"),
        ("3662830 MiB", "3.49 TiB"),
        ("16 核", "16 核"),
        ("1 × 2 线程", "1 × 2 线程"),
        ("550.00W", "550.00W"),
        ("MiB", ""),
    ],
)
def test_a_size_is_said_as_people_say_it(told: str, said: str) -> None:
    assert kinds.size(told) == said


def seen(
    component: str, state: State, value: float | None = None, kind: str = "service", unit: str = ""
) -> Observation:
    return Observation("SRV-1", component, kind, component, state=state, value=value, unit=unit)


def test_the_control_that_must_fail_is_not_red() -> None:
    assert series.tone_of(seen("control/bundle", State.CRITICAL)) == "ok"
    assert series.tone_of(seen("control/bundle", State.OK)) == "unp", "a control that does not fail proves nothing"
    assert series.tone_of(seen("service/audit", State.CRITICAL)) == "bad"


def test_how_long_something_runs_is_in_days_and_hours() -> None:
    assert series.said(seen("system", State.UNKNOWN, 28_440_001, "uptime", "s")) == "329 天 4 小时"
    assert series.said(seen("system", State.UNKNOWN, 25_832, "uptime", "s")) == "7 小时 10 分"


def test_a_limit_in_the_text_of_a_sweep_is_said_in_words() -> None:
    said = words.limits_in("处理器 使用率：80 % plan: warn>=80 crit>=90\n部件：X baseline: LAE-1")
    assert said == "处理器 使用率：80 % 方案阈值 ≥80 警告 ≥90 严重\n部件：X 清单所载 LAE-1"
    assert words.limits_in("没有阈值的一行") == "没有阈值的一行"


def test_what_a_service_wrote_is_said_in_the_readers_language() -> None:
    text = "覆盖 60/60，目标 98%"
    assert words.stored(text) == text
    with translation.override("en"):
        assert words.stored(text) == "covered 60/60, target 98%"
        assert words.stored("") == ""
        assert words.stored("某人自己的话") == "某人自己的话"


@dataclass
class Row:
    name: str
    note: str


def shown(rows: list[Row]) -> Shown:
    columns = (
        Column("name", "名", lambda r: r.name),
        Column("note", "注", lambda r: r.note, sparse=True),
        Column("file", "档", lambda r: r.name, kind="file"),
    )

    def none(_request: Any) -> Any:
        raise NotImplementedError

    listing = Listing(name="x", rows=none, columns=columns, order=("id",))
    return Shown(listing, rows, len(rows), {}, {}, "", "", "", "")


def test_a_column_that_no_row_fills_is_left_out() -> None:
    assert [c.key for c in shown([Row("a", "")]).columns] == ["name"]
    assert [c.key for c in shown([Row("a", ""), Row("b", "x")]).columns] == ["name", "note"]


@pytest.mark.django_db
def test_every_event_can_be_reached_page_by_page(client: Client, people) -> None:
    start = datetime(2026, 2, 10, tzinfo=UTC)
    for i in range(60):
        TriggerEvent.objects.create(
            kind="fault_reported",
            at=start + timedelta(hours=i),
            note=f"第{i}件",
            recorded_at=start + timedelta(hours=i),
        )
    client.force_login(people["b_engineer"])
    text = client.get("/triggers").content.decode()
    assert "第59件" in text
    assert "第9件<" not in text
    link = text.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = client.get(f"/triggers{link}").content.decode()
    assert "第9件<" in second
    assert "第59件" not in second
    assert "第3件<" in client.get("/triggers?q=第3件").content.decode()
