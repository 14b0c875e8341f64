"""Two workers tick at the same moment (PostgreSQL; on SQLite they queue): everything happens once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import pytest
from django.db import connection

from tests.duties import world
from tests.duties.conftest import People
from tests.duties.test_books import row
from tests.duties.test_settling import BACKUP, MORNING
from tests.duties.world import at
from yunwei.assets.models import Asset
from yunwei.contract import plans
from yunwei.duties import books, services
from yunwei.duties.errors import DutyError
from yunwei.duties.models import Attempt, ManualProof, Occurrence
from yunwei.ledger.models import Intake
from yunwei.runs.models import Run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("contract", "procedures")]
FILE = services.File("a.txt", b"evidence")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[object]]:
    """Do the same in four threads; what each returned or raised."""

    def together(act: Callable[[], object]) -> list[object]:
        barrier, came = threading.Barrier(4), []

        def one() -> None:
            try:
                barrier.wait(20)
                came.append(act())
            except Exception as error:  # noqa: BLE001 - whatever it was, the test looks at it
                came.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=one) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return came

    return together


def tick(now: datetime) -> int:
    books._seen.clear()  # each worker is a process with a memory of its own
    return services.tick(now)


def test_four_ticks_write_and_submit_everything_once(
    people: People, assets: list[Asset], at_once: Callable[..., list[object]]
) -> None:
    version = plans.propose(world.plan(), folder=world.folder(), by=people.vendor, now=at("2026-03-02 09:00")).version
    plans.approve(version, by=people.client, now=at("2026-03-02 09:00"))
    came = at_once(lambda: tick(at(MORNING)))
    assert [c for c in came if isinstance(c, Exception)] == []
    submitted = Run.objects.count()
    assert sum(int(str(c)) for c in came) == submitted == Attempt.objects.count() > 0
    assert Attempt.objects.filter(number__gt=1).count() == 0
    assert Intake.objects.filter(kind="runs.run.submitted").count() == submitted
    assert Intake.objects.filter(kind="duties.occurrences.due").count() == 1
    assert Intake.objects.filter(kind="duties.contract.read").count() == 1


def test_one_proof_is_stated_and_answered_once(
    people: People, assets: list[Asset], at_once: Callable[..., list[object]]
) -> None:
    services.tick(at(MORNING))
    now, report = at("2026-03-03 10:00"), Occurrence.objects.filter(obligation="own-month", state="due").first()
    assert report is not None
    came = at_once(lambda: services.state_proof(report.pk, statement="x", file=FILE, by=people.vendor, now=now))
    assert sorted(type(c).__name__ for c in came) == ["DutyError"] * 3 + ["ManualProof"]
    proof = ManualProof.objects.get()
    came = at_once(lambda: services.answer_proof(proof.pk, confirm=True, by=people.client, now=now))
    assert sum(isinstance(c, DutyError) for c in came) == 3
    assert Intake.objects.filter(kind="duties.occurrence.kept").count() == 1


def test_a_failed_morning_is_done_again_once(
    people: People, assets: list[Asset], at_once: Callable[..., list[object]]
) -> None:
    version = plans.propose(world.plan(), folder=world.folder(), by=people.vendor, now=at("2026-03-02 09:00")).version
    plans.approve(version, by=people.client, now=at("2026-03-02 09:00"))
    services.tick(at(MORNING))
    from tests.duties.test_settling import finish

    finish(BACKUP, {"verdict": "unproven", "causes": {}}, "2026-03-03 08:00")
    pk = row(BACKUP).pk
    came = at_once(lambda: services.again(pk, now=at("2026-03-03 09:00"), actor="vendor"))
    assert sorted(type(c).__name__ for c in came) == ["Attempt"] + ["DutyError"] * 3
    assert Attempt.objects.filter(occurrence=pk).count() == 2
