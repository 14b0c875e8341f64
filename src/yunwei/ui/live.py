"""Live: which parts of the house changed, said by topic and never by content, and what pages need to follow (ADR 9).

A topic is a room ("desk"), or a room and the stable id of what changed ("desk:T-20261126-0001"). Topics follow from the
ledger: every change of state is committed with its intake row, so there is nothing to publish and nothing to forget.
Only the progress of a run has no row of its own and is read from the run. The page then fetches its fragment again,
through the same gate as ever: an event is no permission.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from yunwei.accounts.models import Account
from yunwei.ledger import heads
from yunwei.ledger.models import Entry, Head, HeadPush, Waiting
from yunwei.runs.models import Run, RunState
from yunwei.ui.pages import READERS

#: rooms whose ids are told to who may read them; an account's name is nobody's business
NAMED = frozenset({"runs", "inspect", "assets", "desk", "duties", "contract", "assessment", "reports"})
#: ledger rows read at one look
ROWS = 1000
#: ids of one room in one event; more are told as "room:*"
IDS = 40
#: what the page's script sends and reads
FOLLOWS, SEEN, MARK = "YW-Live", "YW-Seen", "YW-Mark"
#: what the gate tells the process that keeps the streams
SCOPE, WHO = "YW-Scope", "YW-Who"

ACTIVE = (RunState.SUBMITTED, RunState.RUNNING)


@dataclass(frozen=True, slots=True)
class Position:
    """How far somebody has looked. `waiting`: rows without a number, and whether they were told already."""

    seq: int = 0
    head: int = 0
    push: int = 0
    runs: Mapping[str, tuple[str, int, int]] = field(default_factory=dict)
    waiting: Mapping[int, bool] = field(default_factory=dict)

    @property
    def unsure(self) -> bool:
        """A row waits for its number and was not told yet: look again, whether or not anything changes."""
        return not all(self.waiting.values())


def position() -> Position:
    """Where things stand now."""
    newest = Head.objects.order_by("-number").values_list("number", "size").first() or (0, 0)
    push = _newest_push()
    waiting = dict.fromkeys(Waiting.objects.values_list("pk", flat=True)[:ROWS], True)
    return Position(newest[1], newest[0], push, _runs(), waiting)


def _newest_push() -> int:
    """The newest push that has ended, either way."""
    ended = HeadPush.objects.exclude(ok=False, problem=heads.BEGUN)
    return ended.order_by("-pk").values_list("pk", flat=True).first() or 0


def look(since: Position) -> tuple[set[str], Position]:
    """The topics that changed since a position, and the new position; five statements.

    Numbered rows are read by number: the one sequencer gives numbers in the order of commits, while ids of concurrent
    transactions may be committed in another order than they were drawn. A row is told when it has its number (within a
    fraction of a second where a worker is), or at the second look that finds it still without one.
    """
    head = Head.objects.order_by("-number").values_list("number", flat=True).first() or 0
    push = _newest_push()
    if head < since.head:  # the ledger never grows shorter: this is another database (a backup was put back)
        since = Position()
    new = list(
        Entry.objects.filter(seq__gt=since.seq)
        .order_by("seq")
        .values_list("seq", "intake__kind", "intake__subject")[:ROWS]
    )
    unnumbered = Waiting.objects.order_by("-pk").values_list("pk", "intake__kind", "intake__subject")[:ROWS]
    rows = {pk: (kind, subject) for pk, kind, subject in unnumbered}
    late = [what for pk, what in rows.items() if since.waiting.get(pk) is False]
    runs = _runs()
    topics = _named([(kind, subject) for _seq, kind, subject in new] + late)
    moved = {pk for pk, state in runs.items() if since.runs.get(pk) != state}
    topics |= _named([("runs.progress", pk) for pk in moved])
    if new or late or (head, push) != (since.head, since.push):
        topics.add("ledger")
    seq = new[-1][0] if new else since.seq
    waiting = {pk: pk in since.waiting for pk in rows}
    return topics, Position(seq, head, push, runs, waiting)


def _runs() -> dict[str, tuple[str, int, int]]:
    rows = Run.objects.filter(state__in=ACTIVE).values_list("pk", "state", "done", "total")[:ROWS]
    return {pk: (state, done, total) for pk, state, done, total in rows}


def _named(rows: Iterable[tuple[str, str]]) -> set[str]:
    """Topics of ledger rows, by kind ("room.event") and subject."""
    ids: dict[str, set[str]] = {}
    for kind, subject in rows:
        ids.setdefault(kind.partition(".")[0], set()).add(subject)
    topics = set(ids)
    for room in ids.keys() & NAMED:
        topics |= {f"{room}:{one}" for one in ids[room]} if len(ids[room]) <= IDS else {f"{room}:*"}
    return topics


def without_ids(topics: Iterable[str]) -> set[str]:
    """What somebody is told who may not know of each thing that exists: a department, an officer."""
    return {topic.partition(":")[0] for topic in topics}


def gate(request: HttpRequest) -> HttpResponse:
    """May this session be told of changes, and how much? The process that keeps the streams asks before it opens one
    and again while it is open. Where nothing keeps streams (plain WSGI) a browser reads 204 as: do not ask again."""
    account = request.user
    named = isinstance(account, Account) and account.role in READERS
    return HttpResponse(status=204, headers={SCOPE: "ids" if named else "names", WHO: str(account.pk)})


#: differs in every rendering although it says the same
TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]*"')


class Unchanged:
    """A page that follows sends the mark of what it shows; where that is what we would answer, the answer is 204, so that
    focus, selection and an open menu stay as they are."""

    def __init__(self, handler: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._handler = handler

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._handler(request)
        if not request.headers.get(FOLLOWS) or request.method != "GET" or response.status_code != 200:
            return response
        if not isinstance(response, HttpResponse):
            return response
        mark = hashlib.sha256(TOKEN.sub(b"", response.content)).hexdigest()[:16]
        if request.headers.get(SEEN) == mark:
            return HttpResponse(status=204, headers={MARK: mark})
        response[MARK] = mark
        return response
