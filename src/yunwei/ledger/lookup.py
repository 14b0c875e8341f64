"""By hash only: is this digest committed in the ledger? What may be asked without a login, and what is answered.

Asked may be what nobody can guess: a salted commitment, the hash or the root of a signed head, and the plain digest of a
document that we issued to be shown around (ISSUED). The plain digest of anything else is not answered: the content of a
ticket or an answer is short enough to be guessed, and a "yes" would confirm the guess. The answer holds numbers and
times, never content, subject, kind or a name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db.models import Q

from yunwei.ledger import artifacts, checking
from yunwei.ledger.models import Entry, Head, Intake, Mention

#: kinds of records whose artifacts are documents made to be handed out, by the first word of the kind
ISSUED = ("reports.",)


class What(StrEnum):
    """What a digest turned out to be."""

    DOCUMENT = "document"
    ARTIFACT = "artifact"
    HEAD = "head"


@dataclass(frozen=True, slots=True)
class Found:
    """What may be told: kind of digest, number and time of its record (none for a head), the head and whether its
    signature and the record's place under it were computed to hold; None while no head covers it."""

    what: What
    seq: int | None
    at: datetime | None
    head: int | None
    head_at: datetime | None
    head_size: int | None
    holds: bool | None


def find(digest: str) -> Found | None:
    """What this digest is, None when it is nothing that may be told."""
    if not artifacts.is_digest(digest):
        return None
    return _head(digest) or _artifact(digest)


def _head(digest: str) -> Found | None:
    head = Head.objects.filter(Q(hash=digest) | Q(root=bytes.fromhex(digest))).order_by("number").first()
    if head is None:
        return None
    return Found(What.HEAD, None, None, head.number, head.at, head.size, checking.signed(head))


def _artifact(digest: str) -> Found | None:
    issued = Q()
    for word in ISSUED:
        issued |= Q(intake__kind__startswith=word)
    by_commitment = Q(artifact__commitment=digest)
    by_content = Q(artifact__content_hash=digest, artifact__redacted_at__isnull=True) & issued
    found = Mention.objects.filter(by_commitment | by_content).select_related("artifact").order_by("intake_id").first()
    if found is None:
        return None
    what = What.ARTIFACT if found.artifact.commitment == digest else What.DOCUMENT
    intake = Intake.objects.get(pk=found.intake_id)
    entry = Entry.objects.filter(intake=intake).first()
    # the table only finds; the hashed body must name it
    if found.artifact.commitment not in {a["commitment"] for a in checking.named(checking.body_of(intake))}:
        return None
    if entry is None:
        return Found(what, None, intake.at, None, None, None, None)
    proof = checking.proof_of(entry)
    if proof is None:
        return Found(what, entry.seq, intake.at, None, None, None, None)
    holds = checking.included(entry, proof) and checking.signed(proof.head)
    return Found(what, entry.seq, intake.at, proof.head.number, proof.head.at, proof.head.size, holds)
