"""What is read of one moment stays that moment's, and nobody who writes meanwhile is held up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from tests.ledger.kit import NOW, claim, fill

from yunwei.ledger import audit, services
from yunwei.ledger.models import Intake
from yunwei.ledger.snapshot import one_moment

pytestmark = pytest.mark.django_db(transaction=True)


def beside(work: Callable[[], object]) -> None:
    """Done by somebody else, with a connection of its own, before this returns."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result(20)


def grow(i: int) -> None:
    claim(i, NOW + timedelta(hours=i))
    services.sequence(NOW + timedelta(hours=i))


def test_later_commits_are_not_seen_inside() -> None:
    fill(3)
    with one_moment():
        before = Intake.objects.count()
        beside(lambda: grow(50))
        assert Intake.objects.count() == before
    assert Intake.objects.count() == before + 1
    grow(51)  # and the connection is as it was
    assert Intake.objects.count() == before + 2


def test_an_error_inside_leaves_the_connection_usable() -> None:
    fill(3)
    with pytest.raises(ZeroDivisionError), one_moment():
        assert Intake.objects.count()
        raise ZeroDivisionError
    grow(50)


class Busy:
    """A room's fold during which the platform works on."""

    taken = 0

    def take(self, said: audit.Said) -> None:
        self.taken += 1
        if self.taken == 2:
            beside(lambda: grow(60))

    def differences(self) -> Iterable[audit.Difference]:
        beside(lambda: grow(61))
        return []


def test_a_platform_that_works_on_is_not_accused(monkeypatch: pytest.MonkeyPatch) -> None:
    fill(5)
    assert audit.audit() == []
    busy, real = Busy(), audit.folds
    monkeypatch.setattr(audit, "WINDOW", 1)
    monkeypatch.setattr(audit, "folds", lambda: [busy, *real()])
    assert audit.audit() == []
    assert busy.taken
    assert services.head().size > busy.taken  # type: ignore[union-attr]
