"""What a contract folder covers of a text, and the command that shows it."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
import typer
from tests.contract_reader import texts
from typer.testing import CliRunner

from yunwei.cli.contract_read import read as command
from yunwei.contract import schema
from yunwei.contract.reader import Reading, compare, read_bytes

ROWS = ["PRE", "1.1", "1.2.1", "1.2.2", "2.1", "2.2", "3.1", "3.3"]


def row(ident: str, *text_ids: str) -> schema.Clause:
    return schema.Clause(ident, ["OB"], "B", "要旨", text_ids=list(text_ids))


def folder(rows: list[schema.Clause], **changes: object) -> schema.Folder:
    contract = schema.Contract(
        id="invented",
        number="BH-1",
        title="运维服务协议",
        title_en="Service agreement",
        parties=[schema.Party("A", "白河县大数据局"), schema.Party("B", "海棠信息技术有限公司")],
        signatures=[schema.Signature("A", date(2026, 1, 5))],
        price=schema.Money("3.1", Decimal(1200000), "壹佰贰拾万元整"),
        periods=[],
        instalments=[schema.Instalment(str(n), "3.1", Decimal(n), Decimal(n), "", [], 10) for n in (60, 40)],
    )
    return schema.Folder(
        contract=msgspec.structs.replace(contract, **changes),
        documents=[],
        rules=[],
        clauses=rows,
        obligations=[],
        open_items=[],
        plan=schema.Plan(1, "计划", []),
        events=[],
    )


def reading(text: str = texts.DECIMAL) -> Reading:
    return read_bytes(text.encode(), "x.txt")


def how(coverage) -> dict[str, str]:
    return {match.id: match.how for match in coverage.covered}


def test_a_complete_folder_covers_headings_and_sub_items_too():
    coverage = compare(reading(), folder([row(ident) for ident in ROWS]))
    assert coverage.ok
    assert coverage.missing == []
    assert how(coverage) | {"1": "parts", "2.1": "row", "2.1(1)": "within", "2.1(2)a": "within"} == how(coverage)


@pytest.mark.parametrize("left_out", ["PRE", "1.2.2", "2.1", "2.2"])
def test_every_row_left_out_is_found_missing(left_out):
    coverage = compare(reading(), folder([row(ident) for ident in ROWS if ident != left_out]))
    assert not coverage.ok
    assert left_out in [m.id for m in coverage.missing]


def test_a_row_for_one_item_does_not_cover_its_brothers():
    coverage = compare(reading(), folder([*(row(i) for i in ROWS), row("2.1-monthly", "2.1(2)")]))
    assert [m.id for m in coverage.missing] == ["2.1(1)"]
    assert how(coverage)["2.1(2)a"] == "within"


def test_rows_are_found_by_their_text_ids_and_unknown_rows_are_named():
    coverage = compare(
        reading(), folder([*(row(i) for i in ROWS[:-1]), row("3-late", "3.3"), row("9.9"), row("X", "3.1", "7")])
    )
    assert coverage.not_in_text == ["9.9", "X"]
    assert coverage.missing == []


def test_duties_without_an_obligation_are_pointed_out():
    given = folder([row(ident) for ident in ROWS])
    assert compare(reading(), given).without_obligation == ["2.1", "2.1(2)-tail", "2.2"]
    obligation = schema.Obligation("o", ["2.1", "2.2"], "巡检", "", schema.Owes.B, schema.Kind.LOOK, ["记录"])
    cited = compare(reading(), msgspec.structs.replace(given, obligations=[obligation]))
    assert cited.without_obligation == []  # the tail stands inside 2.1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"price": schema.Money("3.1", Decimal(1200001), "")}, "1200001"),
        ({"parties": [schema.Party("B", "别的公司")]}, "别的公司"),
        ({"instalments": []}, ""),
        ({"instalments": [schema.Instalment("1", "3.1", Decimal(70), Decimal(1), "", [], 10)]}, "70"),
    ],
)
def test_facts_that_differ_are_said(change, says):
    differences = compare(reading(), folder([row(i) for i in ROWS], **change)).differences
    assert (len(differences) == 1 and says in differences[0]) if says else differences == []


def test_numbers_and_dates_that_differ_are_said():
    text = "合同\n合同编号：BH-2\n一、其一\n1.1 无。\n（以下无正文）\n甲方（盖章）：\n2026年1月6日\n"
    differences = compare(reading(text), folder([])).differences
    assert any("BH-2" in d and "BH-1" in d for d in differences)
    assert any("2026-01-06" in d and "2026-01-05" in d for d in differences)


def test_a_reading_survives_json():
    r = reading(texts.CHAPTERS)
    assert msgspec.json.decode(msgspec.json.encode(r), type=Reading) == r


def app() -> typer.Typer:
    application = typer.Typer()
    application.command()(command)
    return application


def test_the_command_prints_json_and_people_see_a_tree(tmp_path: Path):
    file = tmp_path / "text.txt"
    file.write_text(texts.NESTED, encoding="gb18030")
    result = CliRunner().invoke(app(), [str(file), "--json"])
    assert result.exit_code == 0
    shown = json.loads(result.stdout)
    assert shown["coverage"] is None
    assert [c["id"] for c in shown["reading"]["clauses"]][:3] == ["PRE", "1", "1(1)"]
    result = CliRunner().invoke(app(), [str(file)])
    assert result.exit_code == 0
    assert "1(1).1(2)" in result.stdout
    assert "须人工核对" in result.stdout


def test_the_command_against_a_real_folder_exits_1_on_a_gap(tmp_path: Path):
    file = tmp_path / "text.txt"
    file.write_text(texts.MIXED, encoding="utf-8")
    contracts = Path(__file__).resolve().parents[2] / "contracts" / "qingpu-2026"
    result = CliRunner().invoke(app(), [str(file), "--against", str(contracts), "--json"])
    assert result.exit_code == 1
    missing = [m["id"] for m in json.loads(result.stdout)["coverage"]["missing"]]
    assert missing == ["2.1", "4"]  # the ids both number alike are taken for the same
