"""API of why and when: clauses, obligations, occurrences."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema

from yunwei.accounts.tokens import Scope
from yunwei.contract import openitems
from yunwei.contract.schema import Obligation
from yunwei.duties.models import Occurrence, State
from yunwei.ui.api import After, Asked, Code, Id, Limit, Needs, PageOf, Text, keyset, ndjson
from yunwei.ui.context import contract_folder
from yunwei.ui.pages import READERS

router = Router(tags=["contract"])
ORDER = ("-starts_at", "-id")
CHUNK = 2000


class ClauseOut(Schema):
    """A clause in our own words."""

    id: str
    kinds: list[str]
    who: str
    gist: str
    gist_en: str


class ObligationOut(Schema):
    """Who owes what, and what proves it."""

    id: str
    clauses: list[str]
    title: str
    title_en: str
    owes: str
    kind: str
    trigger: str
    procedure: str
    proof: list[str]


class OpenItemOut(Schema):
    """A blank or a question that the parties have to close; it blocks one function."""

    id: str
    clause: str
    title: str
    owner: str
    blocks: str


class OccurrenceOut(Schema):
    """One period of one obligation."""

    id: int
    obligation: str
    period: str
    clauses: list[str]
    owes: str
    state: str
    cause: str
    counts: bool
    starts_at: datetime
    due_at: datetime | None
    provisional: bool
    settled_at: datetime | None
    done_at: datetime | None
    detail: str


class OccurrenceQuery(Asked):
    """Filters of the list."""

    obligation: Text = ""
    state: State | None = None
    after: Text = After
    limit: int = Limit


@router.get("/clauses", response=list[ClauseOut], auth=Needs(Scope.READ, READERS), summary="合同条款")
def clauses(request: HttpRequest) -> list[Any]:
    """All clauses, in the order of the contract."""
    return [msgspec.structs.asdict(c) for c in contract_folder().clauses]


@router.get("/obligations", response=list[ObligationOut], auth=Needs(Scope.READ, READERS), summary="义务")
def obligations(request: HttpRequest) -> list[Any]:
    """All obligations of both parties."""
    return [_said(o) for o in contract_folder().obligations]


@router.get("/obligations/{obligation_id}", response=ObligationOut, auth=Needs(Scope.READ, READERS), summary="一项义务")
def obligation(request: HttpRequest, obligation_id: Code) -> dict[str, Any]:
    """One obligation."""
    found = next((o for o in contract_folder().obligations if o.id == obligation_id), None)
    if found is None:
        raise Http404
    return _said(found)


def _said(one: Obligation) -> dict[str, Any]:
    return msgspec.structs.asdict(one) | {"owes": str(one.owes), "kind": str(one.kind)}


@router.get("/open-items", response=list[OpenItemOut], auth=Needs(Scope.READ, READERS), summary="待双方明确")
def open_items(request: HttpRequest) -> list[Any]:
    """What is still open between the parties."""
    return [msgspec.structs.asdict(i) for i in openitems.still_open(contract_folder())]


def _narrowed(asked: OccurrenceQuery) -> Any:
    rows = Occurrence.objects.all()
    if asked.obligation:
        rows = rows.filter(obligation=asked.obligation)
    return rows.filter(state=asked.state) if asked.state else rows


@router.get("/occurrences", response=PageOf[OccurrenceOut], auth=Needs(Scope.READ, READERS), summary="到期事项")
def occurrences(request: HttpRequest, asked: Query[OccurrenceQuery]) -> dict[str, Any]:
    """Occurrences, the newest first."""
    return keyset(_narrowed(asked), ORDER, asked.after, asked.limit)


class Line(msgspec.Struct):
    """An occurrence as a line of NDJSON."""

    id: int
    obligation: str
    period: str
    state: str
    cause: str
    counts: bool
    starts_at: datetime
    due_at: datetime | None
    settled_at: datetime | None


@router.get("/occurrences.ndjson", auth=Needs(Scope.READ, READERS), summary="全部到期事项（NDJSON）")
def occurrences_all(request: HttpRequest, asked: Query[OccurrenceQuery]) -> StreamingHttpResponse:
    """All of them, one JSON object a line."""
    names = Line.__struct_fields__
    rows = _narrowed(asked).order_by("id").values_list(*names)

    def lines() -> Iterator[Line]:
        for row in rows.iterator(chunk_size=CHUNK):
            yield Line(*row)

    return ndjson(lines(), "occurrences")


@router.get(
    "/occurrences/{occurrence_id}", response=OccurrenceOut, auth=Needs(Scope.READ, READERS), summary="一个到期事项"
)
def occurrence(request: HttpRequest, occurrence_id: Id) -> Occurrence:
    """One occurrence."""
    return get_object_or_404(Occurrence, pk=occurrence_id)
