"""A ledger that was restored from a backup says so, signed, and the client answers (ADR 13).

Records that were numbered after the backup are gone. The newest head that is known outside, `old`, still covers them, so a
restored ledger that simply went on would look like a cut one, and rightly. `declare` writes the record that names the old
head, how many records it covered that are gone, why and who says so, as the first record after what was kept; and signs
the head over just it. That head goes on from the *old* head (its number, its hash), so no number is used twice, and says
which head of ours the tree goes on from. The client compares it with the heads it holds (`verify.py`), and acknowledges
it or does not (`answer`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from django.db import transaction
from django.utils.translation import gettext as _

from yunwei.gm import sm3
from yunwei.gm.errors import GmError
from yunwei.ledger import heads, keys, services
from yunwei.ledger.errors import LedgerError
from yunwei.ledger.models import Entry, Head, Restored

JSON = Any
KIND = "ledger.restored"
ANSWERS = {True: "ledger.restored.acknowledged", False: "ledger.restored.refused"}
#: characters of a reason
MOST = 1000
#: roles that answer for 甲方, as elsewhere between the parties (contract.closings.SIGNERS; that room stands below this one)
SIGNERS = frozenset({"a_leader", "a_manager"})


class Person(Protocol):
    """What this room needs to know of an account; accounts stand below it."""

    @property
    def username(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def party(self) -> str: ...
    @property
    def is_active(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Outside:
    """A head as somebody outside holds it, its signature checked."""

    number: int
    size: int
    root: str
    at: datetime
    hash: str


def outside(paths: Iterable[Path]) -> Outside | None:
    """The newest of the head files that are named or lie in folders that are named; None when there is none.

    Raises LedgerError for one that is not signed by this instance's key: it cannot be the ledger's own.
    """
    newest: Outside | None = None
    for path in paths:
        for file in _files(path):
            told = _read(file)
            if newest is None or told.number > newest.number:
                newest = told
    return newest


def _files(path: Path) -> list[Path]:
    """Of a folder only the two that may be the newest: names carry size and number, and both only grow but for a restore."""
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("head-*-*.json"), key=lambda p: p.stem.rpartition("-")[2])
    return found[-1:]


def _read(file: Path) -> Outside:
    try:
        facts = json.loads(file.read_bytes())
        body, signature = facts["body"].encode(), bytes.fromhex(facts["signature"])
        said = json.loads(body)
        told = Outside(
            int(said["number"]), int(said["size"]), str(said["root"]), _moment(said["at"]),
            sm3.digest_parts([body, signature]).hex(),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LedgerError(_("签名头文件无法读取"), where=str(file), hint=str(error)[:120]) from None
    try:
        good = keys.signer().public.verify(body, signature)
    except GmError:
        good = False
    if not good:
        raise LedgerError(_("这个签名头不是用本实例的密钥签的"), where=str(file), hint=_("请核对是不是这个实例的备份"))
    return told


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def behind(old: Outside) -> bool:
    """Whether this ledger lacks something that the old head covers. Raises LedgerError for a head of another history."""
    here = services.head()
    same = Head.objects.filter(number=old.number).first()
    if same is not None and same.hash != old.hash:
        raise LedgerError(
            _("外面的签名头 {n} 与恢复出来的台账不是同一段历史").format(n=old.number),
            where=f"{old.number}@{old.size}",
            hint=_("请用更早的备份，或查明是谁重新签了名"),
        )
    if here is not None and same is None and old.size < here.size and old.number > here.number:
        raise LedgerError(_("外面的签名头编号更大而记录更少，不是这本台账的"), where=f"{old.number}@{old.size}")
    return here is None or old.number > here.number


def declare(
    old: Outside | None, *, why: str, by: Person, now: datetime, backup: Mapping[str, JSON] | None = None
) -> Restored:
    """Write and sign that this ledger goes on from a backup. `old` is the newest head known outside; None: nobody holds one.

    `backup` tells of the file that was restored. Raises LedgerError without a reason, for an old head that this ledger
    already holds, and for one of another history.
    """
    if not why.strip():
        raise LedgerError(_("恢复必须写明原因"), where=by.username)
    if not by.is_active or by.party not in ("A", "B"):
        raise LedgerError(_("由甲方或乙方的人说明恢复"), where=by.username)
    if old is not None and not behind(old):
        raise LedgerError(_("恢复出来的台账没有缺少什么，不需要恢复记录"), where=f"{old.number}@{old.size}")
    with transaction.atomic(durable=True):
        services.lock()
        last = services.head()
        if last is None:
            raise LedgerError(_("备份里的台账没有签名头"), hint=_("请用更晚的备份"))
        said = _facts(last, old)
        data = {**said, "why": why.strip()[:MOST], "party": by.party, "backup": dict(backup or {})}
        intake = services.record(KIND, "ledger", data, at=now, actor=by.username)
        at = now if old is None else max(now, old.at)
        head = services.go_on(intake, said if old is not None else None, at)
        return Restored.objects.create(
            seq=head.size, intake=intake, head=head, why=data["why"], by=by.username, party=by.party, at=now,
            old_number=old.number if old else None, old_size=old.size if old else None, lost=said["lost"],
        )  # fmt: skip


def _facts(last: Head, old: Outside | None) -> dict[str, JSON]:
    """What head and record both say, so that the verifier can hold the one against the other."""
    kept = {"number": last.number, "size": last.size, "hash": last.hash}
    if old is None:
        return {"kept": kept, "old": None, "lost": None}
    return {
        "kept": kept,
        "old": {"number": old.number, "size": old.size, "hash": old.hash},
        "lost": old.size - last.size,
    }


def waiting() -> list[Restored]:
    """The restores that the client has not answered yet, the oldest first."""
    return list(Restored.objects.filter(agreed__isnull=True).order_by("seq"))


def answer(seq: int, *, agree: bool, by: Person, now: datetime, reason: str = "") -> Restored:
    """The client acknowledges a restore or does not accept it (with a reason).

    Raises LedgerError for the side that declared it, for who is not 甲方, and for a second answer.
    """
    if not agree and not reason.strip():
        raise LedgerError(_("不认可须写明理由"), where=str(seq))
    if not by.is_active or by.party != "A" or by.role not in SIGNERS:
        raise LedgerError(_("恢复记录由甲方的负责人答复"), where=by.username)
    with transaction.atomic():
        row = Restored.objects.select_for_update().filter(pk=seq).first()
        if row is None:
            raise LedgerError(_("没有这条恢复记录"), where=str(seq))
        if row.agreed is not None:
            raise LedgerError(_("这条恢复记录已有答复"), where=str(seq))
        if row.by == by.username:
            raise LedgerError(_("说明恢复的人不能自己确认"), where=by.username)
        data: dict[str, JSON] = {"seq": seq, "lost": row.lost, "party": by.party, "reason": reason.strip()[:MOST]}
        row.answer = services.record(ANSWERS[agree], "ledger", data, at=now, actor=by.username)
        row.agreed, row.answered_by, row.answered_at, row.reason = agree, by.username, now, data["reason"]
        row.save()
    return row


def numbers() -> list[int]:
    """The records that tell of restores and of their answers: every bundle carries them."""
    rows = Restored.objects.values_list("intake_id", "answer_id")
    ids = [pk for pair in rows for pk in pair if pk]
    return sorted(Entry.objects.filter(intake_id__in=ids).values_list("seq", flat=True))


def linked(size: int) -> list[dict[str, JSON]]:
    """Every head that goes on after a restore, with its proof up to the newest head of this size, as bundles carry them.

    Columns that it does not need are not read: a damaged one must not stop the export that would show the damage.
    """
    return [
        {
            "body": bytes(head.body).decode("utf-8", "backslashreplace"),
            "signature": bytes(head.signature).hex(),
            "link": heads.link(head.size, size),
        }
        for head in heads.signed_after_a_restore(0)
    ]
