"""One record: what it says, why it cannot have been changed, its files; and everything computed again on demand.

Opening a record or a file leaves a record of its own, once a day and reader (ledger/reading.py).
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from yunwei.ledger import artifacts as files
from yunwei.ledger import checking, reading, tree
from yunwei.ledger.errors import LedgerError
from yunwei.ledger.models import Artifact, Entry, Intake
from yunwei.ledger.web.evidence import account_of, fingerprint
from yunwei.ledger.web.people import named_in
from yunwei.ui import words
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.context import page

#: characters of a file shown on the page; the rest is in the download
SHOWN = 60_000
#: bytes of a file that is laid out as JSON before it is shown
LAID_OUT = 2_000_000
#: records of the same subject listed beside
SAME = 8
#: pictures that a browser draws without running anything, by the bytes they begin with; SVG is text
PICTURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


@dataclass(frozen=True, slots=True)
class File:
    """An artifact as the record names it. `gone`: the record that removed it by law, with its reason."""

    commitment: str
    media_type: str
    size: int
    there: bool
    gone: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Other:
    """Another record of the same subject."""

    seq: int
    at: datetime
    what: str


def entry_of(number: int) -> Entry:
    """The record of a number. Raises Http404."""
    entry = Entry.objects.select_related("intake").filter(seq=number).first() if number < 1 << 62 else None
    if entry is None:
        raise Http404
    return entry


@require_safe
def one(request: HttpRequest, number: int) -> HttpResponse:
    """The record's page."""
    return _page(request, entry_of(number), steps=None)


@require_safe
def check(request: HttpRequest, number: int) -> HttpResponse:
    """Everything computed again, here and now: a fragment, or the whole page where no script runs."""
    entry = entry_of(number)
    steps = checking.check(entry)
    if not request.headers.get("HX-Request"):
        return _page(request, entry, steps=steps)
    _leave_record(request, entry, checking.body_of(entry.intake))
    return page(request, "ledger/checked.jinja", _checked(entry, steps), here="evidence")


def _checked(entry: Entry, steps: list[checking.Step]) -> dict[str, Any]:
    return {
        "steps": steps,
        "entry": entry,
        "bad": sum(step.holds is False for step in steps),
        "held": sum(step.holds is True for step in steps),
        "checked_at": now_of_instance(),
        "fingerprint": fingerprint(),
    }


def _leave_record(request: HttpRequest, entry: Entry, body: dict[str, Any]) -> None:
    reading.of_record(entry.seq, named_in(body), reader=account_of(request).username, now=now_of_instance())


def _page(request: HttpRequest, entry: Entry, steps: list[checking.Step] | None) -> HttpResponse:
    intake = entry.intake
    body = checking.body_of(intake)
    _leave_record(request, entry, body)
    proof = checking.proof_of(entry)
    pretty = json.dumps(body, ensure_ascii=False, indent=2) if body else bytes(intake.body).decode("utf-8", "replace")
    context: dict[str, Any] = {
        "entry": entry,
        "intake": intake,
        "pretty": pretty[:SHOWN],
        "readable": bool(body),
        "hidden": max(len(pretty) - SHOWN, 0),
        "leaf": bytes(entry.leaf).hex(),
        "proof": proof,
        "path": _path(entry, proof),
        "held": checking.held_by_client(entry.seq),
        "files": _files(body),
        "same": _same(intake),
        "before": entry.seq - 1 if entry.seq > 1 else None,
        "after": entry.seq + 1 if Entry.objects.filter(seq=entry.seq + 1).exists() else None,
        "checked": _checked(entry, steps) if steps is not None else None,
        "fingerprint": fingerprint(),
        "event": words.event(intake.kind),
    }
    at = f"{timezone.localtime(intake.at):%Y-%m-%d %H:%M:%S}"
    title = _("第 {n} 号记录：{what}，{at}").format(n=entry.seq, what=context["event"], at=at)
    return page(request, "ledger/record.jinja", context, here="evidence", title=title)


def _path(entry: Entry, proof: checking.Proof | None) -> list[tuple[str, str]]:
    """The proof as lines: (which leaves a hash covers, the hash)."""
    if proof is None:
        return []
    index, size = entry.seq - 1, proof.head.size
    before = [(_span(level, at), node) for (level, at), node in zip(tree.cover(0, index), proof.peaks, strict=True)]
    behind = [
        (_span(level, at), node) for (level, at), node in zip(tree.cover(index + 1, size), proof.cover, strict=True)
    ]
    own = (_("本记录 {n}").format(n=entry.seq), bytes(entry.leaf))
    return [(name, node.hex()) for name, node in [*before, own, *behind]]


def _span(level: int, index: int) -> str:
    first, last = (index << level) + 1, (index + 1) << level
    return f"{first}" if first == last else f"{first}–{last}"


def _files(body: dict[str, Any]) -> list[File]:
    said = checking.named(body)
    commitments = [one["commitment"] for one in said]
    rows = {a.commitment: a for a in Artifact.objects.filter(commitment__in=commitments)}
    removed = [c for c in commitments if c in rows and rows[c].redacted_at is not None]
    gone = {i.subject: i for i in Intake.objects.filter(kind="ledger.redacted", subject__in=removed)} if removed else {}
    out = []
    for one in said:
        commitment, artifact = one["commitment"], rows.get(one["commitment"])
        there = artifact is not None and artifact.redacted_at is None
        tombstone = _tombstone(artifact, gone.get(commitment)) if artifact is not None and not there else None
        size = one["size"] if isinstance(one.get("size"), int) else 0
        out.append(File(commitment, str(one.get("media_type", ""))[:100], size, there, tombstone))
    return out


def _tombstone(artifact: Artifact, removal: Intake | None) -> dict[str, Any]:
    """When, why, by what law and by which record a file was removed; a removal without a record says so."""
    data = reading.told(removal) if removal is not None else {}
    number = Entry.objects.filter(intake=removal).values_list("seq", flat=True).first() if removal else None
    return {
        "at": artifact.redacted_at,
        "reason": str(data.get("reason", "")),
        "basis": str(data.get("basis", "")),
        "actor": removal.actor if removal else "",
        "seq": number,
    }


def _same(intake: Intake) -> list[Other]:
    rows = Intake.objects.filter(subject=intake.subject, entry__isnull=False).exclude(pk=intake.pk)
    found = rows.annotate(seq=F("entry__seq")).order_by("-id")[:SAME]
    return [Other(i.seq, i.at, words.event(i.kind)) for i in found]


@require_safe
def body(request: HttpRequest, number: int) -> HttpResponse:
    """The bytes that are hashed, as a file."""
    entry = entry_of(number)
    _leave_record(request, entry, checking.body_of(entry.intake))
    return _download(bytes(entry.intake.body), f"record-{number}.json", "application/octet-stream")


def _download(content: bytes, name: str, content_type: str) -> HttpResponse:
    """Never shown by the browser as a page: an attachment of a fixed type."""
    response = HttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name) or ""
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


def _artifact(request: HttpRequest, number: int, commitment: str) -> tuple[Artifact, dict[str, Any]]:
    """An artifact by way of the record whose hashed body names it, and the record of its being opened. Raises Http404."""
    if not files.is_digest(commitment):
        raise Http404
    entry = entry_of(number)
    said = checking.body_of(entry.intake)
    artifact = Artifact.objects.filter(commitment=commitment).first()
    if artifact is None or commitment not in {one["commitment"] for one in checking.named(said)}:
        raise Http404
    reader = account_of(request).username
    reading.of_artifact(commitment, number, named_in(said), reader=reader, now=now_of_instance())
    return artifact, said


def picture(content: bytes) -> str:
    """The type of a picture that may be drawn, "" for anything else."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in PICTURES if content.startswith(start)), "")


@require_safe
def artifact(request: HttpRequest, number: int, commitment: str) -> HttpResponse:
    """A file, always as an attachment; its type is ours, not the sender's."""
    found, _said = _artifact(request, number, commitment)
    try:
        content = files.read(found)
    except LedgerError as error:
        context = {"commitment": commitment, "number": number, "problem": str(error), "preview": None}
        response = page(request, "ledger/artifact.jinja", context, here="evidence", title=_("这份文件读不出来"))
        response.status_code = 410 if found.redacted_at is not None else 409
        return response
    kind = picture(content)
    return _download(content, f"{commitment[:16]}{_suffix(found.media_type, kind)}", kind or "application/octet-stream")


def _suffix(media_type: str, kind: str) -> str:
    known = {
        "application/json": ".json", "application/yaml": ".yaml", "application/pdf": ".pdf", "text/csv": ".csv",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    }  # fmt: skip
    if kind:
        return "." + kind.removeprefix("image/")
    plain = media_type.split(";", maxsplit=1)[0].strip()
    return known.get(plain, ".txt" if plain.startswith("text/plain") else ".bin")


@require_safe
def preview(request: HttpRequest, number: int, commitment: str) -> HttpResponse:
    """A file's content as text or as a picture; everything else is for the download."""
    found, _said = _artifact(request, number, commitment)
    context: dict[str, Any] = {"commitment": commitment, "number": number, "problem": "", "preview": None}
    try:
        context["preview"] = shown(files.read(found), reverse("evidence-artifact", args=[number, commitment]))
    except LedgerError as error:
        context["problem"] = str(error)
    template = "ledger/preview.jinja" if request.headers.get("HX-Request") else "ledger/artifact.jinja"
    title = _("第 {n} 号记录的文件").format(n=number)
    return page(request, template, context, here="evidence", title=title)


def shown(content: bytes, address: str) -> dict[str, Any]:
    """What can be shown of a content without running it: `text` (escaped by the template), `picture` (an address)."""
    if picture(content):
        return {"text": "", "picture": address, "hidden": 0}
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return {"text": "", "picture": "", "hidden": 0}
    if "\x00" in text:
        return {"text": "", "picture": "", "hidden": 0}
    if len(content) <= LAID_OUT and text[:1] in "{[":
        with contextlib.suppress(ValueError, RecursionError):
            text = json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    return {"text": text[:SHOWN], "picture": "", "hidden": max(len(text) - SHOWN, 0)}
