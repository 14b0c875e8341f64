"""The worker's loops by themselves."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from yunwei.ledger import heads
from yunwei.runs import services
from yunwei.server import worker

NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)


class Told:
    """A run that ended, as its observers are told."""

    kind = "finished"


def test_a_head_that_could_not_be_pushed_is_owed_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else "works again" would stand in the log although nothing left the house for a minute."""
    pushed: list[datetime] = []

    def away(_now: datetime) -> None:
        raise OSError("the address is away")

    monkeypatch.setattr(services, "observe", lambda _order, _fn: None)  # it would stay in this process
    pushing = worker.Heads()
    monkeypatch.setattr(heads, "push", pushed.append)
    pushing(NOW)  # the first one is due by time
    pushing(NOW)
    assert len(pushed) == 1
    pushing.on_run(Told())  # type: ignore[arg-type]
    monkeypatch.setattr(heads, "push", away)
    for _second in range(2):
        with pytest.raises(OSError, match="away"):
            pushing(NOW)
    monkeypatch.setattr(heads, "push", pushed.append)
    pushing(NOW)
    pushing(NOW)
    assert len(pushed) == 2
