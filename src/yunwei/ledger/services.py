"""What other rooms call: record, sequence, store, redact, and the questions about numbers and heads.

Writers call `record` in the transaction of the state change. One sequencer at a time turns what was recorded into
numbered entries and signs a head: that is the group commit. "Acknowledged" means numbered and on disk (the settings
make both databases flush at commit), and `acknowledge` is how a caller gets there.

A clock set back: nothing is refused, because evidence that is not taken in is worse than evidence with a doubtful time.
But a head's time never runs backward: it repeats the last head's, the head carries the true reading as `clock`, and the
onset and the end of it are entries of their own, so the client sees both.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from yunwei.gm import sm3
from yunwei.kernel.canonical import canonical
from yunwei.ledger import artifacts as files
from yunwei.ledger import keys, proofs, rows, tree
from yunwei.ledger.artifacts import store
from yunwei.ledger.errors import LedgerError
from yunwei.ledger.models import Artifact, Entry, Head, Intake, Mention, Node, Waiting

__all__ = ["acknowledge", "head", "number_of", "record", "redact", "sequence", "store"]

JSON = Any
#: Intakes per transaction: bounds how long the write lock is held (about 0.1 s).
BATCH = 2000
#: Sequencers in several processes read their clocks before they get the lock; less than this is no clock set back.
CLOCK_TOLERANCE = timedelta(seconds=5)
#: PostgreSQL advisory lock of the one sequencer: "yunwei" in ASCII.
LOCK = 0x79756E776569
GENESIS = "0" * 64


@lru_cache(maxsize=64)  # what one act records, it records at one moment
def stamp(at: datetime) -> str:
    """A time as entries and heads write it: UTC, microseconds, Z. Raises LedgerError for a naive time."""
    if at.tzinfo is not UTC:
        if at.tzinfo is None:
            raise LedgerError(_("时间必须带时区"), where=str(at))
        at = at.astimezone(UTC)
    return at.isoformat(timespec="microseconds")[:26] + "Z"


def record(
    kind: str,
    subject: str,
    data: Mapping[str, JSON],
    *,
    at: datetime,
    actor: str,
    clauses: Sequence[str] = (),
    artifacts: Sequence[Artifact] = (),
) -> Intake:
    """Take a claim in, inside the caller's transaction, so that it is kept exactly when the state change is.

    Raises LedgerError outside of a transaction, CanonicalError for data that has no canonical JSON form.
    """
    here = rows.here()
    if not here.in_atomic_block:
        raise LedgerError(_("台账只能在事务中登记"), where=kind, hint="transaction.atomic()")
    if not kind or not subject or not actor:
        raise LedgerError(_("台账登记缺少类别、对象或经办人"), where=kind or subject)
    moment = stamp(at)
    body = canonical(
        {
            "v": 1,
            "kind": kind,
            "subject": subject,
            "actor": actor,
            "at": moment,
            "clauses": list(clauses),
            "data": data,
            "artifacts": [{"commitment": a.commitment, "media_type": a.media_type, "size": a.size} for a in artifacts],
        }
    )
    intake = rows.add_intake(
        here, kind=kind, subject=subject, actor=actor, at=at, stamp=moment, clauses=clauses, body=body
    )
    if artifacts:
        Mention.objects.bulk_create(Mention(artifact=a, intake=intake) for a in artifacts)
    return intake


def sequence(now: datetime) -> int:
    """Number, hash and sign what intake holds; returns how many entries that made. The only writer of the log.

    Two at once do no harm: they queue for one lock. Raises LedgerError inside a caller's transaction (numbers would
    be given that a rollback takes back) and when the key is missing or the self-test fails; intake then waits on.
    """
    total = 0
    while rows.any_waiting():
        made = _batch(now)
        total += made
        if made < BATCH:
            break
    return total


def beat(now: datetime) -> Head:
    """Sequence, and sign a head even when nothing was waiting: a quiet hour is a statement too."""
    while _batch(now, quiet=True) == BATCH:
        pass
    newest = head()
    if newest is None:  # cannot be: a quiet batch signs
        raise LedgerError(_("台账没有签名头"))
    return newest


def _batch(now: datetime, *, quiet: bool = False) -> int:
    """One transaction of the sequencer; `quiet` signs a head even without a new entry."""
    if connection.in_atomic_block and not getattr(connection.atomic_blocks[-1], "_from_testcase", False):
        raise LedgerError(_("定序不能在事务中进行"))
    with transaction.atomic(durable=True):
        lock()
        last = head()
        _mark_clock(last, now)
        waiting, gone = rows.waiting(BATCH)
        while gone:
            _mark_gone(gone, now)
            waiting, gone = rows.waiting(BATCH)
        if not waiting and not quiet:
            return 0
        _close(last, waiting, now)
    return len(waiting)


def lock() -> None:
    """Let one sequencer in, until the transaction ends."""
    if connection.vendor == "postgresql":  # SQLite: the settings' IMMEDIATE lets one writer in
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def _close(
    last: Head | None, waiting: list[tuple[int, bytes]], now: datetime, restored: Mapping[str, JSON] | None = None
) -> Head:
    """Number what waits and sign a head over it."""
    size, peaks = _resume(last)
    entries, nodes = _grow(waiting, size, peaks)
    rows.number(entries)
    Node.objects.bulk_create(nodes, batch_size=500)
    return _sign(last, size + len(entries), peaks, now, restored)


def go_on(intake: Intake, restored: Mapping[str, JSON] | None, now: datetime) -> Head:
    """Number just this record, first of all that wait, and sign the head that goes on after a restore (`restored` module).

    Inside the caller's transaction, which must hold the sequencer's lock.
    """
    return _close(head(), [(intake.pk, bytes(intake.body))], now, restored)


def _resume(last: Head | None) -> tuple[int, list[bytes]]:
    """The tree as the last head left it. Raises LedgerError when its stored peaks do not give its root."""
    if last is None:
        return 0, []
    raw = bytes(last.peaks)
    peaks = [raw[i : i + 32] for i in range(0, len(raw), 32)]
    if tree.fold(peaks) != bytes(last.root) or len(peaks) != last.size.bit_count():
        raise LedgerError(_("台账的存储状态与签名头不符，拒绝续写"), where=str(last), hint="yunwei evidence verify")
    return last.size, peaks


def _grow(
    waiting: list[tuple[int, bytes]], size: int, peaks: list[bytes]
) -> tuple[list[tuple[int, int, bytes]], list[Node]]:
    """The new entries (number, intake id, leaf hash) and inner nodes; `peaks` grow in place."""
    entries, nodes = [], []
    for at, (pk, body) in enumerate(waiting, size):
        leaf = tree.leaf_hash(body)
        entries.append((at + 1, pk, leaf))
        for level, index, value in tree.add(peaks, at, leaf):
            if level >= proofs.LOW:
                nodes.append(Node(level=level, index=index, hash=value))
    return entries, nodes


def _sign(
    last: Head | None, size: int, peaks: list[bytes], now: datetime, restored: Mapping[str, JSON] | None = None
) -> Head:
    """Sign and store the head of the tree with these peaks; its time is never before the last head's.

    With `restored`, the head follows one that this database no longer holds: its number and `prev` go on from that one.
    """
    key, root = keys.signer(), tree.fold(peaks)
    at = now if last is None else max(now, last.at)
    number = 1 if last is None else last.number + 1
    facts: dict[str, JSON] = {
        "v": 1,
        "number": number,
        "size": size,
        "root": root.hex(),
        "prev": GENESIS if last is None else last.hash,
        "at": stamp(at),
        "key": key.public.fingerprint,
    }
    if restored is not None:
        number = facts["number"] = restored["old"]["number"] + 1
        facts["prev"], facts["restored"] = restored["old"]["hash"], dict(restored)
    if last is not None and now < last.at - CLOCK_TOLERANCE:
        facts["clock"] = stamp(now)
    if getattr(settings, "YUNWEI", {}).get("demo"):
        facts["demo"] = True
    body = canonical(facts)
    signature = key.sign(body)
    return Head.objects.create(
        number=number,
        size=size,
        root=root,
        prev=facts["prev"],
        at=at,
        key_id=key.public.fingerprint,
        body=body,
        signature=signature,
        hash=sm3.digest_parts([body, signature]).hex(),
        peaks=b"".join(peaks),
    )


def _mark_clock(last: Head | None, now: datetime) -> None:
    """Make an entry of the moment the clock was found behind the ledger, and of the moment it caught up."""
    if last is None:
        return
    behind, was_behind = now < last.at - CLOCK_TOLERANCE, b'"clock":' in bytes(last.body)
    if behind and not was_behind:
        kind = "ledger.clock.back"
    elif was_behind and now >= last.at:
        kind = "ledger.clock.recovered"
    else:
        return
    record(kind, "ledger", {"clock": stamp(now), "head": stamp(last.at)}, at=now, actor="system:sequencer")


def _mark_gone(gone: list[int], now: datetime) -> None:
    """Make an entry of each claim that was committed and deleted before it had a number; what it said nobody can tell."""
    for pk in gone:
        record("ledger.claim.gone", f"intake:{pk}", {"intake": pk}, at=now, actor="system:sequencer")
    Waiting.objects.filter(pk__in=gone).delete()


def head() -> Head | None:
    """The newest head; None while nothing was ever sequenced."""
    return Head.objects.order_by("-number").first()


def number_of(intake_id: int) -> int | None:
    """The number of a recorded claim; None while it waits."""
    return Entry.objects.filter(intake_id=intake_id).values_list("seq", flat=True).first()


def numbers_of(intakes: Iterable[int | None]) -> dict[int, int]:
    """The numbers of recorded claims by intake id, in one statement for every 500; what waits or is None is left out."""
    ids = [pk for pk in intakes if pk]
    found: dict[int, int] = {}
    for start in range(0, len(ids), 500):
        rows = Entry.objects.filter(intake_id__in=ids[start : start + 500])
        found.update(rows.values_list("intake_id", "seq"))
    return found


def acknowledge(intake_id: int, now: datetime, *, timeout: float = 30.0) -> int:
    """The number of a committed claim, sequenced by us or by whoever is faster: from then on it survives a power cut.

    Raises LedgerError when the claim was never committed, or still has no number after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        number = number_of(intake_id)
        if number is not None:
            return number
        if not Intake.objects.filter(pk=intake_id).exists():
            raise LedgerError(_("这条登记没有提交"), where=str(intake_id))
        if time.monotonic() > deadline:
            raise LedgerError(_("登记在时限内没有取得编号"), where=str(intake_id))
        sequence(now)


def redact(
    artifact: Artifact, reason: str, *, at: datetime, actor: str, basis: str = "", clauses: Sequence[str] = ()
) -> Intake:
    """Remove an artifact's content by law, inside the caller's transaction, and leave a tombstone and an entry.

    `reason` is shown to the client, `basis` names the law or decision. The file goes when the transaction commits; if
    the process dies in between, `finish_redactions` does it. Raises LedgerError when it is redacted already.
    """
    if not reason.strip():
        raise LedgerError(_("删除证据文件必须写明理由"), where=artifact.commitment)
    if not Artifact.objects.filter(pk=artifact.pk, redacted_at__isnull=True).update(redacted_at=at):
        raise LedgerError(_("该证据文件已经删除过"), where=artifact.commitment)
    artifact.redacted_at = at
    data = {"commitment": artifact.commitment, "reason": reason, "basis": basis, "size": artifact.size}
    intake = record("ledger.redacted", artifact.commitment, data, at=at, actor=actor, clauses=clauses)
    transaction.on_commit(finish_redactions)
    return intake


def finish_redactions() -> int:
    """Delete the files of redacted artifacts and forget their hash and salt; returns how many. Safe to repeat."""
    done = 0
    for row in Artifact.objects.filter(redacted_at__isnull=False).exclude(content_hash=""):
        alive = Artifact.objects.filter(content_hash=row.content_hash, redacted_at__isnull=True).exists()
        if not alive:  # the same content, stored anew after the redaction, has its own right to its file
            files.path_of(row.content_hash).unlink(missing_ok=True)
        done += Artifact.objects.filter(pk=row.pk).update(content_hash="", salt=b"")
    return done
