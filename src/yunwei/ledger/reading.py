"""Reading evidence is evidence: who looked at what leaves a record, and whoever was looked at can find it.

Bounded: one record for each reader, thing and day, however often it is opened. The data of `ledger.read`:
`what` ("record", "artifact", "list"), `seq` (the record, 0 for a list), `about` (user names that stand in it).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import BinaryField, F, Func, IntegerField, QuerySet, Value
from django.utils import timezone

from yunwei.kernel.canonical import canonical
from yunwei.ledger import services
from yunwei.ledger.models import Entry, Intake

READ = "ledger.read"
EXPORTED = "ledger.exported"
#: names told in one record: a list about more people names these, and says by `rows` how much it holds
NAMES = 500


def of_record(seq: int, about: Iterable[str], *, reader: str, now: datetime) -> bool:
    """Somebody opened a record. False when today's opening by this reader is recorded already."""
    return _once(f"record:{seq}", {"what": "record", "seq": seq, "about": _names(about, reader)}, reader, now)


def of_artifact(commitment: str, seq: int, about: Iterable[str], *, reader: str, now: datetime) -> bool:
    """Somebody opened an artifact, by way of the record `seq` that names it."""
    data = {"what": "artifact", "seq": seq, "about": _names(about, reader), "artifact": commitment}
    return _once(commitment, data, reader, now)


def of_list(filters: Mapping[str, str], rows: int, about: Iterable[str], *, reader: str, now: datetime) -> None:
    """Somebody took a list of records away as a file; each time counts."""
    data = {"what": "list", "seq": 0, "about": _names(about, reader), "rows": rows, "filters": dict(filters)}
    with transaction.atomic():
        services.record(READ, "ledger", data, at=now, actor=reader)


def _once(subject: str, data: Mapping[str, Any], reader: str, now: datetime) -> bool:
    day = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    with transaction.atomic():
        if Intake.objects.filter(subject=subject, kind=READ, actor=reader, at__gte=day, at__lte=now).exists():
            return False
        services.record(READ, subject, data, at=now, actor=reader)
    return True


def _names(about: Iterable[str], reader: str) -> list[str]:
    """Whom it is about; the reader knows of the reader's own looking."""
    return sorted({name for name in about if name and name != reader})[:NAMES]


def actors(rows: QuerySet[Intake]) -> list[str]:
    """The accounts that acted in these records; `system:…` and `collector:…` are no people."""
    found = rows.exclude(actor__contains=":").order_by().values_list("actor", flat=True).distinct()
    return sorted(found[: NAMES + 1])


def actors_of_range(first: int, last: int | None) -> list[str]:
    """The accounts that acted in a range of numbers."""
    entries = Entry.objects.filter(seq__gte=first)
    if last is not None:
        entries = entries.filter(seq__lte=last)
    return actors(Intake.objects.filter(entry__in=entries))


class _Place(Func):
    """Where some bytes stand in the hashed body; 0: nowhere. Bytes, so that a damaged body stops no search."""

    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, function="INSTR", **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        template = "position(%(expressions)s)"
        self.source_expressions.reverse()
        try:
            return self.as_sql(compiler, connection, template=template, arg_joiner=" IN ", **extra)
        finally:
            self.source_expressions.reverse()


def looks_at(username: str) -> QuerySet[Intake]:
    """The records of others who read or exported what this account stands in, newest first.

    A name that is also a word of the record (an account called "list") finds a few too many: `told` decides.
    """
    name = Value(canonical(username), output_field=BinaryField())
    looked = Intake.objects.filter(kind__in=(READ, EXPORTED)).annotate(place=_Place(F("body"), name))
    return looked.filter(place__gt=0).exclude(actor=username).order_by("-id")


def told(intake: Intake) -> Mapping[str, Any]:
    """What a record of reading says, as its hashed body has it; {} for a body that cannot be read."""
    try:
        data = json.loads(bytes(intake.body))["data"]
    except (ValueError, KeyError, TypeError):
        return {}
    return data if isinstance(data, dict) else {}
