"""Which day the demo plays: today inside the term, the last day after it, the first before it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from yunwei.cli.demo import contract_day


@pytest.mark.parametrize(
    ("real", "played"),
    [
        ("2026-11-25T23:00:00+00:00", "2026-11-25T23:00:00+00:00"),
        ("2027-02-03T15:59:00+00:00", "2027-02-03T15:59:00+00:00"),  # the last minute of the longest reading
        ("2027-02-03T16:01:00+00:00", "2027-02-02T16:01:00+00:00"),  # one minute later: 00:01 of the last day
        ("2028-07-01T04:00:00+00:00", "2027-02-03T04:00:00+00:00"),
        ("2025-07-01T04:00:00+00:00", "2026-01-29T04:00:00+00:00"),
    ],
)
def test_the_day_that_is_played(real: str, played: str):
    assert contract_day(datetime.fromisoformat(real)) == datetime.fromisoformat(played).astimezone(UTC)
