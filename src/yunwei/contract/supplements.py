"""Supplements: one party lays the signed document down, the other confirms; then `supplements.yaml` in the folder says so.

As with closings the folder stays the one place that says what the contract is. A supplement ranks first (合同 3.1, 12);
what it buys in addition is of the same subject and, over all supplements, at most a tenth of the price (采购法 49).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import yaml
from django.db import transaction
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account
from yunwei.contract import check_between, check_rubric, closings
from yunwei.contract.closing import supplemented
from yunwei.contract.errors import ContractError
from yunwei.contract.findings import Findings
from yunwei.contract.models import PlanVersion
from yunwei.contract.models import Supplement as Row
from yunwei.contract.schema import Document, Folder, PriceStep, Supplement
from yunwei.kernel.money import yuan
from yunwei.ledger import services as ledger

JSON = Any
FILE = "supplements.yaml"
ZERO = Decimal(0)
MOST, NOTE = 1000, 300


@dataclass(frozen=True, slots=True)
class Changes:
    """What a supplement changes: purchases in addition (yuan), the price table, the plan's version that carries it out."""

    added: Decimal = ZERO
    price: Sequence[PriceStep] = ()
    plan: int = 0
    note: str = ""


def propose(folder: Folder, paper: closings.Paper, changes: Changes, *, by: Account, now: datetime) -> Row:
    """Lay a supplement down. Raises ContractError when `by` binds no party, the rank is not the first, or what it buys
    in addition is more than the statute allows (the message holds the arithmetic)."""
    closings.binds(by, _("补充文件由双方的负责人签署"))
    if not paper.title.strip() or not paper.content:
        raise ContractError(_("需要文件的名称与签署件"), where=paper.title[:40] or "supplement")
    if not folder.ranks or paper.rank != folder.ranks[0]:
        first = folder.ranks[0] if folder.ranks else "—"
        raise ContractError(_("补充文件须是双方签署的第一层文件（{rank}）").format(rank=first), where=paper.rank)
    if changes.added < 0 or changes.added != yuan(changes.added):
        raise ContractError(_("追加的金额不能为负，至多到分"), where=str(changes.added))
    if len(changes.note) > NOTE or "\x00" in changes.note:
        raise ContractError(_("文字过长或含有不可记录的字符；至多 {n} 字").format(n=NOTE), where="note")
    if changes.plan and not PlanVersion.objects.filter(version=changes.plan).exists():
        raise ContractError(_("没有这一版服务方案"), where=str(changes.plan))
    with transaction.atomic():
        number = Row.objects.count() + 1
        one = Supplement(
            document=Document(
                id=f"supplement-{number}", rank=paper.rank, order=1, title=paper.title.strip()[:200], date=paper.date
            ),
            added=yuan(changes.added), price=list(changes.price), plan=changes.plan, note=changes.note.strip(),
        )  # fmt: skip
        _fits(folder, one)
        artifact = ledger.store(paper.content, "application/octet-stream")
        row = Row.objects.create(
            content=msgspec.to_builtins(one, str_keys=True), added=one.added, artifact=artifact.commitment,
            file_name=paper.file_name[-120:], proposed_by=by, proposed_at=now,
        )  # fmt: skip
        _record("proposed", row, {"content": row.content, "file": row.file_name}, by, now, (artifact,), folder)
    return row


def _fits(folder: Folder, one: Supplement) -> None:
    """Whether the contract can stand with it. Raises ContractError."""
    if why := check_between.too_much(folder, one.added):
        raise ContractError(why, where=one.document.title)
    if one.price and folder.rubric is None:
        raise ContractError(_("价款函数要先有评分标准"), where=one.document.title)
    findings = Findings(supplemented(folder, [one]))
    for rule in check_rubric.RULES:
        rule(findings)
    if wrong := [p for p in findings.problems if not p.warning]:
        raise ContractError(_("补充文件与合同不符"), where=one.document.title, problems=wrong)


def decide(
    row_id: int, *, confirm: bool, by: Account, now: datetime, reason: str = "", folder: Folder, directory: Path
) -> Row:
    """The other party confirms a supplement, or refuses it with a reason. Confirmed, it is written to the folder.

    The sum over all supplements is looked at again: another one may have been confirmed since. Raises ContractError.
    """
    closings.binds(by, _("补充文件由双方的负责人签署"))
    with transaction.atomic():
        rows = {row.pk: row for row in Row.objects.select_for_update().select_related("proposed_by__organisation")}
        row = rows.get(row_id)
        if row is None:
            raise ContractError(_("没有这份文件"), where=str(row_id))
        name = str(row.content["document"]["title"])
        if row.confirmed is not None:
            raise ContractError(_("这份文件已有结论"), where=name)
        if row.proposed_by.party == by.party:
            raise ContractError(_("由对方确认，不能由本方确认"), where=name)
        if not confirm and not reason.strip():
            raise ContractError(_("不予确认要写明理由"), where=name)
        if len(reason) > MOST or "\x00" in reason:
            raise ContractError(_("文字过长或含有不可记录的字符；至多 {n} 字").format(n=MOST), where=name)
        if confirm:
            agreed = [of(r) for r in rows.values() if r.confirmed]
            known = {one.document.id for one in folder.supplements}
            _fits(supplemented(folder, [one for one in agreed if one.document.id not in known]), of(row))
        row.confirmed, row.reason, row.decided_by, row.decided_at = confirm, reason.strip(), by, now
        row.save(update_fields=["confirmed", "reason", "decided_by", "decided_at"])
        _record("confirmed" if confirm else "refused", row, {"reason": row.reason}, by, now, (), folder)
        if confirm:
            transaction.on_commit(lambda: publish(directory))
    return row


def of(row: Row) -> Supplement:
    """What a row says."""
    return msgspec.convert(row.content, Supplement, strict=False)


def text() -> str:
    """What `supplements.yaml` says; empty while there is none."""
    agreed = [msgspec.to_builtins(of(row), str_keys=True) for row in Row.objects.filter(confirmed=True)]
    if not agreed:
        return ""
    head = "# 由平台写入：双方签署的补充文件。手工改动会在台账与 evidence audit 中显出。\n"
    return head + yaml.safe_dump({"supplements": agreed}, allow_unicode=True, sort_keys=False)


def publish(directory: Path) -> bool:
    """Write what was agreed to the folder; returns whether the file changed."""
    return closings.write(directory / FILE, text())


def _record(
    step: str, row: Row, data: dict[str, JSON], by: Account, now: datetime, artifacts: tuple[Any, ...], folder: Folder
) -> None:
    clauses = tuple(folder.ranks[:1])
    intake = ledger.record(
        f"contract.supplement.{step}", f"supplement:{row.pk}", {"id": row.pk, **data}, at=now, actor=by.username,
        clauses=clauses, artifacts=artifacts,
    )  # fmt: skip
    row.evidence = intake.pk
    row.save(update_fields=["evidence"])
