"""What is tried again and again fills no log, and hides no fault of the program."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing

import pytest

from yunwei.kernel.errors import YunweiError
from yunwei.kernel.failing import AGAIN_S, Failing

log = logging.getLogger("yunwei.test")


class AwayError(Exception):
    """As a driver says that a database is not there, in several lines."""


@pytest.fixture
def clock() -> list[float]:
    return [1000.0]


@pytest.fixture
def failing(clock: list[float]) -> Failing:
    return Failing(log, "the sequencer", AwayError, clock=lambda: clock[0])


def test_an_ordinary_failure_is_one_line_a_minute(
    failing: Failing, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    for _second in range(int(AGAIN_S) + 1):
        failing.failed(AwayError("connection refused\n\tIs the server running?"))
        clock[0] += 1
    first, second = caplog.messages
    assert first == "the sequencer failed and is tried again: AwayError: connection refused"
    assert second == f"{first} ({int(AGAIN_S) - 1} times more meanwhile)"
    assert not any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("error", [YunweiError("合同目录不在"), OSError(28, "No space left on device")])
def test_what_the_product_and_the_system_say_in_words_is_ordinary_too(
    failing: Failing, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    failing.failed(error)
    (record,) = caplog.records
    assert record.exc_info is None
    assert str(error) in record.getMessage()


def test_another_failure_is_told_at_once(failing: Failing, caplog: pytest.LogCaptureFixture) -> None:
    failing.failed(AwayError("refused"))
    failing.failed(AwayError("refused"))
    failing.failed(AwayError("starting up"))
    assert [m.partition(": AwayError: ")[2] for m in caplog.messages] == [
        "refused",
        "starting up (1 times more meanwhile)",
    ]


def test_a_fault_of_the_program_comes_whole_every_time(failing: Failing, caplog: pytest.LogCaptureFixture) -> None:
    for _time in range(2):
        try:
            {}["gone"]
        except KeyError as error:
            failing.failed(error)
    assert [bool(record.exc_info) for record in caplog.records] == [True, True]


def test_a_wrong_statement_is_a_fault_of_the_program_on_sqlite_too(caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing(log, "the tick", sqlite3.OperationalError)
    with closing(sqlite3.connect(":memory:")) as db:
        for _time in range(2):
            try:
                db.execute("SELECT * FROM gone")
            except sqlite3.OperationalError as error:
                failing.failed(error)
    assert [bool(record.exc_info) for record in caplog.records] == [True, True]


def test_its_end_is_told_once(failing: Failing, caplog: pytest.LogCaptureFixture) -> None:
    failing.worked()
    failing.failed(AwayError("refused"))
    failing.worked()
    failing.worked()
    failing.failed(AwayError("refused"))
    assert [m.partition(":")[0] for m in caplog.messages] == [
        "the sequencer failed and is tried again", "the sequencer works again", "the sequencer failed and is tried again",
    ]  # fmt: skip
