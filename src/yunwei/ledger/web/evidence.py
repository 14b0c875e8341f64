"""证据链: is the chain whole and with the client, what it holds, and a bundle of it to take away."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Max, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Cast
from django.http import FileResponse, HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from yunwei.accounts.models import Account
from yunwei.kernel.errors import YunweiError
from yunwei.ledger import bundle, checking, heads, keys, reading
from yunwei.ledger.errors import LedgerError
from yunwei.ledger.models import Head, HeadPush, Intake, Waiting
from yunwei.ui import cells, words
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.listing import Column, Filter, Listing, Shown, filtered, show
from yunwei.ui.vocabulary import EVENTS

#: records of one bundle made while a browser waits; a longer one is made by the command
BUNDLE_MAX = 20_000
_RANGE = re.compile(r"(\d{1,18})?\s*[-–~至]\s*(\d{1,18})?|(\d{1,18})")


class Claims(QuerySet[Intake]):
    """The records in the order in which they came in; all of them are counted by `size`, a filter's by counting."""

    size: Callable[[], int] | None = None
    plain = 0  # conditions that `size` counts with

    def count(self) -> int:
        """How many rows."""
        if self.size is not None and len(self.query.where.children) == self.plain:
            return self.size()
        return super().count()

    def _clone(self) -> Claims:
        made: Claims = super()._clone()  # type: ignore[misc]  # QuerySet's own way to carry an attribute on
        made.size, made.plain = self.size, self.plain
        return made


def claims(size: Callable[[], int] | None = None, **conditions: Any) -> Claims:
    """All records, those that wait for their number included; `size` knows how many meet the conditions.

    By the order of coming in, because kind, subject and actor have indexes that end in it: a filter that leaves 300,000
    of a million rows sorts none of them. Numbers follow it but for claims that were made at the same moment.
    """
    rows = Claims(Intake).filter(**conditions)
    rows.size, rows.plain = size, len(rows.query.where.children)
    return rows.select_related("entry")


def by_number(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """`17`, `100-200`, `100-`: a range of numbers."""
    found = _RANGE.fullmatch(text)
    if found is None:
        return rows.none()
    low, high, only = found.groups()
    if only:
        return rows.filter(entry__seq=int(only))
    rows = rows.filter(entry__seq__gte=int(low)) if low else rows
    return rows.filter(entry__seq__lte=int(high)) if high else rows


def _midnight(text: str) -> datetime | None:
    try:
        day = datetime.strptime(text, "%Y-%m-%d")  # noqa: DTZ007 - its zone is the next line's
    except ValueError:
        return None
    if not 1 < day.year < 9999:  # its midnight, or the next, would be no moment
        return None
    return day.replace(tzinfo=ZoneInfo(timezone.get_default_timezone_name()))


def _size_before(at: datetime) -> int:
    return Head.objects.filter(at__lt=at).order_by("-number").values_list("size", flat=True).first() or 0


def since(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Numbered on this day or later; by the time of the signed heads, which nobody can set back."""
    day = _midnight(text)
    return rows.filter(entry__seq__gt=_size_before(day)) if day else rows.none()


def until(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Numbered on this day or before."""
    day = _midnight(text)
    return rows.filter(entry__seq__lte=_size_before(day + timedelta(days=1))) if day else rows.none()


def by_clause(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Records that cite just this clause."""
    if '"' in text or "\\" in text:
        return rows.none()
    found: QuerySet[Any] = rows.annotate(cited=Cast("clauses", TextField())).filter(cited__contains=f'"{text}"')
    return found


def kinds() -> Sequence[tuple[str, Any]]:
    """The kinds of records that have a word."""
    return sorted(((kind, str(word)) for kind, word in EVENTS.items()), key=lambda pair: pair[0])


@dataclass(frozen=True, slots=True)
class Row:
    """What a list shows of a record beside its columns."""

    artifacts: int
    about: list[str]


def read_bodies(rows: list[Any]) -> None:
    """Add to each row its number (None while it waits) and what only its body says."""
    for row in rows:
        entry = getattr(row, "entry", None)
        row.seq = entry.seq if entry is not None else None
        body = checking.body_of(row)
        data = body.get("data")
        about = data.get("about") if isinstance(data, dict) else None
        names = [str(name) for name in about] if isinstance(about, list) else []
        row.told = Row(len(checking.named(body)), names)


def address(row: Any) -> str:
    """The page of a record; one that waits for its number has none yet."""
    return f"/evidence/{row.seq}" if row.seq else "/evidence"


def what(intake: Intake) -> Any:
    """What a record tells of, in words, its code beneath."""
    said = words.event(intake.kind)
    return cells.name(said, note=intake.kind) if said != intake.kind else cells.name(said)


COLUMNS = (
    Column("seq", "№", lambda e: e.seq, lambda e: f"№ {e.seq}" if e.seq else _("待编号"), "lead"),
    Column("at", gettext_lazy("时间"), lambda e: e.at, lambda e: cells.stamp(e.at)),
    Column("kind", gettext_lazy("事项"), lambda e: words.event(e.kind), what),
    Column("subject", gettext_lazy("对象"), lambda e: e.subject, lambda e: cells.name(e.subject), "wide"),
    Column("actor", gettext_lazy("经办"), lambda e: e.actor, lambda e: cells.name(e.actor)),
    Column("clauses", gettext_lazy("条款"), lambda e: " ".join(e.clauses), lambda e: cells.clause(e.clauses)),
    Column("files", gettext_lazy("文件"), lambda e: e.told.artifacts, lambda e: cells.figure(e.told.artifacts), "num"),
)


FILTERS = (
    Filter("kind", gettext_lazy("事项"), lambda rows, text: rows.filter(kind=text), kinds),
    Filter("no", gettext_lazy("记录号"), by_number, hint=gettext_lazy("如 100-200")),
    Filter("from", gettext_lazy("编号日自"), since, hint="2026-11-01"),
    Filter("to", gettext_lazy("编号日至"), until, hint="2026-11-30"),
    Filter("subject", gettext_lazy("对象"), lambda rows, text: rows.filter(subject__contains=text)),
    Filter("actor", gettext_lazy("经办"), lambda rows, text: rows.filter(actor=text)),
    Filter("clause", gettext_lazy("条款"), by_clause),
)
LISTING = Listing(
    name="evidence",
    rows=lambda _request: claims(),
    columns=COLUMNS,
    order=("-id",),
    filters=FILTERS,
    link=address,
    attach=read_bodies,
)


@dataclass(frozen=True, slots=True)
class State:
    """The chain in figures: records under the newest head, claims that wait, the last push to each address."""

    head: Head | None
    waiting: int
    pushed: dict[str, tuple[datetime, int]]  # address → when, head number
    late: list[str]  # addresses whose last push is more than an hour old, or that never had one

    @property
    def size(self) -> int:
        return self.head.size if self.head else 0


def state(now: datetime) -> State:
    """Two statements."""
    unnumbered = Waiting.objects.values(one=Value(1)).annotate(n=Count("pk"))
    newest = Head.objects.annotate(waiting=Subquery(unnumbered.values("n"))).order_by("-number").first()
    waiting = (newest.waiting or 0) if newest else Waiting.objects.count()
    wanted = heads.addresses()
    rows = HeadPush.objects.filter(ok=True, address__in=wanted).values_list("address").annotate(Max("at"), Max("head"))
    pushed = {address: (at, number) for address, at, number in rows}
    begun = newest.at if newest else now
    late = [a for a in wanted if now - pushed.get(a, (begun, 0))[0] > heads.HOURLY] if newest else []
    return State(newest, waiting, pushed, late)


def sentence(chain: State, shown: Shown | None) -> list[tuple[str, str]]:
    """The state of the chain; a filter adds what it leaves."""
    if chain.head is None:
        return [(_("台账还没有记录"), "")]
    values: dict[str, tuple[object, str]] = {
        "n": (chain.size, "plain"),
        "head": (chain.head.number, "plain"),
        "late": (len(chain.late), "bad"),
    }
    if chain.late:
        text = _("台账 {n} 条记录，签名头逾期未送达甲方的地址有 {late} 处")
    elif not chain.pushed:
        text = _("台账 {n} 条记录，签名头 {head} 尚未送达甲方")
    else:
        at, number = max(chain.pushed.values())
        values |= {"at": (f"{timezone.localtime(at):%m-%d %H:%M}", "plain"), "sent": (number, "plain")}
        text = _("台账 {n} 条记录，最近送达甲方的是签名头 {sent}，{at}")
    if shown is not None and shown.chosen:
        values["found"] = (shown.total, "plain")
        text = _("{text}；筛选出 {found} 条").format(text=text, found="{found}")
    return words.pieces(text, values)


def account_of(request: HttpRequest) -> Account:
    """Who is looking; the gate lets nobody else in."""
    if not isinstance(request.user, Account):
        raise TypeError(request.user)
    return request.user


def taken_away(listing: Listing) -> Any:
    """What an export of a list leaves in the ledger: who took how much by which filter, and whom it is about."""

    def exported(request: HttpRequest, count: int) -> None:
        rows, chosen = filtered(listing, request)
        about = reading.actors(rows)
        chosen = {"page": listing.name, "format": request.GET.get("format", ""), **chosen}
        reading.of_list(chosen, count, about, reader=account_of(request).username, now=now_of_instance())

    return exported


def evidence(request: HttpRequest, *, problem: str = "", given: dict[str, str] | None = None) -> HttpResponseBase:
    """The page, or the list as a file."""
    now = now_of_instance()
    chain = state(now)
    context: dict[str, Any] = {
        "chain_state": chain,
        "fingerprint": fingerprint(),
        "problem": problem,
        "given": given or {"start": "", "end": ""},
        "most": BUNDLE_MAX,
    }
    response = show(
        request,
        replace(LISTING, rows=lambda _request: claims(lambda: chain.size + chain.waiting)),
        lambda shown: sentence(chain, shown),
        template="ledger/evidence.jinja",
        context=context,
        exported=taken_away(LISTING),
    )
    if problem:
        response.status_code = 400
    return response


def fingerprint() -> str:
    """The key's fingerprint; "" where this process may not read the key."""
    try:
        return keys.fingerprint()
    except LedgerError:
        return ""


@require_POST
def export_bundle(request: HttpRequest) -> HttpResponseBase:
    """A bundle for `verify.py`, as a download. Making it is a record of its own."""
    start, end = request.POST.get("start", "").strip()[:30], request.POST.get("end", "").strip()[:30]
    try:
        first, last = range_of(start, end)
        return _bundle(first, last, account_of(request).username)
    except YunweiError as error:
        return evidence(request, problem=str(error), given={"start": start, "end": end})


def range_of(start: str, end: str) -> tuple[int, int]:
    """Numbers or dates, mixed as one likes; an empty end is the newest record. Raises LedgerError."""
    newest = Head.objects.order_by("-number").values_list("size", flat=True).first() or 0
    first = _bound(start or "1", lambda day: _size_before(day) + 1)
    last = _bound(end, lambda day: _size_before(day + timedelta(days=1))) if end else newest
    if not newest or not 1 <= first <= last <= newest:
        raise LedgerError(_("这个范围里没有记录"), where=f"{first} – {last}", hint=_("台账共 {n} 条").format(n=newest))
    if last - first >= BUNDLE_MAX:
        command = f"yunwei evidence export --from {first} --to {last} --out FILE.zip"
        text = _("一次最多在网页上导出 {n} 条").format(n=BUNDLE_MAX)
        raise LedgerError(text, where=f"{first} – {last}", hint=command)
    return first, last


def _bound(text: str, of_day: Any) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    day = _midnight(text)
    if day is None:
        raise LedgerError(_("请填写记录号或日期"), where=text, hint="2026-11-01")
    return int(of_day(day))


def _bundle(first: int, last: int, actor: str) -> FileResponse:
    name = f"yunwei-evidence-{first}-{last}.zip"
    with tempfile.TemporaryDirectory(prefix="yunwei-bundle-") as folder:
        path = Path(folder) / name
        bundle.export(first, last, path, now=now_of_instance(), actor=actor)
        opened = path.open("rb")  # the open file outlives its name: nothing is left behind when the client leaves
    response = FileResponse(opened, as_attachment=True, filename=name, content_type="application/zip")
    response["X-Content-Type-Options"] = "nosniff"
    return response
