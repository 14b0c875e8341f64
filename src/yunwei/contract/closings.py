"""Closing an open item: one party lays the signed document down, the other confirms; then the folder says so.

The folder stays the one place that says what the contract is: what was confirmed is written to `closings.yaml` in it, so
that every process, the ledger (which enters the folder file by file) and whoever copies the folder see the same.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
import yaml
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, PartyOf, Role
from yunwei.contract import check_rubric, openitems
from yunwei.contract.closing import PRICE, READING, RUBRIC, TERMS, apply
from yunwei.contract.errors import ContractError
from yunwei.contract.findings import Findings
from yunwei.contract.models import Closing as Row
from yunwei.contract.schema import Closing, Document, Folder, OpenItem, PriceStep, Rubric
from yunwei.ledger import services as ledger

JSON = Any
FILE = "closings.yaml"
#: who binds a party in writing (standards §10)
SIGNERS = {PartyOf.A: frozenset({Role.A_LEADER, Role.A_MANAGER}), PartyOf.B: frozenset({Role.B_MANAGER})}
MOST = 1000


@dataclass(frozen=True, slots=True)
class Paper:
    """The document that closes an item: its title, the clause that gives its rank, its date, the signed file."""

    title: str
    rank: str
    date: date
    file_name: str
    content: bytes


def item_of(folder: Folder, name: str) -> OpenItem:
    """The open item of that id. Raises ContractError when the contract has none."""
    for item in folder.open_items:
        if item.id == name:
            return item
    raise ContractError(_("没有这个未决事项"), where=name)


def propose(
    folder: Folder,
    name: str,
    paper: Paper,
    *,
    by: Account,
    now: datetime,
    reading: str = "",
    price: Sequence[PriceStep] = (),
    rubric: Rubric | None = None,
) -> Row:
    """Lay down the document that closes an item, with the answer that the item asks for.

    Raises ContractError when `by` binds no party, the item is closed or waits for an answer, the document's rank is not
    high enough for what the answer changes, or the answer is missing or wrong.
    """
    binds(by)
    item = item_of(folder, name)
    if not openitems.is_open(folder, item):
        raise ContractError(_("这个事项已经了结"), where=name)
    if not paper.title.strip() or not paper.content:
        raise ContractError(_("需要文件的名称与签署件"), where=name)
    if paper.rank not in folder.ranks:
        raise ContractError(_("文件层次应为以下之一：{ranks}").format(ranks="、".join(folder.ranks)), where=paper.rank)
    if item.blocks in TERMS and paper.rank != folder.ranks[0]:
        raise ContractError(
            _("改变权利义务的须是双方签署的第一层文件（{rank}）").format(rank=folder.ranks[0]), where=paper.rank
        )
    document = Document(
        id=f"closing-{name}", rank=paper.rank, order=folder.ranks.index(paper.rank) + 1, title=paper.title.strip()[:200],
        date=paper.date,
    )  # fmt: skip
    answer = Closing(name, document, reading=reading, price=list(price), rubric=rubric)
    _answers(folder, item, answer)
    with transaction.atomic():
        artifact = ledger.store(paper.content, "application/octet-stream")
        try:
            with transaction.atomic():
                row = Row.objects.create(
                    item=name, answer=msgspec.to_builtins(answer), artifact=artifact.commitment,
                    file_name=paper.file_name[-120:], proposed_by=by, proposed_at=now,
                )  # fmt: skip
        except IntegrityError as e:
            raise ContractError(_("这个事项已有文件待对方确认"), where=name) from e
        data = {"id": row.pk, "item": name, "answer": row.answer, "file": row.file_name}
        _record("proposed", row, item, data, by, now, (artifact,))
    return row


def _answers(folder: Folder, item: OpenItem, answer: Closing) -> None:
    """Whether the answer is the one that the item asks for, and right. Raises ContractError."""
    asked = {READING: bool(answer.reading), PRICE: bool(answer.price), RUBRIC: answer.rubric is not None}
    given = [function for function, there in asked.items() if there]
    if given and given != [item.blocks]:
        raise ContractError(_("这个事项不要这样的答复"), where=item.id)
    if item.blocks in asked and not given:
        what = {READING: _("一种服务期读法"), PRICE: _("价款函数表"), RUBRIC: _("评分标准")}[item.blocks]
        raise ContractError(_("了结这个事项须给出{what}").format(what=what), where=item.id)
    if answer.reading and answer.reading not in {p.id for p in folder.contract.periods}:
        raise ContractError(_("没有这种读法"), where=answer.reading)
    if answer.price and folder.rubric is None:
        raise ContractError(_("价款函数要先有评分标准"), where=item.id)
    findings = Findings(apply(folder, [answer]))
    for rule in check_rubric.RULES:
        rule(findings)
    if wrong := [p for p in findings.problems if not p.warning]:
        raise ContractError(_("答复与合同不符"), where=item.id, problems=wrong)


def decide(
    row_id: int, *, confirm: bool, by: Account, now: datetime, reason: str = "", folder: Folder, directory: Path
) -> Row:
    """The other party confirms a document, or refuses it with a reason. Confirmed, it is written to the folder.

    Raises ContractError for the side that laid it down, for one that was decided, and for a refusal without a reason.
    """
    binds(by)
    with transaction.atomic():
        row = Row.objects.select_for_update().filter(pk=row_id).select_related("proposed_by__organisation").first()
        if row is None:
            raise ContractError(_("没有这份文件"), where=str(row_id))
        if row.confirmed is not None:
            raise ContractError(_("这份文件已有结论"), where=row.item)
        if row.proposed_by.party == by.party:
            raise ContractError(_("由对方确认，不能由本方确认"), where=row.item)
        if not confirm and not reason.strip():
            raise ContractError(_("不予确认要写明理由"), where=row.item)
        if len(reason) > MOST or "\x00" in reason:
            raise ContractError(_("文字过长或含有不可记录的字符；至多 {n} 字").format(n=MOST), where=row.item)
        row.confirmed, row.reason, row.decided_by, row.decided_at = confirm, reason.strip(), by, now
        row.save(update_fields=["confirmed", "reason", "decided_by", "decided_at"])
        data = {"id": row.pk, "item": row.item, "reason": row.reason}
        kind = "confirmed" if confirm else "refused"
        _record(kind, row, item_of(folder, row.item), data, by, now, ())
        if confirm:
            transaction.on_commit(lambda: publish(directory))
    return row


def confirmed() -> list[Closing]:
    """Every closing that both parties agreed, in order."""
    return [msgspec.convert(row.answer, Closing, strict=False) for row in Row.objects.filter(confirmed=True)]


def text() -> str:
    """What `closings.yaml` says; empty while nothing was closed."""
    closed = [msgspec.to_builtins(one) for one in confirmed()]
    if not closed:
        return ""
    head = "# 由平台写入：双方了结的未决事项。手工改动会在台账与 evidence audit 中显出。\n"
    return head + yaml.safe_dump({"closings": closed}, allow_unicode=True, sort_keys=False)


def publish(directory: Path) -> bool:
    """Write what was closed to the folder, whole or not at all; returns whether the file changed."""
    return write(directory / FILE, text())


def write(path: Path, said: str) -> bool:
    """Write a file of the contract folder, whole or not at all; returns whether it changed. Raises ContractError."""
    there = path.read_text("utf-8") if path.is_file() else ""
    if said == there:
        return False
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("x", encoding="utf-8") as f:
            f.write(said)
            f.flush()
            os.fsync(f.fileno())
        temporary.replace(path)
    except OSError as e:
        temporary.unlink(missing_ok=True)
        raise ContractError(_("合同目录写入失败：{why}").format(why=e.strerror or e), where=str(path)) from e
    return True


def binds(by: Account, otherwise: str = "") -> None:
    """Whether an account binds its party in writing. Raises ContractError when it does not."""
    if not by.is_active or by.role not in SIGNERS.get(PartyOf(by.party), frozenset()):
        raise ContractError(otherwise or _("未决事项由双方的负责人以文件了结"), where=by.username)


def _record(
    step: str, row: Row, item: OpenItem, data: dict[str, JSON], by: Account, now: datetime, artifacts: tuple[Any, ...]
) -> None:
    intake = ledger.record(
        f"contract.closing.{step}", f"open-item:{item.id}", data, at=now, actor=by.username, clauses=(item.clause,),
        artifacts=artifacts,
    )  # fmt: skip
    row.evidence = intake.pk
    row.save(update_fields=["evidence"])
