"""Lists: filters that live in the URL, keyset paging, and an export of just what the filter shows.

A list costs the same number of SQL statements whatever the size of its table: one count, one page of rows, and what
`attach` adds for the page's rows at once. Keyset paging: a page begins after the last row of the one before, by the
order's values, so that page 200 costs what page 1 costs and a row that is added meanwhile shifts nothing.
"""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from yunwei.ui.context import page as render_page

PER_PAGE = 50
#: rows fetched at once by an export
CHUNK = 500
XLSX_ROWS = 1_000_000
#: how a text begins that a spreadsheet runs; some take the full-width forms that a Chinese keyboard gives, too
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `value` gives what an export writes (and what is shown, unless `cell` gives HTML)."""

    key: str
    title: Any
    value: Callable[[Any], Any]
    cell: Callable[[Any], Any] | None = None
    kind: str = ""  # "num": right, tabular; "wide": takes the room; "lead": the row's name (a header cell); "file": only in the export
    sparse: bool = False  # not shown where no row of the page has it: a column of dashes tells nothing


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter: `apply` narrows the rows by the text in the URL; with `choices` it is a menu, else a search field."""

    key: str
    title: Any
    apply: Callable[[QuerySet[Any], str], QuerySet[Any]]
    choices: Callable[[], Sequence[tuple[str, Any]]] | None = None
    hint: Any = ""


def _nothing(_rows: list[Any]) -> None:
    """Nothing is added to the rows."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list. `rows(request)` holds the permission (whose rows one may see); `order` ends in a unique field and names
    fields that are never null, of the row ("-opened_at") or a related one ("asset__code")."""

    name: str  # of its URL
    rows: Callable[[HttpRequest], QuerySet[Any]]
    columns: Sequence[Column]
    order: Sequence[str]
    filters: Sequence[Filter] = ()
    link: Callable[[Any], str] | None = None
    attach: Callable[[list[Any]], None] = _nothing
    per_page: int = PER_PAGE


@dataclass(frozen=True, slots=True)
class Shown:
    """One page of a list, for the template."""

    listing: Listing
    rows: list[Any]
    total: int
    chosen: dict[str, str]
    options: dict[str, Sequence[tuple[str, Any]]]
    next: str  # query string of the next page, "" on the last
    first: str  # query string of the first page, "" on the first
    csv: str
    xlsx: str

    @property
    def columns(self) -> list[Column]:
        """The columns that the page shows; an export has them all."""
        return [
            c
            for c in self.listing.columns
            if c.kind != "file" and (not c.sparse or any(c.value(r) not in (None, "", 0) for r in self.rows))
        ]


def filtered(listing: Listing, request: HttpRequest) -> tuple[QuerySet[Any], dict[str, str]]:
    """The rows that the URL's filters leave, in order, and the filters that are set."""
    rows, chosen = listing.rows(request), {}
    for one in listing.filters:
        text = request.GET.get(one.key, "").strip()[:200]
        if text and "\x00" not in text:
            rows = one.apply(rows, text)
            chosen[one.key] = text
    return rows.order_by(*listing.order), chosen


def _column(order: str) -> tuple[str, bool]:
    return order.lstrip("-"), order.startswith("-")


def _value(row: Any, name: str) -> Any:
    for part in name.split("__"):
        row = getattr(row, part)
    return row


def cursor_of(order: Sequence[str], row: Any) -> str:
    """Where a page ends, as text for a URL."""
    said = [_plain(_value(row, _column(o)[0])) for o in order]
    return base64.urlsafe_b64encode(json.dumps(said, ensure_ascii=False).encode()).decode().rstrip("=")


def after(rows: QuerySet[Any], order: Sequence[str], cursor: str) -> QuerySet[Any]:
    """The rows behind a cursor. Raises Http404 for a cursor that is none."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(values, list) or len(values) != len(order):
            raise ValueError
        behind = Q()
        same = Q()
        for one, value in zip(order, values, strict=True):
            name, down = _column(one)
            found = _back(rows, name, value)
            behind |= same & Q(**{f"{name}__{'lt' if down else 'gt'}": found})
            same &= Q(**{name: found})
        return rows.filter(behind)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:  # whatever somebody wrote in its place
        raise Http404 from error


def _back(rows: QuerySet[Any], name: str, value: Any) -> Any:
    """A value out of a cursor as its field has it. Raises ValueError or OverflowError for what no row holds, because a
    database would refuse it only later, when the rows are read."""
    model: Any = rows.model
    parts = name.split("__")
    for part in parts[:-1]:
        model = model._meta.get_field(part).related_model  # noqa: SLF001 - Django's documented API
    kind = model._meta.get_field(parts[-1]).get_internal_type()  # noqa: SLF001 - Django's documented API
    if not isinstance(value, (str, int)) or "\x00" in str(value):
        raise ValueError
    str(value).encode()  # a lone surrogate has no bytes
    if kind == "DateTimeField":
        return datetime.fromisoformat(str(value)).astimezone(UTC)
    if kind == "DateField":
        return date.fromisoformat(str(value))
    return value


def _plain(value: Any) -> Any:
    return (
        value.isoformat()
        if isinstance(value, (datetime, date))
        else str(value)
        if isinstance(value, Decimal)
        else value
    )


def read(listing: Listing, request: HttpRequest) -> Shown:
    """One page of rows as the URL asks."""
    rows, chosen = filtered(listing, request)
    total = rows.count()
    cursor = request.GET.get("after", "")
    if cursor:
        rows = after(rows, listing.order, cursor)
    found = list(rows[: listing.per_page + 1])
    more, found = len(found) > listing.per_page, found[: listing.per_page]
    listing.attach(found)
    query = request.GET.copy()
    for key in [k for k in query if k not in chosen]:
        del query[key]

    def with_(**added: str) -> str:
        changed = query.copy()
        for key, value in added.items():
            changed[key] = value
        return "?" + changed.urlencode()

    return Shown(
        listing,
        found,
        total,
        chosen,
        {f.key: f.choices() for f in listing.filters if f.choices},
        with_(after=cursor_of(listing.order, found[-1])) if more else "",
        with_() if cursor else "",
        with_(format="csv"),
        with_(format="xlsx"),
    )


def show(
    request: HttpRequest,
    listing: Listing,
    sentence: Callable[[Shown], Any],
    *,
    template: str = "listing.jinja",
    context: dict[str, Any] | None = None,
    exported: Callable[[HttpRequest, int], None] | None = None,
) -> HttpResponseBase:
    """The list as a page, or as a file when the URL says `format`. `sentence(shown)` is the title that answers;
    `exported` is told of an export before it begins (reading evidence is evidence)."""
    form = request.GET.get("format", "")
    if form in ("csv", "xlsx"):
        rows, _chosen = filtered(listing, request)
        if exported is not None:
            exported(request, rows.count())
        return export(listing, rows, form)
    shown = read(listing, request)
    extra = {"shown": shown, "sentence": sentence(shown), "filtered": bool(shown.chosen)}
    return render_page(request, template, extra | (context or {}), here=listing.name)


def export(listing: Listing, rows: QuerySet[Any] | list[Any], form: str) -> HttpResponseBase:
    """All filtered rows as CSV (streamed) or XLSX."""
    stamp = timezone.localtime().strftime("%Y%m%d-%H%M")
    filename = f"{listing.name}-{stamp}.{form}"
    if form == "csv":
        response: HttpResponseBase = StreamingHttpResponse(_csv(listing, rows), content_type="text/csv; charset=utf-8")
    else:
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        response = HttpResponse(_xlsx(listing, rows), content_type=kind)
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=filename) or ""
    return response


def _chunks(listing: Listing, rows: QuerySet[Any] | list[Any]) -> Iterator[list[Any]]:
    """By keyset, so that an export of any size holds one chunk in memory and shows rows once. Rows that are no table's (the
    obligations of the contract) come as a list and are one chunk."""
    if isinstance(rows, list):
        listing.attach(rows)
        yield rows
        return
    part = list(rows[:CHUNK])
    while part:
        listing.attach(part)
        yield part
        part = list(after(rows, listing.order, cursor_of(listing.order, part[-1]))[:CHUNK])


def _cells(listing: Listing, row: Any) -> list[Any]:
    return [_safe(c.value(row)) for c in listing.columns]


def _safe(value: Any) -> Any:
    """A cell that a spreadsheet takes for text: one that begins like a formula would be run by Excel (CSV injection)."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return timezone.localtime(value).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, (bool, int, float, Decimal)):
        return value
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _csv(listing: Listing, rows: QuerySet[Any] | list[Any]) -> Iterator[str]:
    yield "\ufeff"  # Excel reads UTF-8 only with it
    yield _line([str(c.title) for c in listing.columns])
    for part in _chunks(listing, rows):
        yield "".join(_line(_cells(listing, row)) for row in part)


def _line(values: Iterable[Any]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(values)
    return out.getvalue()


def _xlsx(listing: Listing, rows: QuerySet[Any] | list[Any]) -> bytes:
    from openpyxl import Workbook
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = Workbook(write_only=True)
    sheet = book.create_sheet(listing.name[:31])
    sheet.append([str(c.title) for c in listing.columns])
    count = 0
    for part in _chunks(listing, rows):
        for row in part:
            count += 1
            if count > XLSX_ROWS:
                break
            cells = _cells(listing, row)
            sheet.append([ILLEGAL_CHARACTERS_RE.sub("", c) if isinstance(c, str) else c for c in cells])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def contains(*names: str) -> Callable[[QuerySet[Any], str], QuerySet[Any]]:
    """A filter: the text stands in one of these fields."""

    def apply(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        wanted = Q()
        for name in names:
            wanted |= Q(**{f"{name}__icontains": text})
        return rows.filter(wanted)

    return apply


def equals(name: str) -> Callable[[QuerySet[Any], str], QuerySet[Any]]:
    """A filter: the field is just this; a text that the field cannot hold leaves nothing."""

    def apply(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        try:
            return rows.filter(**{name: text})
        except (ValueError, TypeError):
            return rows.none()

    return apply


def say_total(shown: Shown, one: str, none: str) -> str:
    """The plain sentence: `one` with {n}, or `none`; tells when a filter narrows it."""
    if not shown.total:
        return _("没有符合筛选条件的记录") if shown.chosen else none
    return one.format(n=shown.total)
