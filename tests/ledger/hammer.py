"""A process that records and sequences as fast as it can, for the tests of crashes and of two sequencers.

python -m tests.ledger.hammer NAME COUNT migrate|record|both    prints the number or id of each claim it made
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import django


def main(name: str, count: int, mode: str) -> None:
    django.setup()
    from django.core.management import call_command
    from django.db import transaction

    from yunwei.ledger import keys, services

    now = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
    if mode == "migrate":
        keys.create()
        call_command("migrate", "ledger", verbosity=0, skip_checks=True)
        return
    for i in range(count):
        with transaction.atomic():
            intake = services.record("test.hammer", f"{name}:{i}", {"i": i}, at=now, actor="tester")
        said = services.acknowledge(intake.pk, now) if mode == "both" else intake.pk
        sys.stdout.write(f"{said}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
