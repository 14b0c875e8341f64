"""The inventory table: what it takes, what it refuses and how it says so."""

from __future__ import annotations

import io
import os
import zipfile
from datetime import UTC, datetime

import openpyxl
import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from yunwei.accounts.models import Organisation
from yunwei.assets import credentials, sheets
from yunwei.assets.columns import COLUMNS
from yunwei.assets.models import Asset, Endpoint, Place, System, Zone
from yunwei.assets.tables import Report, export_csv, export_xlsx, import_table
from yunwei.kernel.errors import YunweiError
from yunwei.ledger.models import Intake

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
HEAD = "资产编号,资产名称,类型,区域编号,区域名称,机房编号,部门编号,部门名称,系统编号,系统名称,等保级别,序列号,标签,协议,管理地址,端口,凭据"
GOOD = f"""{HEAD}
SW-01,核心交换机,设备,gov,政务外网区,R1,,,,,,2102A,核心 万兆,snmp,10.1.1.1,,sw
SRV-01,虚拟化主机,主机,gov,,R1,D1,人社局,S1,社保系统,三级,,,ssh,10.1.1.2,2222,os
SRV-01,,,,,,,,,,,,,redfish,10.1.1.3,,bmc
VM-01,应用虚机,虚拟机,net,互联网区,,D1,,S1,,,,,,,,
,,,,,,D2,档案局,,,,,,,,,
"""


@pytest.fixture(autouse=True)
def logins():
    for name, kind, fields in (
        ("sw", "snmp2c", {"community": "c0mmunity"}),
        ("os", "ssh", {"user": "ops", "password": "p4ssword"}),
        ("bmc", "redfish", {"user": "ops", "password": "p4ssword"}),
    ):
        credentials.put(name, kind, fields, now=NOW)


def take(text: str | bytes, name: str = "assets.csv", **options: bool) -> Report:
    content = text if isinstance(text, bytes) else text.encode()
    return import_table(content, name, actor="b.manager", now=NOW, **options)


def imports() -> int:
    return Intake.objects.filter(kind="assets.import").count()


def state() -> list[object]:
    """All of the inventory, without primary keys."""
    return [
        sorted(Zone.objects.values_list("code", "name")),
        sorted(Place.objects.values_list("code", "name", "address")),
        sorted(Organisation.objects.values_list("code", "name", "party")),
        sorted(System.objects.values_list("code", "name", "owner__code", "mlps_level")),
        [
            (
                a.code,
                a.name,
                a.kind,
                a.zone.code,
                str(a.place),
                str(a.owner),
                str(a.system),
                a.serial,
                a.tags,
                a.retired_at,
            )
            for a in Asset.objects.all()
        ],
        sorted(Endpoint.objects.values_list("asset__code", "protocol", "address", "port", "credential__name")),
    ]


def test_a_good_table_is_taken_whole_with_one_ledger_record():
    report = take(GOOD)
    assert report.problems == []
    assert report.applied
    assert report.created == {"zone": 2, "place": 1, "owner": 2, "system": 1, "asset": 3, "endpoint": 3}
    zones, places, owners, systems, assets, endpoints = state()
    assert zones == [("gov", "政务外网区"), ("net", "互联网区")]
    assert places == [("R1", "R1", "")]
    assert owners == [("D1", "人社局", "T"), ("D2", "档案局", "T")]
    assert systems == [("S1", "社保系统", "D1", 3)]
    assert assets[0][:4] == ("SRV-01", "虚拟化主机", "host", "gov")
    assert assets[1][8] == ["万兆", "核心"]
    assert endpoints == [
        ("SRV-01", "redfish", "10.1.1.3", 443, "bmc"),
        ("SRV-01", "ssh", "10.1.1.2", 2222, "os"),
        ("SW-01", "snmp", "10.1.1.1", 161, "sw"),
    ]
    assert imports() == 1


def test_a_full_disk_takes_nothing(monkeypatch):
    """The table is the record's artifact: where it cannot be kept, nothing is imported."""

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    fresh = GOOD.replace("核心交换机", "另一台交换机")  # a table that no other test has stored
    with pytest.raises(YunweiError, match="No space left"):
        take(fresh)
    monkeypatch.undo()
    assert Asset.objects.count() == Zone.objects.count() == imports() == 0
    assert take(fresh).applied


def test_reading_it_again_changes_nothing_and_a_change_is_one_update():
    take(GOOD)
    before = state()
    again = take(GOOD)
    assert (again.created, again.updated, again.applied) == ({}, {}, True)
    assert state() == before
    changed = take(GOOD.replace("核心交换机", "汇聚交换机").replace("10.1.1.3", "10.1.1.9"))
    assert changed.updated == {"asset": 1, "endpoint": 1}
    assert Asset.objects.get(code="SW-01").name == "汇聚交换机"


def test_a_dry_run_says_all_and_changes_nothing():
    report = take(GOOD, dry_run=True)
    assert not report.applied
    assert report.created["asset"] == 3
    assert Asset.objects.count() == Zone.objects.count() == imports() == 0


BAD = f"""{HEAD}
SW-01,核心交换机,设备,gov,政务外网区,,,,,,,,,snmp,10.1.1.1,,sw
SW-02,接入交换机,交换机,gov,,,,,,,,,,snmp,10.1.1.2,,nobody
SW-03,,设备,,,,,,,,九级,,,snmp,127.0.0.1,99999,os
SW-04,重复地址,设备,gov,外网,,,,,,,,,snmp,10.1.1.1,,sw
"""


@pytest.mark.skipif("postgres" not in os.environ.get("YUNWEI_TEST_DATABASE", ""), reason="statistics of PostgreSQL")
def test_a_dry_run_leaves_no_wrong_idea_of_how_many_assets_there_are():
    """A planner that takes a full table for an empty one had the list of 10,000 assets take minutes."""
    head = "资产编号,资产名称,类型,区域编号,区域名称"
    many = "\n".join([head, *(f"VM-{i:03d},应用虚机,虚拟机,net,互联网区" for i in range(300))])

    def believed() -> float:
        with connection.cursor() as cursor:
            cursor.execute("SELECT reltuples FROM pg_class WHERE relname = 'assets_asset'")
            return float(cursor.fetchone()[0])

    assert take(many, dry_run=True).created["asset"] == 300
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE assets_asset")  # as the server does by itself, whenever it likes
    assert believed() < 100
    assert take(many).applied
    assert believed() >= 300


def test_every_bad_row_is_named_and_nothing_is_taken():
    report = take(BAD)
    assert not report.applied
    assert Asset.objects.count() == imports() == 0
    said = {(p.row, p.column) for p in report.problems}
    assert said == {
        (3, "类型"),
        (3, "凭据"),
        (4, "资产名称"),
        (4, "区域编号"),
        (4, "等保级别"),
        (4, "系统编号"),
        (4, "管理地址"),
        (4, "端口"),
        (4, "凭据"),
        (5, "管理地址"),
        (5, "区域名称"),
    }
    assert len(report.problems) == len(said)  # a wrong word is not also a missing one
    assert all(p.why and p.what_to_do for p in report.problems)
    assert report.skipped == ["SW-02", "SW-03", "SW-04"]


def test_the_good_rows_are_taken_when_the_user_says_so():
    report = take(BAD, skip_bad=True)
    assert report.applied
    assert [a.code for a in Asset.objects.all()] == ["SW-01"]
    assert report.skipped == ["SW-02", "SW-03", "SW-04"]


def test_an_asset_with_one_bad_row_is_left_out_whole():
    report = take(GOOD.replace("redfish,10.1.1.3", "redfish,不是地址"), skip_bad=True)
    assert report.skipped == ["SRV-01"]
    assert not Endpoint.objects.filter(asset__code="SRV-01").exists()
    # its department and system were good in another row, so they are there
    assert System.objects.get(code="S1").owner.code == "D1"


@pytest.mark.parametrize(
    ("old", "new", "column", "why"),
    [
        ("资产编号,", "资产编号x,", "资产编号x", "不认识的列"),
        (",端口", "", "（无列名）", "没有列名"),
        ("序列号", "标签", "标签", "列重复"),
        ("资产名称,类型", "资产名称,备注", "备注", "不认识的列"),
        ("SW-01,核心", "control-snmp,核心", "资产编号", "编号"),
        ("SW-01,核心", "S W,核心", "资产编号", "编号"),
        ("SW-01,核心", "=cmd|x,核心", "资产编号", "编号"),
        ("VM-01", "sw-01", "资产编号", "大小写"),
        ("SRV-01,,,,", "SRV-01,别的名,,,", "资产名称", "不一致"),
        ("redfish,10.1.1.3,,bmc", "ssh,10.1.1.3,,os", "协议", "第 3 行"),
        ("10.1.1.3", "localhost", "管理地址", "环回"),
        ("10.1.1.1,", "127.1,", "管理地址", "环回"),
        ("10.1.1.1,", "0x7f000001,", "管理地址", "环回"),
        ("10.1.1.3", "::ffff:127.0.0.1", "管理地址", "环回"),
        ("10.1.1.1,", "switch.example,", "管理地址", "IP 地址"),
        ("10.1.1.1,", ",", "管理地址", "缺少"),
        ("10.1.1.1,", "192.0.2.1,", "管理地址", "示例"),
        (",,sw\n", ",,os\n", "凭据", "不符"),
        ("snmp,10", "telnet,10", "协议", "不认识"),
        ("snmp,10", ",10", "协议", "没有协议"),
        ("三级", "6", "等保级别", "1 到 5"),
        (",D1,人社局,S1", ",,,S1", "系统部门编号", "部门"),
        (",,D2,档案局", ",,,档案局", "部门编号", "没有编号"),
        (",,D2,档案局", ",,,", "", ""),
        ("2102A", "2" * 81, "序列号", "80"),
        ("2102A", "2\x07", "序列号", "控制字符"),
    ],
)
def test_each_way_to_be_wrong(old, new, column, why):
    text = GOOD.replace(old, new, 1)
    if column == "系统部门编号":
        text = text.replace("net,互联网区,,D1", "net,互联网区,,")
    assert text != GOOD
    report = take(text)
    if not column:
        assert report.applied  # an empty row is no row
        return
    assert not report.applied
    assert any(p.column == column and why in p.why for p in report.problems), report.problems
    assert Asset.objects.count() == 0


def test_loopback_is_taken_in_a_demo_only(settings):
    text = GOOD.replace("10.1.1.1", "127.0.5.1")
    assert not take(text).applied
    settings.YUNWEI = {"demo": True}
    assert take(text).applied


def test_a_new_address_may_not_belong_to_an_asset_that_is_there():
    take(GOOD)
    report = take(f"{HEAD}\nSW-09,另一台,设备,gov,,,,,,,,,,snmp,10.1.1.1,,sw\n")
    assert ["SW-01" in p.why for p in report.problems] == [True]
    swapped = GOOD.replace("10.1.1.1,", "10.1.1.8,") + "SW-09,另一台,设备,gov,,,,,,,,,,snmp,10.1.1.1,,sw\n"
    assert take(swapped).applied  # the first gave it up in the same table


def test_absence_retires_only_when_asked_and_presence_brings_back():
    take(GOOD)
    shorter = "\n".join(line for line in GOOD.split("\n") if not line.startswith("SW-01"))
    assert take(shorter).retired == []
    assert take(shorter, retire_missing=True).retired == ["SW-01"]
    assert Asset.objects.get(code="SW-01").retired_at == NOW
    assert b"SW-01" not in export_csv()
    assert b"SW-01" in export_csv(retired=True)
    assert take(GOOD).restored == ["SW-01"]
    assert Asset.objects.get(code="SW-01").retired_at is None


def test_a_bad_row_is_no_absence():
    take(GOOD)
    report = take(GOOD.replace("核心交换机", "x" * 121), skip_bad=True, retire_missing=True)
    assert report.retired == []


def test_columns_a_table_does_not_have_stay_as_they_are_and_empty_cells_empty():
    take(GOOD)
    take("资产编号,名称,类型,区域\nSW-01,核心,设备,gov\n")
    asset = Asset.objects.get(code="SW-01")
    assert (asset.name, asset.serial, asset.place.code) == ("核心", "2102A", "R1")
    take("资产编号,名称,类型,区域,序列号,机房编号\nSW-01,核心,设备,gov,,\n")
    asset.refresh_from_db()
    assert (asset.serial, asset.place) == ("", None)


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_an_export_read_in_elsewhere_gives_the_same_inventory(form):
    take(GOOD)
    Zone.objects.create(code="empty", name="空区")
    System.objects.create(code="S9", name="无资产系统", owner=Organisation.objects.get(code="D2"))
    Asset.objects.filter(code="SW-01").update(serial="=HYPERLINK(1)", model="'quoted", vendor="+86", owner=None)
    before, content = state(), export_csv() if form == "csv" else export_xlsx()
    again = take(content, f"x.{form}")
    assert (again.problems, again.created, again.updated) == ([], {}, {})
    for model in (Endpoint, Asset, System, Place, Zone, Organisation):
        model.objects.all().delete()
    assert take(content, f"x.{form}").problems == []
    assert state() == before


def test_no_cell_of_an_export_is_a_formula_and_no_secret_is_in_it():
    take(GOOD)
    Asset.objects.filter(code="SW-01").update(serial="=1+1", position="@x", vendor="-2", model="\tx")
    text = export_csv().decode("utf-8-sig")
    assert "'=1+1" in text
    cells = [cell for line in text.split("\r\n") for cell in line.split(",")]
    assert not [cell for cell in cells if cell.strip('"')[:1] in set("=+-@\t")]
    book = openpyxl.load_workbook(io.BytesIO(export_xlsx()))
    assert {c.data_type for row in book.active.iter_rows() for c in row} <= {"s", "n", "inlineStr"}
    assert "c0mmunity" not in text
    assert "p4ssword" not in text


@settings(max_examples=200)
@given(st.text(max_size=30))
def test_escaping_is_undone_by_reading(text):
    assert sheets.unescape(sheets.escape(text)) == text
    assert sheets.escape(text)[:1] not in set("=+-@\t\r")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_delimiters(encoding, delimiter):
    assert take(GOOD.replace(",", delimiter).replace("\n", "\r\n").encode(encoding)).applied


def book(rows: list[list[object]]) -> bytes:
    workbook = openpyxl.Workbook()
    for row in rows:
        workbook.active.append(row)
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def test_a_workbook_with_numbers_and_a_formula():
    head = ["资产编号", "名称", "类型", "区域", "序列号", "协议", "IP", "端口", "凭据"]
    rows: list[list[object]] = [head, ["A1", "交换机", "设备", "gov", 210235, "snmp", "10.0.0.1", 161.0, "sw"]]
    assert take(book(rows), "x.xlsx").applied
    assert Asset.objects.get(code="A1").serial == "210235"
    rows[1][4] = "=1+1"
    report = take(book(rows), "x.xlsx")
    assert [(p.row, p.column) for p in report.problems] == [(2, "序列号")]
    assert "公式" in report.problems[0].why


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("xl/workbook.xml", b"<workbook/>")
        z.writestr("xl/worksheets/sheet1.xml", b" " * (60 * 2**20))
    return out.getvalue()


def with_dtd() -> bytes:
    old, out = io.BytesIO(book([["资产编号"]])), io.BytesIO()
    with zipfile.ZipFile(old) as a, zipfile.ZipFile(out, "w") as b:
        for name in a.namelist():
            data = a.read(name)
            if name == "xl/workbook.xml":
                data = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]>' + data.partition(b"?>")[2]
            b.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"", "x.csv", "空"),
        (b"\n\n", "x.csv", "空"),
        (b"\x00\x01\x02", "x.csv", "编码"),
        (b"\xff\xfe\x00", "x.csv", "编码"),
        ('资产编号,名称\n"A,b'.encode(), "x.csv", "CSV"),
        (b"PK\x03\x04garbage", "x.xlsx", "损坏"),
        (b"hello", "x.xlsx", "损坏"),
        (bomb(), "x.xlsx", "压缩"),
        (with_dtd(), "x.xlsx", "文档类型"),
        (book([["a"]])[:-200], "x.xlsx", "损坏"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "x.xls", "旧格式"),
        (("a\n" * 100_002).encode(), "x.csv", "行数"),
    ],
)
def test_files_that_are_no_table(content, name, says):
    with pytest.raises(YunweiError) as error:
        take(content, name)
    assert says in str(error.value)
    assert error.value.hint
    assert imports() == 0


@settings(max_examples=40)
@given(
    st.lists(
        st.lists(
            st.sampled_from(["A1", "设备", "gov", "snmp", "10.0.0.1", "", "=1", "x" * 300, "\n", "三级", "S1"]),
            max_size=27,
        ),
        max_size=6,
    )
)
def test_any_cells_give_a_report(rows):
    content = sheets.write_csv([[c.title for c in COLUMNS], *rows])
    report = take(content, dry_run=True)
    assert not report.applied
    assert report.rows <= len(rows)


def test_the_number_of_statements_does_not_grow_with_the_rows(django_assert_max_num_queries):
    lines = [
        f"A{i},设备{i},设备,gov,,R{i % 9},,,,,,,,snmp,10.{i // 65536}.{i // 256 % 256}.{i % 256},,sw"
        for i in range(1500)
    ]
    text = "\n".join([HEAD, *lines])
    with django_assert_max_num_queries(70):
        assert take(text).applied
    with django_assert_max_num_queries(40):
        assert take(text).updated == {}


def test_who_watches_an_import_hears_how_far_it_is():
    heard: list[tuple[int, int]] = []
    content = tables_of(40)
    report = import_table(content, "a.csv", actor="b.manager", now=NOW, tell=lambda a, b: heard.append((a, b)))
    assert report.rows == 40
    assert [a for a, _b in heard] == [*range(1, 41), 80]
    assert {b for _a, b in heard} == {80}


def tables_of(count: int) -> bytes:
    rows = [f"dev-{i},服务器{i},server,egov" for i in range(count)]
    return "\n".join(["code,name,kind,zone", *rows]).encode()
