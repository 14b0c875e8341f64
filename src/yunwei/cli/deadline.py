"""`yunwei deadline`: when a period ends, and why, day by day."""

from __future__ import annotations

import json
import os
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from yunwei.kernel.calendar import Calendar, CalendarError, Schedule, parse_schedules
from yunwei.kernel.deadline import (
    Counted,
    Deadline,
    DeadlineError,
    after,
    calendar_days_after,
    working_days_after,
    years_after,
)
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.explain import explain, weekday_name
from yunwei.kernel.i18n import _

USAGE = 2


def deadline(
    start: Annotated[str, typer.Option("--from", help="事件发生之日（2026-02-13）或时刻（2026-02-13T09:00+08:00）")],
    working_days: Annotated[int | None, typer.Option("--working-days", help="工作日")] = None,
    calendar_days: Annotated[int | None, typer.Option("--calendar-days", help="自然日")] = None,
    years: Annotated[int | None, typer.Option("--years", help="年")] = None,
    hours: Annotated[int | None, typer.Option("--hours", help="小时（7×24，需给出时刻）")] = None,
    minutes: Annotated[int | None, typer.Option("--minutes", help="分钟（7×24，需给出时刻）")] = None,
    ends: Annotated[str, typer.Option("--ends", help="末日截止时刻；有营业时间的填停止业务的时刻")] = "24:00",
    schedule: Annotated[list[Path] | None, typer.Option("--schedule", help="内置年份之后的放假安排（YAML）")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON")] = False,
) -> None:
    """计算期限届满之日，并逐日说明理由。"""
    asked = {
        Counted.WORKING_DAY: working_days,
        Counted.CALENDAR_DAY: calendar_days,
        Counted.YEAR: years,
        Counted.HOUR: hours,
        Counted.MINUTE: minutes,
    }
    given = [(unit, n) for unit, n in asked.items() if n is not None]
    try:
        if len(given) != 1:
            raise DeadlineError(_("请给出且只给出一个期限"), hint="--working-days 3")
        calendar = read_calendar(schedule or [])
        result = _count(_parse_start(start), *given[0], calendar, ends)
    except YunweiError as e:
        Console(stderr=True).print(str(e), style="red", markup=False, highlight=False)
        raise typer.Exit(USAGE) from e
    if as_json:
        typer.echo(json.dumps(explain(result, calendar), ensure_ascii=False, indent=2))
    else:
        _show(result, calendar)


def read_calendar(files: list[Path]) -> Calendar:
    """The calendar with the schedules of these files and those imported in this instance. Raises CalendarError.

    Needs no instance; but where one is named, its answer must be the one its duties are counted by.
    """
    schedules = list(_imported())
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as e:
            raise CalendarError(_("无法读取放假安排：{error}").format(error=e), where=str(file)) from e
        schedules += parse_schedules(text, where=str(file))
    return Calendar(schedules)


def _imported() -> tuple[Schedule, ...]:
    if not os.environ.get("YUNWEI_INSTANCE"):
        return ()
    from yunwei.cli import common

    common.open_instance()
    from yunwei.duties import sources

    return sources.calendar().imported()


def _parse_start(text: str) -> date | datetime:
    try:
        return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError as e:
        raise DeadlineError(_("不是日期或时刻：{text}").format(text=text), hint="2026-02-13") from e


def _count(start: date | datetime, unit: Counted, n: int, calendar: Calendar, ends: str) -> Deadline:
    if isinstance(start, datetime):
        return after(start, n, unit, calendar, ends=ends)
    match unit:
        case Counted.WORKING_DAY:
            return working_days_after(start, n, calendar, ends=ends)
        case Counted.CALENDAR_DAY:
            return calendar_days_after(start, n, calendar, ends=ends)
        case Counted.YEAR:
            return years_after(start, n, calendar, ends=ends)
        case _:
            raise DeadlineError(_("按小时或分钟计算需要给出时刻"), hint="--from 2026-02-13T09:00+08:00")


def _show(result: Deadline, calendar: Calendar) -> None:
    console = Console()
    table = Table()
    for heading in (_("日期"), _("星期"), _("计入"), _("理由")):
        table.add_column(heading)
    for step in result.steps:
        mark = f"✓ {step.n}" if step.counted and step.n else "—"
        style = "bold" if step.date == result.date else ("" if step.counted else "dim")
        table.add_row(step.date.isoformat(), weekday_name(step.weekday), mark, step.why, style=style)
    console.print(table)
    midnight = result.due.hour == result.due.minute == 0 and result.due.date() != result.date
    moment = "24:00" if midnight else f"{result.due:%H:%M}"
    mark = _("（暂定）") if result.provisional else ""
    weekday = weekday_name(result.date.isoweekday())
    console.print(_("届满：{day} {weekday} {time}").format(day=result.date, weekday=weekday, time=moment) + mark)
    for note in result.notes:
        console.print(note, style="yellow")
    years = sorted({step.date.year for step in result.steps})
    sources = "；".join(f"{y}: {calendar.notice(y) or _('尚未公布')}" for y in years)
    console.print(_("依据：{sources}").format(sources=sources), style="dim")
