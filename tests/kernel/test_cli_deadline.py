"""`yunwei deadline` as people type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tests.kernel.test_calendar import SCHEDULE_2027
from yunwei.cli.deadline import deadline

app = typer.Typer()
app.command()(deadline)


def run(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, args, env={"COLUMNS": "100"})
    return result.exit_code, result.output


def test_working_days_for_people() -> None:
    code, output = run("--from", "2026-02-13", "--working-days", "3")
    assert code == 0
    assert "调休上班（春节）" in output
    assert "届满：2026-02-25 周三 24:00" in output
    assert "暂定" not in output


def test_calendar_days_as_json() -> None:
    code, output = run("--from", "2026-02-03", "--calendar-days", "15", "--json")
    assert code == 0
    assert json.loads(output)["date"] == "2026-02-24"


def test_provisional_is_said_and_a_schedule_settles_it(tmp_path: Path) -> None:
    args = ("--from", "2027-02-03", "--working-days", "10")
    code, output = run(*args)
    assert code == 0
    assert "（暂定）" in output
    assert "尚未公布" in output
    file = tmp_path / "2027.yaml"
    file.write_text(SCHEDULE_2027, encoding="utf-8")
    code, output = run(*args, "--schedule", str(file))
    assert code == 0
    assert "2027-02-24" in output
    assert "国办发明电〔2026〕测试号" in output
    assert "暂定" not in output


def test_hours_from_a_moment() -> None:
    assert "2026-02-13 周五 13:00" in run("--from", "2026-02-13T09:00+08:00", "--hours", "4")[1]


@pytest.mark.parametrize(
    "args",
    [
        ("--from", "2026-02-13"),
        ("--from", "2026-02-13", "--working-days", "3", "--calendar-days", "3"),
        ("--from", "13.02.2026", "--working-days", "3"),
        ("--from", "2026-02-13", "--working-days", "0"),
        ("--from", "2026-02-13", "--hours", "4"),
        ("--from", "2026-02-13T09:00", "--hours", "4"),
        ("--from", "2026-02-13", "--working-days", "3", "--schedule", "/nonexistent.yaml"),
    ],
)
def test_a_wrong_question_is_a_usage_error(args: tuple[str, ...]) -> None:
    assert run(*args)[0] == 2
