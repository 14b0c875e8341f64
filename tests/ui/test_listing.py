"""Lists: pages that miss nothing, exports of what the filter shows, and a cost that does not grow."""

from __future__ import annotations

import csv
import io
from typing import Any

import openpyxl
import pytest
from django.db import connection
from django.http import Http404
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from yunwei.accounts.models import Account, Organisation
from yunwei.ui import listing
from yunwei.ui.listing import Column, Filter, Listing

pytestmark = pytest.mark.django_db

COLUMNS = (Column("code", "编号", lambda o: o.code, kind="lead"), Column("name", "名称", lambda o: o.name))
FILTERS = (
    Filter("q", "名称", listing.contains("name", "code")),
    Filter("party", "一方", listing.equals("party"), lambda: (("A", "甲方"), ("T", "需求单位"))),
    Filter("id", "序号", listing.equals("pk")),
)


def of(order: tuple[str, ...] = ("party", "-code"), per_page: int = 7) -> Listing:
    return Listing("orgs", lambda _request: Organisation.objects.all(), COLUMNS, order, FILTERS, per_page=per_page)


def fill(count: int) -> None:
    Organisation.objects.bulk_create(
        Organisation(code=f"d{i:05}", name=f"单位{i}", party="AT"[i % 2]) for i in range(count)
    )


def ask(query: str = "") -> Any:
    return RequestFactory().get(f"/orgs{query}")


def walk(one: Listing, query: str = "") -> list[str]:
    """The codes of all pages, following 下一页 as a reader does."""
    codes: list[str] = []
    while True:
        shown = listing.read(one, ask(query))
        codes += [o.code for o in shown.rows]
        if not shown.next:
            return codes
        query = shown.next


@given(count=st.integers(0, 40), per_page=st.integers(1, 9), down=st.booleans())
@settings(max_examples=25)
def test_pages_show_every_row_once_and_in_order(count: int, per_page: int, down: bool):
    Organisation.objects.all().delete()
    fill(count)
    order = ("party", "-code" if down else "code")
    expected = list(Organisation.objects.order_by(*order).values_list("code", flat=True))
    assert walk(of(order, per_page)) == expected


def test_a_row_that_comes_meanwhile_shifts_nothing():
    fill(14)
    first = listing.read(of(("code",)), ask())
    Organisation.objects.create(code="a-first", name="新", party="A")
    second = listing.read(of(("code",)), ask(first.next))
    assert [o.code for o in second.rows] == [f"d{i:05}" for i in range(7, 14)]


def test_filters_live_in_the_url_and_stay_when_paging():
    fill(40)
    shown = listing.read(of(), ask("?q=单位&party=A&unknown=1"))
    assert shown.chosen == {"q": "单位", "party": "A"}
    assert shown.total == 20
    assert "unknown" not in shown.next
    assert len(walk(of(), "?q=单位&party=A")) == 20


@pytest.mark.parametrize("text", ["?id=x", "?id=9999999999999999999999", "?party=%00", "?q=%27%22%3B--"])
def test_a_filter_that_fits_nothing_is_no_error(text: str):
    fill(3)
    assert listing.read(of(), ask(text)).total in (0, 3)


@pytest.mark.parametrize("cursor", ["x", "bnVsbA", "WzFd", "W251bGwsbnVsbF0", "!!!", "W1siYSJdLHsiYiI6MX1d"])
def test_a_cursor_that_is_none_is_not_found(cursor: str):
    fill(3)
    with pytest.raises(Http404):
        listing.read(of(), ask(f"?after={cursor}"))


@pytest.mark.parametrize("count", [100, 3000])
def test_the_cost_does_not_grow(count: int):
    fill(count)
    with CaptureQueriesContext(
        connection,
    ) as sql:
        shown = listing.read(of(per_page=50), ask())
    assert len(shown.rows) == 50
    assert len(sql) == 2


def file_of(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def test_an_export_is_what_the_filter_shows(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(listing, "CHUNK", 7)
    fill(40)
    rows, _chosen = listing.filtered(of(), ask("?party=T"))
    expected = walk(of(), "?party=T")
    text = file_of(listing.export(of(), rows, "csv")).decode("utf-8-sig")
    said = list(csv.reader(io.StringIO(text)))
    assert said[0] == ["编号", "名称"]
    assert [line[0] for line in said[1:]] == expected
    book = openpyxl.load_workbook(io.BytesIO(file_of(listing.export(of(), rows, "xlsx"))))
    assert [row[0] for row in book.active.iter_rows(min_row=2, values_only=True)] == expected


@pytest.mark.parametrize(
    "evil", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "＋1", "－1", "＠A1"]
)
def test_no_cell_of_an_export_is_a_formula(evil: str):
    Organisation.objects.create(code="x", name=evil, party="A")
    text = file_of(listing.export(of(), Organisation.objects.order_by("party", "-code"), "csv")).decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text, newline="")))[1][1] == f"'{evil}"


def test_an_empty_cell_of_an_export_is_empty():
    Organisation.objects.create(code="x", name="", party="A")
    text = file_of(listing.export(of(), Organisation.objects.order_by("party", "-code"), "csv")).decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text, newline="")))[1] == ["x", ""]


def test_control_characters_do_not_break_a_workbook():
    Organisation.objects.create(code="x", name="a\x00\x07b".replace("\x00", ""), party="A")
    content = file_of(listing.export(of(), Organisation.objects.order_by("party", "-code"), "xlsx"))
    assert openpyxl.load_workbook(io.BytesIO(content)).active["B2"].value == "ab"


def test_a_list_over_a_related_order(people: dict[str, Account]):
    one = Listing(
        "accounts",
        lambda _request: Account.objects.select_related("organisation"),
        (Column("name", "账号", lambda a: a.username),),
        ("organisation__code", "username"),
        per_page=2,
    )
    names: list[str] = []
    query = ""
    while True:
        shown = listing.read(one, ask(query))
        names += [a.username for a in shown.rows]
        if not shown.next:
            break
        query = shown.next
    assert names == list(Account.objects.order_by("organisation__code", "username").values_list("username", flat=True))
