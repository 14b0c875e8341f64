"""One record proved anew: every hash and signature computed again from the bytes that lie here.

The machine that computes belongs to the graded party (law 2), so this finds damage and mistakes; what convinces the
client is the same rules in `verify.py`, on a bundle, on the client's own machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from yunwei.gm import sm3
from yunwei.ledger import artifacts, heads, keys, proofs, services, tree
from yunwei.ledger.errors import LedgerError
from yunwei.ledger.models import Artifact, Entry, Head, HeadPush, Intake

#: heads whose chain of hashes is walked one by one; the consistency proof covers all of them in any case
WALK = 5000


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was computed: `holds` None where there is nothing to compute with (a redacted artifact, no push)."""

    name: str
    holds: bool | None
    said: str


@dataclass(frozen=True, slots=True)
class Proof:
    """Why a record is in the tree of a head: peaks before it, hashes after it, as `verify.py` uses them."""

    head: Head
    peaks: list[bytes]
    cover: list[bytes]


def covering(seq: int) -> Head | None:
    """The first head that covers a record."""
    return Head.objects.filter(size__gte=seq).order_by("number").first()


def proof_of(entry: Entry) -> Proof | None:
    """The inclusion proof of a record under its first head; None while no head covers it."""
    head = covering(entry.seq)
    if head is None:
        return None
    peaks, cover = proofs.inclusion(entry.seq, head.size)
    return Proof(head, peaks, cover)


def held_by_client(seq: int) -> HeadPush | None:
    """The first head that reached an address of the client and covers a record: from then on it cannot be changed
    unseen."""
    wanted = [*heads.addresses()]
    reached = HeadPush.objects.filter(ok=True, head__size__gte=seq, address__in=wanted)
    return reached.select_related("head").order_by("id").first()


def body_of(intake: Intake) -> dict[str, Any]:
    """The record as its hashed bytes say it; {} when they cannot be read."""
    try:
        found = json.loads(bytes(intake.body))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def named(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The artifacts a body names: commitment, media type, size. What is malformed is left out."""
    found = body.get("artifacts")
    rows = [a for a in found if isinstance(a, dict)] if isinstance(found, list) else []
    return [a for a in rows if artifacts.is_digest(a.get("commitment"))]


def check(entry: Entry) -> list[Step]:
    """All of it, in the order of the argument: body, place in the tree, signature, chain, files, what the client holds."""
    body = body_of(entry.intake)
    leaf = tree.leaf_hash(bytes(entry.intake.body))
    proof = proof_of(entry)
    steps = [_leaf(entry, leaf), _columns(entry.intake, body)]
    if proof is None:
        return [*steps, Step(_("归入签名头"), None, _("还没有签名头覆盖这条记录"))]
    steps += [_inclusion(entry, proof), _signature(proof.head)]
    newest = services.head()
    if newest is not None and newest.number != proof.head.number:
        steps += [_grown(proof.head, newest), _chain(proof.head, newest), _signature(newest)]
    steps += list(_contents(body))
    return [*steps, _held(entry.seq)]


def _leaf(entry: Entry, leaf: bytes) -> Step:
    stored = bytes(entry.leaf)
    said = f"SM3(00 ‖ {len(bytes(entry.intake.body))} B) = {leaf.hex()}"
    return Step(_("内容的叶哈希"), leaf == stored, said if leaf == stored else f"{said} ≠ {stored.hex()}")


def _columns(intake: Intake, body: dict[str, Any]) -> Step:
    at = services.stamp(intake.at)
    row = {"kind": intake.kind, "subject": intake.subject, "actor": intake.actor, "at": at, "clauses": intake.clauses}
    wrong = [name for name, value in row.items() if body.get(name) != value]
    said = ", ".join(wrong) if wrong else _("类别、对象、经办、时间、条款与内容一致")
    return Step(_("检索用的列"), not wrong, said)


def included(entry: Entry, proof: Proof) -> bool:
    """Whether the record's bytes lead to the root of the proof's head."""
    leaf, head = tree.leaf_hash(bytes(entry.intake.body)), proof.head
    return tree.included(leaf, entry.seq - 1, bytes(head.root), head.size, proof.peaks, proof.cover)


def _inclusion(entry: Entry, proof: Proof) -> Step:
    holds, n = included(entry, proof), proof.head.number
    said = _("{n} 个哈希折叠为签名头 {head} 的树根").format(n=len(proof.peaks) + len(proof.cover), head=n)
    return Step(_("归入签名头"), holds, said if holds else _("折叠不出签名头 {head} 的树根").format(head=n))


def signed(head: Head) -> bool:
    """Whether this instance's key signed the head, and its columns and hash say what was signed."""
    body, signature = bytes(head.body), bytes(head.signature)
    said = body_of_head(head)
    row = (head.number, head.size, bytes(head.root).hex(), head.prev, services.stamp(head.at), head.key_id)
    public = keys.signer().public
    return (
        row == tuple(said.get(k) for k in ("number", "size", "root", "prev", "at", "key"))
        and head.key_id == public.fingerprint
        and public.verify(body, signature)
        and sm3.digest_parts([body, signature]).hex() == head.hash
    )


def _signature(head: Head) -> Step:
    told = _("密钥指纹 {f}").format(f=keys.fingerprint())
    return Step(_("签名头 {n} 的 SM2 签名").format(n=head.number), signed(head), told)


def body_of_head(head: Head) -> dict[str, Any]:
    """The signed facts of a head; {} when they cannot be read."""
    try:
        found = json.loads(bytes(head.body))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _grown(old: Head, new: Head) -> Step:
    peaks, cover = proofs.consistency(old.size, new.size)
    holds = tree.consistent(bytes(old.root), old.size, bytes(new.root), new.size, peaks, cover)
    said = _("{a} 条的树生长为 {b} 条，没有改写").format(a=old.size, b=new.size)
    return Step(_("直到最新签名头只有增加"), holds, said if holds else _("最新的树不是它的延续"))


def _chain(old: Head, new: Head) -> Step:
    rows = Head.objects.filter(number__gte=old.number, number__lte=new.number).order_by("-number")
    later, count = None, 0
    name = _("签名头逐个相接")
    for head in rows[:WALK].iterator():
        own = sm3.digest_parts([bytes(head.body), bytes(head.signature)]).hex()
        if own != head.hash or (later is not None and later != (head.number, own)):
            return Step(name, holds=False, said=_("断在签名头 {n}").format(n=head.number))
        later, count = _before(head), count + 1
    told = _("{n} 个签名头的哈希逐个核对").format(n=count)
    if count == WALK and later is not None and later[0] >= old.number:
        told = _("最近 {n} 个签名头的哈希逐个核对，更早的由一致性证明覆盖").format(n=count)
    return Step(name, holds=True, said=told)


def _before(head: Head) -> tuple[int, str]:
    """Number and hash of the head that this one goes on from: after a restore the last one that was kept (ADR 13)."""
    said = body_of_head(head)
    try:
        kept = said["restored"]["kept"]
        return int(kept["number"]), str(kept["hash"])
    except (KeyError, TypeError, ValueError):
        return head.number - 1, str(said.get("prev"))


def _contents(body: dict[str, Any]) -> Iterator[Step]:
    said = named(body)
    rows = {a.commitment: a for a in Artifact.objects.filter(commitment__in=[s["commitment"] for s in said])}
    for one in said:
        commitment = one["commitment"]
        name = _("文件 {c}…").format(c=commitment[:12])
        artifact = rows.get(commitment)
        if artifact is None:
            yield Step(name, holds=False, said=_("证据文件缺失"))
        elif artifact.redacted_at is not None:
            yield Step(name, None, _("已依法删除，只留存根"))
        else:
            yield _content(name, artifact)


def _content(name: str, artifact: Artifact) -> Step:
    try:
        content = artifacts.read(artifact)
    except LedgerError as error:
        return Step(name, holds=False, said=error.message)
    return Step(name, holds=True, said=_("SM3(盐 ‖ {n} 字节) 与承诺值一致").format(n=len(content)))


def _held(seq: int) -> Step:
    reached = held_by_client(seq)
    name = _("甲方持有的签名头")
    if reached is None:
        return Step(name, None, _("覆盖它的签名头还没有送达甲方"))
    at = f"{timezone.localtime(reached.at):%Y-%m-%d %H:%M}"
    return Step(name, holds=True, said=_("签名头 {n} 已于 {at} 送达").format(n=reached.head_id, at=at))
