"""A small instance with a ledger of its own, made by the ordinary services in a few seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

RECORDS, BATCH, EACH = 26, 4, 3


def make(folder: Path) -> None:
    """A new instance; so many records in batches, some with artifacts, heads pushed hourly, one head handed over."""
    from yunwei.cli.demo_stage import contract_folder
    from yunwei.server import instance

    now = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
    instance.create(folder, instance.Blueprint(contract=contract_folder(), demo=True, now=now))
    from django.db import transaction

    from yunwei.ledger import heads, services  # Django is set up by now

    for i in range(1, RECORDS + 1):
        kept = [services.store(f"原始应答 {i}".encode() * 3, "text/plain")] if i % EACH == 0 else []
        at = now + timedelta(minutes=10 * i)
        with transaction.atomic():
            services.record(
                "chaos.claim", f"物:{i}", {"value": i}, at=at, actor="tester", clauses=["2.1"], artifacts=kept
            )
        if i % BATCH == 0:
            services.sequence(at)
        if i % 6 == 0:
            heads.push(at)
