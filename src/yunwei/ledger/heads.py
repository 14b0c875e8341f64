"""Heads go out: to the addresses that the client controls, after each sweep and at least hourly; and the one handover.

An address is a folder for now (a mounted share of the client; `heads/` of the instance in the demo). A head file is
named by tree size and number, appears whole or not at all, and is never overwritten.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from yunwei.gm import sm3
from yunwei.ledger import keys, proofs, services, sheet
from yunwei.ledger.artifacts import sync_folder
from yunwei.ledger.errors import LedgerError
from yunwei.ledger.models import Head, HeadPush

#: "at least hourly" (house, law 2): a head older than this is overdue.
HOURLY = timedelta(hours=1)
HANDOVER = "handover:"
#: how the problem of a push begins that was cut off, or whose file stands there though it failed
BEGUN = "送达没有完成"


@dataclass(frozen=True, slots=True)
class Overdue:
    """An address that should have received a head: since when, and why the last try failed (empty: none was made)."""

    address: str
    since: datetime
    problem: str


def addresses() -> list[str]:
    """Where heads are pushed: `[ledger] push` of yunwei.toml, as it stands there, so that an instance that was moved
    still knows what each address holds. Relative folders lie in the instance (`folder_of`)."""
    return [str(folder) for folder in getattr(settings, "YUNWEI", {}).get("ledger", {}).get("push", ["heads"])]


def folder_of(address: str) -> Path:
    """The folder of an address."""
    return keys.instance() / address


def push(now: datetime) -> list[HeadPush]:
    """Sequence, then bring every address up to date; returns the tries made. A failed one is a row, not an exception.

    Called after each sweep and by a timer: when the newest head is an hour old, a new one is signed though nothing
    happened, because silence must be distinguishable from a cut wire.
    """
    services.sequence(now)
    services.finish_redactions()
    newest = services.head()
    if newest is None or not newest.at <= now < newest.at + HOURLY:
        newest = services.beat(now)
    tries = []
    for address in addresses():
        last = last_push(address)
        if last is None or last.head_id != newest.number:
            tries += _push_to(address, newest, last, now)
    return tries


def _push_to(address: str, newest: Head, last: HeadPush | None, now: datetime) -> list[HeadPush]:
    """Hand over the newest head, and before it those that go on after a restore: without them it would be a cut history."""
    tries: list[HeadPush] = []
    due = {head.number: head for head in [*signed_after_a_restore(last.head_id if last else 0), newest]}
    for number in sorted(due):
        tried = _push_one(address, due[number], last, now)
        if tried is None:
            break
        tries.append(tried)
        if not tried.ok:
            break
        last = tried
    return tries


def signed_after_a_restore(number: int) -> list[Head]:
    """The heads that go on from one that this database no longer holds (`restored`) and are newer than this number.

    Only what was signed is read of them: a bundle is written of a damaged database too.
    """
    rows = Head.objects.filter(restored__old_number__isnull=False, number__gt=number)
    return list(rows.only("number", "size", "body", "signature").order_by("number"))


def last_push(address: str) -> HeadPush | None:
    """The newest successful push to an address."""
    return HeadPush.objects.filter(address=address, ok=True).select_related("head").order_by("-id").first()


def overdue(now: datetime) -> list[Overdue]:
    """The addresses without a head for more than an hour, or whose last one lies in the future of this clock."""
    late = []
    for address in addresses():
        last = last_push(address)
        failed = HeadPush.objects.filter(address=address, ok=False).order_by("-id").first()
        problem = failed.problem if failed and (last is None or failed.pk > last.pk) else ""
        if last is None:
            first = Head.objects.order_by("number").first()
            if first is not None and now - first.at > HOURLY:
                late.append(Overdue(address, first.at, problem))
        elif now - last.at > HOURLY:
            late.append(Overdue(address, last.at, problem))
        elif last.at - now > services.CLOCK_TOLERANCE:
            late.append(Overdue(address, last.at, _("本机时钟落后于台账")))
    return late


def _push_one(address: str, newest: Head, last: HeadPush | None, now: datetime) -> HeadPush | None:
    """One try; None when another worker is bringing a newer head.

    Its row is there before the file is: whatever is cut off in between, the next file goes on from it. And before the rows of
    others are read: of two workers that push at once, the one with the newer head sees the other's row and its file goes on from
    that head too, or the one with the older head sees the newer's and leaves it at that.
    """
    row = HeadPush.objects.create(address=address, head=newest, at=now, ok=False, problem=BEGUN)
    if HeadPush.objects.filter(address=address, head_id__gt=newest.number).exists():
        row.delete()
        return None
    linked = _linked(address, last)
    path = folder_of(address) / file_name(newest)
    try:
        write_head(path, newest, linked)
        row.ok, row.problem = True, ""
    except LedgerError as e:
        begun = f"{BEGUN}：" if path.exists() else ""  # it stands there, and only its safe keeping is in doubt
        row.problem = f"{begun}{e}"[:300]
    row.save(update_fields=["ok", "problem"])
    return row


def _linked(address: str, last: HeadPush | None) -> list[Head]:
    """The heads that the reader of an address holds already: its last one as we knew it, those handed over, and those after
    it that it may hold: of other workers, and of pushes that were cut off."""
    there = HeadPush.objects.filter(Q(ok=True) | Q(problem__startswith=BEGUN)).select_related("head").order_by("id")
    given = there.filter(address__startswith=HANDOVER)
    later = there.filter(address=address, head_id__gt=last.head_id if last else 0)
    held = {p.head_id: p.head for p in [*given, *later]}
    if last is not None:
        held[last.head_id] = last.head
    return list(held.values())


def file_name(head: Head) -> str:
    """`head-<size>-<number>.json`, padded so that names sort by growth."""
    return f"head-{head.size:012d}-{head.number:012d}.json"


def link(m: int, n: int) -> dict[str, Any]:
    """A consistency proof from size m to size n in the form that files and bundles carry."""
    peaks, cover = proofs.consistency(m, n)
    return {"size": m, "peaks": [p.hex() for p in peaks], "cover": [c.hex() for c in cover]}


def head_file(head: Head, linked: list[Head]) -> bytes:
    """What a head file holds: the signed bytes, the signature, the public key, and proofs from the heads `linked`."""
    sizes = sorted({h.size for h in linked if h.size < head.size})
    facts = {
        "body": bytes(head.body).decode("utf-8", "backslashreplace"),
        "signature": bytes(head.signature).hex(),
        "public": keys.signer().public.point.hex(),
        "links": [link(size, head.size) for size in sizes],
    }
    return json.dumps(facts, ensure_ascii=False, indent=1).encode() + b"\n"


def write_head(path: Path, head: Head, linked: list[Head]) -> None:
    """Write a head file, never over another one. Raises LedgerError when the folder does not take it."""
    data = head_file(head, linked)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as f:
                f.write(data)
                f.flush()
                os.fsync(f.fileno())
            _appear(temporary, path, head)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as e:
        raise LedgerError(
            _("签名头写入失败：%(why)s") % {"why": e.strerror or e}, where=str(path), hint=_("请检查甲方目录")
        ) from e


def _appear(temporary: Path, path: Path, head: Head) -> None:
    """Give the finished file its name unless the name is taken; a hard link cannot overwrite, a rename would."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        try:
            there = json.loads(path.read_bytes())
            same = there["signature"] == bytes(head.signature).hex()
        except (ValueError, KeyError, TypeError):
            same = False
        if not same:
            raise LedgerError(_("同名的签名头已经存在且内容不同，不会覆盖"), where=str(path)) from None


def handover(folder: Path, now: datetime, actor: str, parties: sheet.Parties | None = None) -> dict[str, str | int]:
    """What the client gets once, apart from the bundles: both verifiers, the key's fingerprint, the head of this moment,
    and the sheet that both sides stamp. `parties` is what the contract says of itself; without it the sheet has blanks.

    Raises LedgerError when the folder is not empty, so that no second handover is mistaken for the first.
    """
    if folder.exists() and any(folder.iterdir()):
        raise LedgerError(_("移交目录不是空的"), where=str(folder), hint=_("请给出一个新目录"))
    fingerprint = keys.fingerprint()
    tools = {name: Path(__file__).with_name(name) for name in sheet.TOOLS}
    said = {"fingerprint": fingerprint, "tools": {name: sm3.digest_file(path).hex() for name, path in tools.items()}}
    with transaction.atomic():
        services.record("ledger.handover", "ledger", said, at=now, actor=actor)
    services.sequence(now)
    row = _handed(f"{HANDOVER}{folder.name}"[:300], now)
    newest = row.head
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, path in tools.items():
            shutil.copyfile(path, folder / name)
        (folder / "key-fingerprint.txt").write_text(fingerprint + "\n", encoding="ascii")
        (folder / "README.txt").write_text(_readme(fingerprint), encoding="utf-8")
        write_head(folder / "first-head.json", newest, _held(newest))
        (folder / "handover.html").write_text(_sheet(folder, newest, now, parties or sheet.Parties()), encoding="utf-8")
    except OSError as e:
        raise LedgerError(_("移交文件写入失败：%(why)s") % {"why": e.strerror or e}, where=str(folder)) from e
    row.ok, row.problem = True, ""
    row.save(update_fields=["ok", "problem"])
    return {"folder": str(folder), "fingerprint": fingerprint, "size": newest.size, "number": newest.number}


def _handed(address: str, now: datetime) -> HeadPush:
    """The row of a handover, made before its files and of a head that is not older than any on its way to the client: what
    is pushed meanwhile goes on from it (`_push_one`)."""
    while True:
        newest = services.head() or services.beat(now)
        row = HeadPush.objects.create(address=address, head=newest, at=now, ok=False, problem=BEGUN)
        if not HeadPush.objects.filter(head_id__gt=newest.number).exists():
            return row
        row.delete()


def _held(newest: Head) -> list[Head]:
    """What each address holds or may hold of older heads: when some were pushed before the handover, its head goes on from them."""
    found: dict[int, Head] = {}
    for address in addresses():
        older = HeadPush.objects.filter(address=address, ok=True, head_id__lt=newest.number).order_by("-id").first()
        found |= {head.number: head for head in _linked(address, older)}
    return list(found.values())


def _sheet(folder: Path, newest: Head, now: datetime, parties: sheet.Parties) -> str:
    first = sheet.FirstHead(newest.number, newest.size, bytes(newest.root).hex(), newest.at)
    demo = bool(getattr(settings, "YUNWEI", {}).get("demo"))
    name = keys.instance().name
    return sheet.page(
        folder, parties=parties, fingerprint=keys.fingerprint(), head=first, instance=name, now=now, demo=demo
    )


def _readme(fingerprint: str) -> str:
    lines = (
        _("云维台账核验材料（只移交一次，与日后的证据包分开保管）"),
        "",
        _("密钥指纹（SM3）：%(f)s") % {"f": fingerprint},
        _("请当面或电话核对一次。handover.html 是移交单：打印一页，双方盖章，各执一份。"),
        "",
        _("一、用浏览器"),
        _(
            "双击 verify.html（可放在 U 盘里，断网可用），把证据包、key-fingerprint.txt、first-head.json 与留存的签名头拖进去，按“开始核验”。"
        ),
        _("需要 Chromium 86 以上内核（360、奇安信等浏览器请用极速模式）或 Firefox 91 以上；页面不上传任何内容。"),
        "",
        _("二、用 Python"),
        _("核验证据包：python3 verify.py 证据包.zip --key-fingerprint %(f)s --first-head first-head.json")
        % {"f": fingerprint},
        _("登记签名头：python3 verify.py witness add first-head.json 签名头目录 --store 目录 --key-fingerprint %(f)s")
        % {"f": fingerprint},
        _("对照签名头：python3 verify.py witness check 证据包.zip --store 目录"),
        _("verify.py 只用 Python 3.8 以上的标准库，不联网，不运行证据包里的任何内容。"),
        "",
        _("三、暗测的承诺"),
        _("python3 verify.py surprise --asset 设备编号 --at 2026-10-12T10:00:00 --what 做什么（verify.html 里也能做）"),
        _("只把 SM3 登记到平台，原文自己保存，揭示时交出。"),
        "",
        _("两个核验程序查的是同一些东西，说的是同一些话；任选其一，也可以互相印证。"),
    )
    return "\n".join(lines) + "\n"
