"""API of proof: records, their export, the newest head. Reading evidence is itself recorded (house, law 2)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema

from yunwei.accounts.tokens import Scope
from yunwei.ledger import reading
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Entry
from yunwei.ui.api import After, Asked, Id, Limit, Needs, PageOf, Text, account_of, keyset, ndjson
from yunwei.ui.context import now
from yunwei.ui.pages import READERS

router = Router(tags=["ledger"])
CHUNK = 2000


class RecordOut(Schema):
    """A record of the ledger, without its body."""

    seq: int
    kind: str
    subject: str
    actor: str
    at: datetime
    clauses: list[str]
    leaf: str

    @staticmethod
    def resolve_kind(row: Entry) -> str:
        return row.intake.kind

    @staticmethod
    def resolve_subject(row: Entry) -> str:
        return row.intake.subject

    @staticmethod
    def resolve_actor(row: Entry) -> str:
        return row.intake.actor

    @staticmethod
    def resolve_at(row: Entry) -> datetime:
        return row.intake.at

    @staticmethod
    def resolve_clauses(row: Entry) -> list[str]:
        return list(row.intake.clauses)

    @staticmethod
    def resolve_leaf(row: Entry) -> str:
        return bytes(row.leaf).hex()


class RecordBody(RecordOut):
    """A record with the canonical JSON that was hashed."""

    body: dict[str, Any]

    @staticmethod
    def resolve_body(row: Entry) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(bytes(row.intake.body))
        return found


class HeadOut(Schema):
    """A signed head: what the client keeps and compares."""

    number: int
    size: int
    root: str
    at: datetime
    hash: str
    signature: str

    @staticmethod
    def resolve_root(row: Any) -> str:
        return bytes(row.root).hex()

    @staticmethod
    def resolve_signature(row: Any) -> str:
        return bytes(row.signature).hex()


class RecordQuery(Asked):
    """Filters of the list."""

    kind: Text = ""
    subject: Text = ""
    after: Text = After
    limit: int = Limit


class RangeQuery(Asked):
    """From which record to which; 0: to the newest."""

    first: int = Field(1, ge=1, le=2**62)
    last: int = Field(0, ge=0, le=2**62)


@router.get("/head", response=HeadOut, auth=Needs(Scope.READ, READERS), summary="最新的签名链头")
def head(request: HttpRequest) -> Any:
    """The newest signed head."""
    found = ledger.head()
    if found is None:
        raise Http404
    return found


@router.get("/evidence", response=PageOf[RecordOut], auth=Needs(Scope.EVIDENCE, READERS), summary="台账记录")
def records(request: HttpRequest, asked: Query[RecordQuery]) -> dict[str, Any]:
    """Records, the newest first, without their bodies."""
    rows = Entry.objects.select_related("intake")
    if asked.kind:
        rows = rows.filter(intake__kind=asked.kind)
    if asked.subject:
        rows = rows.filter(intake__subject=asked.subject)
    return keyset(rows, ("-seq",), asked.after, asked.limit)


class Line(msgspec.Struct):
    """A record as a line of NDJSON: the body is the very text that was hashed."""

    seq: int
    leaf: str
    body: str


@router.get("/evidence.ndjson", auth=Needs(Scope.EVIDENCE, READERS), summary="一段台账记录（NDJSON）")
def records_all(request: HttpRequest, asked: Query[RangeQuery]) -> StreamingHttpResponse:
    """Records of a range with their bodies, one a line. For proof take a bundle; this is for reading by programs."""
    last = asked.last or None
    rows = Entry.objects.select_related("intake").filter(seq__gte=asked.first).order_by("seq")
    if last is not None:
        rows = rows.filter(seq__lte=last)
    told = {"from": str(asked.first), "to": str(asked.last), "form": "ndjson"}
    about = reading.actors_of_range(asked.first, last)
    reading.of_list(told, rows.count(), about, reader=account_of(request).username, now=now())

    def lines() -> Iterator[Line]:
        for row in rows.iterator(chunk_size=CHUNK):
            yield Line(row.seq, bytes(row.leaf).hex(), bytes(row.intake.body).decode("utf-8", "backslashreplace"))

    return ndjson(lines(), "evidence")


@router.get("/evidence/{seq}", response=RecordBody, auth=Needs(Scope.EVIDENCE, READERS), summary="一条台账记录")
def record(request: HttpRequest, seq: Id) -> Entry:
    """One record with its body; reading it is recorded, once a day for each reader."""
    row = get_object_or_404(Entry.objects.select_related("intake"), seq=seq)
    reading.of_record(seq, [row.intake.actor], reader=account_of(request).username, now=now())
    return row
