"""Does what the pages show follow from the ledger? Every room's rows compared with what its records say.

The verifier proves that the ledger was not changed; the rows that pages and commands show lie beside it, and whoever
owns the database can write into them without a record. Here each room plays its records through once more and names the
rows that say something else. Rooms are found by name: `<room>/audit.py` with FOLDS.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol

from django.apps import apps
from django.utils.translation import gettext as _

from yunwei.ledger import tree
from yunwei.ledger.models import Entry, Head, Intake, Waiting
from yunwei.ledger.snapshot import one_moment

JSON = Any
#: rows read at once; bounds the memory
WINDOW = 2000


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that says something else than the ledger: `row` is what the page shows, `said` what the records give."""

    room: str
    subject: str
    field: str
    row: str
    said: str
    number: int | None = None  # of the record that says so, None where there is none


@dataclass(frozen=True, slots=True)
class Said:
    """One record as its hashed body says it; `number` is None while it waits for the sequencer."""

    number: int | None
    kind: str
    subject: str
    actor: str
    at: str
    data: Mapping[str, JSON]
    artifacts: tuple[str, ...]  # commitments


class Fold(Protocol):
    """One room's reading of the records: `take` is called for each of them in order, then `differences` once."""

    def take(self, said: Said) -> None:
        """Remember what the record means for this room's rows."""
        ...

    def differences(self) -> Iterable[Difference]:
        """The rows that say something else."""
        ...


def folds() -> list[Fold]:
    """A fresh fold of every room that has one."""
    from yunwei.ledger import audit_restored  # this room's own; it needs this module

    found: list[Fold] = [make() for make in audit_restored.FOLDS]
    for config in apps.get_app_configs():
        name = f"{config.name}.audit"
        if name != __name__ and config.name.startswith("yunwei.") and find_spec(name) is not None:
            found += [make() for make in importlib.import_module(name).FOLDS]
    return found


def audit() -> list[Difference]:
    """Compare everything; an empty list means that every row follows from the ledger as it stands in this database.

    All is read of one moment, or what the platform does meanwhile would be taken for rows without a record. That the ledger itself is the one the client holds heads of is the verifier's to say, not this function's.
    """
    all_folds = folds()
    found: list[Difference] = []
    with one_moment():
        for said, broken in records():
            if broken is not None:
                found.append(broken)
            if said is not None:
                for fold in all_folds:
                    fold.take(said)
        for fold in all_folds:
            found += fold.differences()
    return found


def records() -> Iterator[tuple[Said | None, Difference | None]]:
    """Every record in the order of its claim, read from the hashed body; with it what is wrong with the record itself."""
    last = 0
    newest = Head.objects.order_by("-number").first()
    size, count, waits = newest.size if newest else 0, 0, set(Waiting.objects.values_list("pk", flat=True))
    while rows := list(
        Intake.objects.filter(pk__gt=last).order_by("pk").values_list("pk", "kind", "subject", "body")[:WINDOW]
    ):
        ids = [pk for pk, *_rest in rows]
        entries = {e.intake_id: e for e in Entry.objects.filter(intake_id__gte=ids[0], intake_id__lte=ids[-1])}
        for pk, kind, subject, body in rows:
            entry = entries.get(pk)
            count += entry is not None
            yield _said(bytes(body), entry, (kind, subject))
            if (entry is None) != (pk in waits):
                yield None, _miscounted(subject, entry)
            waits.discard(pk)
        last = ids[-1]
    for pk in sorted(waits):
        yield None, Difference("ledger", f"intake:{pk}", "body", _("没有了"), _("登记了，等待编号"))
    if count != size:
        text = _("共 {n} 条").format(n=size)
        yield None, Difference("ledger", "head", "size", str(count), text, newest.number if newest else None)


def _miscounted(subject: str, entry: Entry | None) -> Difference:
    """A claim that has a number and waits for one, or neither: the sequencer stops at the first and never sees the second."""
    if entry is None:
        return Difference("ledger", subject, "number", "—", _("没有编号，也不在等待编号"))
    return Difference("ledger", subject, "number", _("在等待编号"), str(entry.seq), entry.seq)


def _said(body: bytes, entry: Entry | None, columns: tuple[str, str]) -> tuple[Said | None, Difference | None]:
    number = entry.seq if entry is not None else None
    broken = None
    if entry is not None and tree.leaf_hash(body) != bytes(entry.leaf):
        broken = Difference("ledger", str(number), "body", _("与编号时的哈希不符"), "", number)
    try:
        told = json.loads(body)
        said = Said(
            number, told["kind"], told["subject"], told["actor"], told["at"], told["data"],
            tuple(a["commitment"] for a in told["artifacts"]),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError):
        return None, broken or Difference("ledger", str(number), "body", _("读不懂"), "", number)
    if columns != (said.kind, said.subject):
        broken = broken or Difference(
            "ledger", str(number), "kind, subject", " ".join(columns), f"{said.kind} {said.subject}", number
        )
    return said, broken


def compare(
    room: str, subject: str, number: int | None, pairs: Mapping[str, tuple[object, object]]
) -> Iterator[Difference]:
    """A difference for each field whose row value is not the ledger's; `pairs` is field to (row, said)."""
    for field, (row, said) in pairs.items():
        if row != said:
            yield Difference(room, subject, field, _text(row), _text(said), number)


def _text(value: object) -> str:
    return "—" if value is None else str(value)[:200]
